"""Compare entropy coders on quantized weights: bytes each needs for the same integers.

    python benchmarks/entropy_coders.py
    python benchmarks/entropy_coders.py --npz codes.npz --bits 6
    python benchmarks/entropy_coders.py --nncodec-python nnc-env/bin/python

nncodec pins packages that nervid does not want, so it may live in an environment of its own; without it
its column stays empty. Prints a table and writes benchmarks/results/entropy_coders.json.
"""

import argparse
import json
import lzma
import os
import platform
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import constriction
import numpy as np

from nervid.compress.frequency import adapted_tables, block_bounds, uniform_table
from nervid.compress.rangecoder import RangeWriter
from nervid.compress.symbols import decode_symbols, encode_symbols, ideal_bits

RESULTS = Path(__file__).parent / "results" / "entropy_coders.json"

# Output channels, input channels and kernel of a small HNeRV decoder, roughly 1 M weights with biases.
LAYERS = (
    (80, 16, 1), (1675, 80, 1), (896, 67, 3), (752, 56, 5), (188, 47, 5), (160, 40, 5), (3, 40, 3),
)  # fmt: skip

# Runs inside the interpreter that has nncodec. It imports training examples that need torchvision, of which
# coding tensors uses nothing, so a stand-in serves where torchvision is missing or fits another torch.
NNCODEC_PROGRAM = """
import json, sys
from unittest import mock
try:
    import torchvision
except (ImportError, RuntimeError):
    for name in ("", ".datasets", ".models", ".transforms", ".transforms.functional"):
        sys.modules["torchvision" + name] = mock.MagicMock()
import numpy as np
from nncodec import nnc
with np.load(sys.argv[1]) as file:
    arrays = {name: file[name].astype(np.int32) for name in file.files}
data = nnc.compress(dict(arrays), bitstream_path=None, use_dq=False, row_skipping=True, return_bitstream=True)
back = nnc.decompress(bytearray(data))
same = all(np.array_equal(back[name], arrays[name]) for name in arrays)
print(json.dumps({"bytes": len(data), "same": same}))
"""


def synthetic_weights(seed: int, bits: int, sparsity: float, channel_spread: float) -> dict[str, np.ndarray]:
    """Return codes of weights that look trained: heavy tails, another scale per layer and output channel.

    The logarithms of the channels' scales have standard deviation ``channel_spread``. Each tensor is scaled
    so that its largest value takes the outermost level, after the smallest ``sparsity`` of all weights have
    become zero.
    """
    rng = np.random.default_rng(seed)
    values = {}
    for i, (outputs, inputs, kernel) in enumerate(LAYERS):
        channel = rng.lognormal(0, channel_spread, (outputs, 1, 1, 1)) / np.sqrt(inputs * kernel**2)
        values[f"layer{i}.weight"] = channel * rng.standard_t(6, (outputs, inputs, kernel, kernel))
        values[f"layer{i}.bias"] = rng.normal(0, 0.05, outputs)
    limit = np.quantile(np.abs(np.concatenate([v.ravel() for v in values.values()])), sparsity)
    codes = {}
    for name, value in values.items():
        kept = np.where(np.abs(value) < limit, 0.0, value)
        step = max(float(np.abs(kept).max()), 1e-9) / ((1 << bits - 1) - 1)
        codes[name] = np.rint(kept / step).astype(np.int16)
    return codes


def with_quantized(family: str) -> Callable[[Sequence[np.ndarray], int], int]:
    """Return a counter of bytes under one of constriction's own distributions, its width fitted per tensor.

    The width is stored as 16-bit float. These models use the machine's exp and erf, so they are not
    exact across machines.
    """

    def count(arrays: Sequence[np.ndarray], bits: int) -> int:
        half = 1 << bits - 1
        coder = constriction.stream.queue.RangeEncoder()
        for array in arrays:
            codes = array.ravel().astype(np.int32)
            spread = np.abs(codes).mean() if family == "QuantizedLaplace" else codes.std()
            width = float(np.float16(max(float(spread), 0.05)))
            make = getattr(constriction.stream.model, family)
            coder.encode(codes, make(-half, half - 1, 0.0, width))
        return 4 * int(coder.num_words()) + 2 * len(arrays)

    return count


def with_histogram(arrays: Sequence[np.ndarray], bits: int) -> int:
    """Count bytes under each tensor's own histogram, stored as 12 bits per code from least to largest."""
    coder = constriction.stream.queue.RangeEncoder()
    table_bits = 0
    for array in arrays:
        low = int(array.min())
        counts = np.bincount(array.ravel().astype(np.int64) - low)
        table_bits += 2 * bits + 12 * counts.size
        if counts.size > 1:
            rounded = np.maximum(np.ceil(counts / counts.max() * 4095), 0.0)
            model = constriction.stream.model.Categorical(rounded, perfect=False)
            coder.encode((array.ravel() - low).astype(np.int32), model)
    return 4 * int(coder.num_words()) + -(-table_bits // 8)


def with_adaptive(arrays: Sequence[np.ndarray], bits: int) -> int:
    """Count bytes under a histogram that starts flat and follows what was coded, in nervid's blocks."""
    alphabet = 1 << bits
    writer = RangeWriter()
    for array in arrays:
        symbols = array.ravel().astype(np.int32) + alphabet // 2
        seen = np.zeros((1, alphabet), dtype=np.int64)
        bounds = block_bounds(symbols.size)
        for start, stop in pairwise(bounds):
            writer.write(symbols[start:stop], adapted_tables(seen, uniform_table(alphabet), weight=16)[0])
            seen += np.bincount(symbols[start:stop], minlength=alphabet)
    return len(writer.finish())


def with_nervid(arrays: Sequence[np.ndarray], bits: int) -> int:
    """Count bytes of nervid's stream, after decoding it and comparing."""
    depths = [bits] * len(arrays)
    data = encode_symbols(arrays, depths)
    decoded = decode_symbols(data, [array.shape for array in arrays], depths)
    if not all(np.array_equal(a, b) for a, b in zip(arrays, decoded, strict=True)):
        raise SystemExit("nervid's stream did not decode to the same codes")
    return len(data)


def entropy_bytes(arrays: Sequence[np.ndarray]) -> int:
    """Return the zero-order entropy per tensor: what nothing without context reaches, parameters free."""
    total = 0.0
    for array in arrays:
        counts = np.unique(array, return_counts=True)[1]
        total -= float((counts * np.log2(counts / array.size)).sum())
    return int(np.ceil(total / 8))


def with_nncodec(python: str, codes: dict[str, np.ndarray]) -> int | None:
    """Return the bytes of NNC (ISO/IEC 15938-17, DeepCABAC) for the same integers; None without nncodec."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "codes.npz"
        np.savez(path, allow_pickle=False, **codes)
        done = subprocess.run(
            [python, "-c", NNCODEC_PROGRAM, str(path)],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
        )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        print(f"nncodec left out: {lines[-1] if lines else 'no message'}", file=sys.stderr)
        return None
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    if not answer["same"]:
        raise SystemExit("nncodec did not decode to the same codes")
    return int(answer["bytes"])


def compare(codes: dict[str, np.ndarray], bits: int, python: str) -> dict[str, int | None]:
    """Return the bytes of every coder for the same tensors."""
    arrays = list(codes.values())
    raw = b"".join(array.astype(np.int8).tobytes() for array in arrays)
    return {
        "entropy": entropy_bytes(arrays),
        "nervid": with_nervid(arrays, bits),
        "nervid ideal": int(np.ceil(ideal_bits(arrays, [bits] * len(arrays)) / 8)),
        "adaptive": with_adaptive(arrays, bits),
        "histogram": with_histogram(arrays, bits),
        "laplace": with_quantized("QuantizedLaplace")(arrays, bits),
        "gaussian": with_quantized("QuantizedGaussian")(arrays, bits),
        "nncodec": with_nncodec(python, codes),
        "lzma": len(lzma.compress(raw, preset=9)),
        "zlib": len(zlib.compress(raw, 9)),
    }


def hardware() -> str:
    """Return a line that names processor and operating system."""
    model = platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), model)
    return f"{model}, {os.cpu_count()} cores, {platform.system()}"


def commit() -> str | None:
    """Return the commit that is checked out, if git knows one."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def main() -> None:
    """Run the comparison that the command line asks for."""
    parser = argparse.ArgumentParser(description="Bytes that each entropy coder needs for the same codes.")
    parser.add_argument("--npz", type=Path, help="integer tensors to code instead of synthetic weights")
    parser.add_argument("--bits", type=int, nargs="+", default=[4, 6, 8], help="bits per code")
    parser.add_argument("--seed", type=int, default=0, help="seed of the synthetic weights")
    parser.add_argument("--nncodec-python", default=sys.executable, help="interpreter that has nncodec")
    options = parser.parse_args()
    rows = []
    for bits in options.bits:
        if options.npz:
            with np.load(options.npz) as file:
                tensors = {name: file[name] for name in file.files if file[name].dtype.kind == "i"}
            inputs = {options.npz.name: tensors}
        else:
            cases = {"equal channels": (0.0, 0.0), "varied": (0.0, 0.25), "varied, 40% zeros": (0.4, 0.25)}
            inputs = {name: synthetic_weights(options.seed, bits, *case) for name, case in cases.items()}
        for name, codes in inputs.items():
            row = {"input": name, "bits": bits, "weights": sum(a.size for a in codes.values())}
            rows.append({**row, "bytes": compare(codes, bits, options.nncodec_python)})
    coders = list(rows[0]["bytes"])
    print("| input | bits | " + " | ".join(coders) + " |")
    print("|" + "---|" * (len(coders) + 2))
    for row in rows:
        counts = [f"{row['bytes'][coder]:,}" if row["bytes"][coder] is not None else "-" for coder in coders]
        print(f"| {row['input']} | {row['bits']} | " + " | ".join(counts) + " |")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "command": "python benchmarks/entropy_coders.py",
        "arguments": {"npz": options.npz and options.npz.name, "bits": options.bits, "seed": options.seed},
        "commit": commit(),
        "hardware": hardware(),
        "rows": rows,
    }
    RESULTS.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
