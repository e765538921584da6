"""Arrays of integer codes <-> one stream of bytes."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Int8, Int32

from nervid.compress.frequency import (
    DEFAULT_PRIOR,
    PEAKS,
    SCALES,
    SHAPES,
    WEIGHTS,
    AdaptingTable,
    Prior,
    adapted_tables,
    block_bounds,
    prior_table,
)
from nervid.compress.plan import (
    CLASS_BITS,
    CLASSES,
    CONSTANT,
    LEAST_AXES,
    MODES,
    REPEATED,
    SHIFTED,
    Latest,
    Plan,
    Run,
    block_counts,
    grouping_slices,
    plan_array,
)
from nervid.compress.rangecoder import RangeReader, RangeWriter
from nervid.errors import CorruptSectionError, InputError

# Keeps every product of `adapted_tables` within 64 bits, with room to spare.
_MAX_SIZE = 1 << 32


def encode_symbols(arrays: Sequence[np.ndarray], bits: Sequence[int]) -> bytes:
    """Code ``arrays`` of integers, in order, into one stream.

    Each array gets a prior table (Laplace or Gaussian, see `Prior`), which then adapts to the array's
    own histogram as coding goes on, so that small arrays pay little for parameters and large ones reach
    their zero-order entropy. Where slices differ in scale, classes of them have tables of their own.
    docs/entropy.md specifies the stream byte for byte.

    Args:
        arrays: Codes of any integer type and shape, fewer than 2**32 each;
            those of array i lie in [-2**(bits[i] - 1), 2**(bits[i] - 1) - 1].
        bits: Bits per code before entropy coding, 2 to 8, one per array.

    Returns:
        The stream. It holds neither shapes nor ``bits``; a decoder needs to know them.

    Raises:
        InputError: If an array is not of integers, a code is out of range, or ``bits`` do not match.

    Example:
        >>> decode_symbols(encode_symbols([np.array([0, -2, 1])], [2]), [(3,)], [2])
        [array([ 0, -2,  1], dtype=int8)]
    """
    writer = RangeWriter()
    for plan in _plans(arrays, bits):
        for run in plan.runs:
            _write_run(writer, run)
    return writer.finish()


def decode_symbols(
    data: bytes, shapes: Sequence[tuple[int, ...]], bits: Sequence[int]
) -> list[Int8[np.ndarray, "..."]]:
    """Return the arrays that `encode_symbols` coded into ``data``.

    Memory and time are bounded by ``shapes``, whatever the bytes: the caller bounds those.

    Args:
        data: A whole stream.
        shapes: The shape of each array, in order; less than 2**32 codes in each.
        bits: Bits per code, 2 to 8, one per array, as given to the encoder.

    Returns:
        New arrays of the codes.

    Raises:
        CorruptSectionError: If the bytes are not exactly what an encoder makes for such shapes.
        InputError: If ``shapes`` or ``bits`` are impossible.
    """
    sizes = [_checked_size(shape) for shape in shapes]
    _check_bits(bits, len(sizes))
    reader = RangeReader(data)
    latest: dict[int, Prior] = {}
    arrays = []
    for shape, size, depth in zip(shapes, sizes, bits, strict=True):
        symbols = _read_array(reader, shape, depth, latest) if size else np.zeros(shape, dtype=np.int32)
        symbols -= 1 << depth - 1
        arrays.append(symbols.astype(np.int8))
    reader.finish()
    return arrays


def ideal_bits(arrays: Sequence[np.ndarray], bits: Sequence[int]) -> float:
    """Return the length, in bits, that an ideal coder would give `encode_symbols` of the same arguments.

    That is the sum of log2(2**24 / frequency) over symbols and parameters, under the very integer tables
    that are coded with. It takes one histogram and a few small tables per array, no coding, so a search
    for a rate can afford it in its loop.

    Raises:
        InputError: As `encode_symbols`.

    Notes:
        The real stream ends on whole bytes and the coder rounds each interval, which costs it at most 64
        bits and about 0.00013 bits per symbol more. Only where nearly every symbol is the same is that
        above 2%.
    """
    return sum((plan.ideal_bits for plan in _plans(arrays, bits)), start=0.0)


def _plans(arrays: Sequence[np.ndarray], bits: Sequence[int]) -> Iterator[Plan]:
    """Yield the plan of each array that is not empty."""
    _check_bits(bits, len(arrays))
    latest: Latest = {}
    for array, depth in zip(arrays, bits, strict=True):
        symbols = _checked_symbols(array, depth)
        if symbols.size:
            plan = plan_array(symbols, depth, latest)
            latest = plan.latest
            yield plan


def _write_run(writer: RangeWriter, run: Run) -> None:
    for value, choices in run.fields:
        writer.write_field(value, choices)
    if run.prior is None:
        return
    blocks = block_counts(run.symbols, run.bits)
    seen = np.cumsum(blocks, axis=0) - blocks
    tables = adapted_tables(seen, prior_table(run.prior, run.bits), weight=WEIGHTS[run.prior.weight])
    for (start, stop), table in zip(pairwise(block_bounds(run.symbols.size)), tables, strict=True):
        writer.write(run.symbols[start:stop], table)


def _read_array(
    reader: RangeReader, shape: tuple[int, ...], bits: int, latest: dict[int, Prior]
) -> Int32[np.ndarray, "..."]:
    """Return the symbols of the next array, not empty; keep ``latest`` up to date."""
    mode = reader.read_field(MODES)
    if mode not in LEAST_AXES:
        return _read_run(reader, mode, math.prod(shape), bits, latest).reshape(shape)
    if len(shape) < LEAST_AXES[mode]:
        raise CorruptSectionError(
            f"coded symbols: mode {mode} wants {LEAST_AXES[mode]} axes, the array has shape {shape}; "
            "the file is damaged, re-download or re-encode it"
        )
    symbols = np.empty(shape, dtype=np.int32)
    slices = grouping_slices(symbols, mode)
    classes = _read_run(reader, reader.read_field(MODES), len(slices), CLASS_BITS, latest)
    for i in range(CLASSES):
        members = np.flatnonzero(classes == i)
        if members.size:
            part = (members.size, *slices.shape[1:])
            run = _read_run(reader, reader.read_field(MODES), math.prod(part), bits, latest)
            slices[members] = run.reshape(part)
    return symbols


def _read_run(
    reader: RangeReader, mode: int, size: int, bits: int, latest: dict[int, Prior]
) -> Int32[np.ndarray, " size"]:
    """Return ``size`` symbols that share one adapting table, as announced by ``mode``."""
    alphabet = 1 << bits
    if mode in LEAST_AXES:
        raise CorruptSectionError(
            "coded symbols: classes within a class; the file is damaged, re-download or re-encode it"
        )
    if mode == CONSTANT:
        return np.full(size, reader.read_field(alphabet), dtype=np.int32)
    prior = latest.get(bits, DEFAULT_PRIOR)
    if mode != REPEATED:
        shape, scale = divmod(reader.read_field(SHAPES * SCALES), SCALES)
        peak = reader.read_field(PEAKS)
        weight = reader.read_field(len(WEIGHTS))
        center = reader.read_field(alphabet) - alphabet // 2 if mode == SHIFTED else 0
        prior = Prior(shape=shape, scale=scale, peak=peak, center=center, weight=weight)
    latest[bits] = prior
    table = AdaptingTable(prior, bits)
    symbols = np.empty(size, dtype=np.int32)
    for start, stop in pairwise(block_bounds(size)):
        symbols[start:stop] = block = reader.read(stop - start, table.frequencies())
        if stop < size:
            table.observe(block)
    return symbols


def _checked_symbols(array: np.ndarray, bits: int) -> Int32[np.ndarray, "..."]:
    """Return the codes as symbols from 0, or raise InputError."""
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"wanted an array of integer codes, got {array.dtype}; quantize it first")
    _checked_size(array.shape)
    half = 1 << bits - 1
    if array.size and not (-half <= int(array.min()) and int(array.max()) < half):
        raise InputError(
            f"wanted codes in [{-half}, {half - 1}] for {bits} bits, got [{array.min()}, {array.max()}]; "
            "quantize with these bits"
        )
    symbols = array.astype(np.int32)
    symbols += half
    return symbols


def _checked_size(shape: tuple[int, ...]) -> int:
    size = math.prod(shape)
    if min(shape, default=0) < 0 or size >= _MAX_SIZE:
        raise InputError(f"wanted a shape of fewer than 2**32 codes, got {shape}; split the array")
    return size


def _check_bits(bits: Sequence[int], count: int) -> None:
    if len(bits) != count:
        raise InputError(f"wanted bits for each of {count} arrays, got {len(bits)}; give one per array")
    for depth in bits:
        if not 2 <= depth <= 8:
            raise InputError(f"wanted 2 to 8 bits per code, got {depth}; quantize more coarsely")
