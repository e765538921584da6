"""Bytes that the embeddings of .nerv files take under several predictions in time.

    python -m benchmarks.embedding_prediction out/bunny.nerv other.nerv

For every section EMBD: its codes as they are, as differences from the frame before (what the format knows),
as second differences, as differences from the mean of the frames on both sides (the middle frame first, then
the quarters, and so on), and by general compressors, which get the raw codes, a byte each, frame by frame or
number by number, whichever is shorter. Prints a table.
"""

import argparse
import json
import lzma
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from nervid.compress.differences import to_differences
from nervid.compress.streams import decode_tensors
from nervid.compress.symbols import encode_symbols
from nervid.container import EMBD, MODL, NervFile
from nervid.models.config import from_json

Arrays = list[np.ndarray]


def as_they_are(codes: np.ndarray, bits: int) -> Arrays:
    """No prediction."""
    return [codes]


def differences(codes: np.ndarray, bits: int) -> Arrays:
    """The first frame, then differences."""
    return list(to_differences(codes, bits))


def second_differences(codes: np.ndarray, bits: int) -> Arrays:
    """The first frame, the first difference, then differences of differences."""
    first, later = to_differences(codes, bits)
    return [first, *to_differences(later, bits)]


def from_both_sides(codes: np.ndarray, bits: int) -> Arrays:
    """The first frame, then by halving: each frame less the mean of the two known ones around it."""
    half, frames = 1 << bits - 1, len(codes)
    wide = codes.astype(np.int64)
    levels, reach = [], 1 << max(frames - 1, 0).bit_length()
    while reach > 1:
        reach //= 2
        middle = np.arange(reach, frames, 2 * reach)
        right = np.where(middle + reach < frames, middle + reach, middle - reach)
        off = wide[middle] - (wide[middle - reach] + wide[right] >> 1)
        levels.append((off + half) % (2 * half) - half)
    return [codes[:1], np.concatenate(levels) if levels else codes[1:]]


def shortest(codes: np.ndarray, compress: Callable[[bytes], bytes]) -> int:
    """Bytes of a general compressor: frame by frame or number by number."""
    raw = codes.reshape(len(codes), -1).astype(np.int8)
    return min(len(compress(order.tobytes())) for order in (raw, raw.T))


def row(codes: np.ndarray, bits: int) -> dict[str, int]:
    """Bytes of one section's codes, without its grid, under every candidate."""
    sizes = {}
    for name, split in {
        "as they are": as_they_are,
        "differences": differences,
        "second differences": second_differences,
        "from both sides": from_both_sides,
    }.items():
        arrays = split(codes, bits)
        sizes[name] = len(encode_symbols(arrays, [bits] * len(arrays)))
    sizes["lzma"] = shortest(codes, lambda data: lzma.compress(data, preset=9))
    sizes["zlib"] = shortest(codes, lambda data: zlib.compress(data, 9))
    return sizes


def main(words: Sequence[str] | None = None) -> None:
    """Print the table for the files of the command line."""
    parser = argparse.ArgumentParser(description="Bytes of embeddings under several predictions in time.")
    parser.add_argument("files", nargs="+", type=Path, help=".nerv files")
    header_printed = False
    for path in parser.parse_args(words).files:
        with NervFile.open(path) as file:
            for segment, frames in enumerate(file.header.segments):
                if not file.has(EMBD, segment):
                    continue
                config = from_json(json.loads(file.read(MODL, segment))["model"])
                (tensor,) = decode_tensors(file.read(EMBD, segment), [(frames, *config.embedding_shape)])
                sizes = row(tensor.codes.numpy(), tensor.grid.bits)
                if not header_printed:
                    print("| embeddings | shape | " + " | ".join(sizes) + " |")
                    print("|" + "---|" * (len(sizes) + 2))
                    header_printed = True
                shape = "x".join(str(side) for side in tensor.codes.shape)
                cells = " | ".join(f"{size:,}" for size in sizes.values())
                print(f"| {path.name} {segment} | {shape} | {cells} |")
    if not header_printed:
        sys.exit("no file of these stores embeddings; name files of the models hnerv or latent-inr")


if __name__ == "__main__":
    main()
