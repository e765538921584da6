"""Feature grids of a segment <-> one stream of bytes."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Int16, Int32

from nervid.compress.coded_grid import CodedGrid
from nervid.compress.flags import FlagCoder, FlagMeter, FlagReader, FlagWriter
from nervid.compress.knots import KnotOrder, KnotPlace, knots_by_need
from nervid.compress.prediction import LARGEST_CODE
from nervid.errors import InputError

# Keeps every product of `AdaptingFlags` within 64 bits.
_MAX_SIZE = 1 << 28


def encode_grids(grids: Sequence[np.ndarray], order: KnotOrder | None = None) -> bytes:
    """Code feature grids, in order, into one stream.

    A knot is coded in a few passes, each on all channels: a coarse lattice of sites, then those between. A
    code is predicted from its neighbors in the knot and in the two before it, with weights fitted to the
    grid; flags say how far off that is, under odds that adapt for each class of errors around.
    docs/entropy.md specifies the stream byte for byte.

    Args:
        grids: Codes of any integer type, [knots, channels, rows, columns], at most 2047 in magnitude; fewer
            than 2**28 in all. Any axis may be empty.
        order: For each grid the first frame that each knot is drawn with: knots of all grids then come in
            the order in which frames need them. None for grid by grid.

    Returns:
        The stream. It does not hold the shapes and the order; a decoder needs to know them.

    Raises:
        InputError: If a grid does not have four axes of integers, or a code is out of range.

    Example:
        >>> grid = np.arange(-3, 3).reshape(1, 1, 2, 3)
        >>> decode_grids(encode_grids([grid]), [(1, 1, 2, 3)])[0].tolist()
        [[[[-3, -2, -1], [0, 1, 2]]]]
    """
    writer = FlagWriter()
    _write(writer, _checked(grids), order)
    return writer.finish()


def decode_grids(
    data: bytes, shapes: Sequence[tuple[int, int, int, int]], order: KnotOrder | None = None
) -> list[Int16[np.ndarray, "..."]]:
    """Return the grids that `encode_grids` coded into ``data``.

    Memory and time are bounded by ``shapes``, whatever the bytes: the caller bounds those.

    Args:
        data: A whole stream.
        shapes: Knots, channels, rows and columns of each grid, in order.
        order: As `encode_grids` had it.

    Returns:
        New arrays of these shapes.

    Raises:
        CorruptSectionError: If the bytes are not exactly what an encoder makes for such shapes.
        InputError: If ``shapes`` are impossible.
    """
    _check_shapes(shapes)
    grids = [np.zeros(shape, dtype=np.int16) for shape in shapes]
    for place, codes in read_knots(data, shapes, order):
        grids[place.grid][place.knot] = codes
    return grids


def read_knots(
    data: bytes, shapes: Sequence[tuple[int, int, int, int]], order: KnotOrder | None = None
) -> Iterator[tuple[KnotPlace, Int16[np.ndarray, "channels rows columns"]]]:
    """Decode a stream knot by knot; for arguments and errors see `decode_grids`.

    That the bytes end where they should shows after the last knot.

    Yields:
        Where a knot belongs, and its codes.
    """
    _check_shapes(shapes)
    reader = FlagReader(data)
    for place, codes in _walk(reader, shapes, None, order):
        yield place, codes.astype(np.int16)
    reader.finish()


def grids_bits(grids: Sequence[np.ndarray]) -> float:
    """Return the length, in bits, that an ideal coder would give `encode_grids` of the same grids.

    Raises:
        InputError: As `encode_grids`.
    """
    meter = FlagMeter()
    _write(meter, _checked(grids), None)
    return meter.bits


def _write(coder: FlagCoder, grids: Sequence[Int32[np.ndarray, "..."]], order: KnotOrder | None) -> None:
    for _ in _walk(coder, [grid.shape for grid in grids], grids, order):
        pass


def _walk(
    coder: FlagCoder,
    shapes: Sequence[tuple[int, ...]],
    grids: Sequence[Int32[np.ndarray, "..."]] | None,
    order: KnotOrder | None,
) -> Iterator[tuple[KnotPlace, Int32[np.ndarray, "channels rows columns"]]]:
    """Code all knots, one after the other; a reader gets None for ``grids``."""
    known = [None] * len(shapes) if grids is None else list(grids)
    if order is None:
        for number, (shape, codes) in enumerate(zip(shapes, known, strict=True)):
            coded = CodedGrid(coder, shape, codes)
            for knot in range(shape[0]):
                yield KnotPlace(number, knot), coded.next_knot()
        return
    all_coded = [CodedGrid(coder, shape, codes) for shape, codes in zip(shapes, known, strict=True)]
    for place in knots_by_need(order):
        yield place, all_coded[place.grid].next_knot()


def _checked(grids: Sequence[np.ndarray]) -> list[Int32[np.ndarray, "..."]]:
    """Return the grids as 32-bit integers, or raise InputError."""
    _check_shapes([grid.shape for grid in grids])
    for grid in grids:
        if not np.issubdtype(grid.dtype, np.integer):
            raise InputError(f"wanted feature grids of integer codes, got {grid.dtype}; quantize them first")
        if grid.size and max(-int(grid.min()), int(grid.max())) > LARGEST_CODE:
            raise InputError(
                f"wanted codes of feature grids in [-{LARGEST_CODE}, {LARGEST_CODE}], got "
                f"[{grid.min()}, {grid.max()}]; quantize more coarsely"
            )
    return [grid.astype(np.int32) for grid in grids]


def _check_shapes(shapes: Sequence[tuple[int, ...]]) -> None:
    for shape in shapes:
        if len(shape) != 4 or min(shape) < 0:
            raise InputError(
                f"wanted feature grids of knots, channels, rows and columns, got shape {shape}; reshape them"
            )
    if sum(map(math.prod, shapes)) >= _MAX_SIZE:
        raise InputError("wanted feature grids of fewer than 2**28 codes in all; cut shorter segments")
