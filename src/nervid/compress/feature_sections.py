"""Quantized feature grids to bytes and back: steps in front, then one stream of all codes."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nervid.compress.feature_grids import decode_grids, encode_grids, grids_bits, read_knots
from nervid.compress.knots import KnotOrder, KnotPlace
from nervid.errors import CorruptSectionError

STEP_BYTES = 2
"""Bytes of a quantization step, a float16."""
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True, eq=False)
class QuantizedFeatureGrid:
    """Codes of a feature grid and the step of each of its channels."""

    codes: Int[Tensor, "knots channels rows columns"]
    """int16."""
    steps: Float[Tensor, " channels"]
    """Positive, float32 holding float16 values."""

    def values(self) -> Float[Tensor, "knots channels rows columns"]:
        """Return ``step * code`` in float32, the same bits on every IEEE machine."""
        return self.codes.to(torch.float32) * self.steps.view(1, -1, 1, 1)


def encode_feature_grids(grids: Sequence[QuantizedFeatureGrid], order: KnotOrder | None = None) -> bytes:
    """Return the bytes of the embeddings section of a network with feature grids (docs/format.md).

    Args:
        grids: In the network's order.
        order: For each grid the first frame that each knot is drawn with, to have knots in the order in which
            frames need them; None to have them grid by grid.

    Raises:
        InputError: If a code is out of the coder's range.
    """
    steps = b"".join(grid.steps.numpy().astype("<f2").tobytes() for grid in grids)
    return steps + encode_grids([grid.codes.numpy() for grid in grids], order)


def decode_feature_grids(
    data: bytes, shapes: Sequence[tuple[int, int, int, int]], order: KnotOrder | None = None
) -> list[QuantizedFeatureGrid]:
    """Undo :func:`encode_feature_grids`.

    Args:
        data: The section's payload.
        shapes: Shape of each grid, in order; the caller bounds them.
        order: As :func:`encode_feature_grids` had it.

    Raises:
        CorruptSectionError: If the bytes do not hold feature grids of these shapes.
    """
    steps, stream = _split_steps(data, shapes)
    codes = decode_grids(stream, shapes, order)
    return [
        QuantizedFeatureGrid(torch.from_numpy(array), torch.from_numpy(part))
        for array, part in zip(codes, steps, strict=True)
    ]


def read_feature_knots(
    data: bytes, shapes: Sequence[tuple[int, int, int, int]], order: KnotOrder | None = None
) -> Iterator[tuple[KnotPlace, Float[Tensor, "channels rows columns"]]]:
    """Undo :func:`encode_feature_grids` knot by knot; for the arguments see :func:`decode_feature_grids`.

    Steps are read at once, everything else as it is asked for.

    Returns:
        Where each knot belongs, and its numbers in float32.

    Raises:
        CorruptSectionError: As :func:`decode_feature_grids`; from the iterator, too.
    """
    steps, stream = _split_steps(data, shapes)
    columns = [torch.from_numpy(part).view(-1, 1, 1) for part in steps]
    return (
        (place, torch.from_numpy(codes).to(torch.float32) * columns[place.grid])
        for place, codes in read_knots(stream, shapes, order)
    )


def _split_steps(
    data: bytes, shapes: Sequence[tuple[int, int, int, int]]
) -> tuple[list[Float[np.ndarray, " channels"]], bytes]:
    """Return each grid's steps, and the stream behind them."""
    end = STEP_BYTES * sum(shape[1] for shape in shapes)
    if end > len(data):
        raise CorruptSectionError("feature grids: the section ends early; copy or encode the file again")
    steps = np.frombuffer(data[:end], dtype="<f2").astype(np.float32)
    if not (np.isfinite(steps) & (steps > 0)).all():
        raise CorruptSectionError("feature grids: a step is not positive; encode the file again")
    return np.split(steps, np.cumsum([shape[1] for shape in shapes])[:-1]), data[end:]


def join_latents(latents: bytes, grids: bytes) -> bytes:
    """Return the embeddings section of a network with latents beside its feature grids (docs/format.md).

    Args:
        latents: Coded; with none there is no length in front of the feature grids either.
        grids: Feature grids, from :func:`encode_feature_grids`.
    """
    return _LENGTH.pack(len(latents)) + latents + grids if latents else grids


def split_latents(data: bytes) -> tuple[bytes, bytes]:
    """Undo :func:`join_latents` for a section that has latents; neither part is decoded.

    Raises:
        CorruptSectionError: If the section is shorter than it says.
    """
    end = _LENGTH.size + (_LENGTH.unpack_from(data)[0] if len(data) >= _LENGTH.size else 0)
    if end > len(data):
        raise CorruptSectionError("latents: the section ends early; copy or encode the file again")
    return data[_LENGTH.size : end], data[end:]


def estimate_feature_bytes(grids: Sequence[QuantizedFeatureGrid]) -> float:
    """Return the size that :func:`encode_feature_grids` would reach with an ideal coder, in bytes."""
    channels = sum(len(grid.steps) for grid in grids)
    return STEP_BYTES * channels + grids_bits([grid.codes.numpy() for grid in grids]) / 8
