"""Feature grids of a segment <-> one stream of bytes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int16, Int32, Int64

from nervid.compress.contexts import ENERGY_ONE, Neighborhood
from nervid.compress.flags import FlagCoder, FlagMeter, FlagReader, FlagWriter
from nervid.compress.frequency import LAPLACE, Prior, prior_table, uniform_table
from nervid.compress.lattices import MAX_HALVINGS, passes
from nervid.compress.pass_coder import code_pass
from nervid.compress.prediction import (
    LARGEST_CODE,
    WEIGHTS,
    Weights,
    fit_weights,
    split_weights,
    weights_count,
)
from nervid.compress.residuals import ResidualModel
from nervid.errors import InputError

SCALES = 32
_WEIGHT_PRIOR = Prior(shape=LAPLACE, scale=20, peak=2, center=0, weight=0)
# Keeps every product of `AdaptingFlags` within 64 bits.
_MAX_SIZE = 1 << 28
# Codes other than 0 below which the weights of a prediction are not paid for by any sample.
_LEAST_PREDICTED = 256
# Codes other than 0, in the mean knot, from which one halving and then two are worth their time.
_NONZEROS_PER_KNOT = (8, 512)


def encode_grids(grids: Sequence[np.ndarray]) -> bytes:
    """Code feature grids, in order, into one stream.

    A knot is coded in a few passes, each on all channels: a coarse lattice of sites, then those between. A
    code is predicted from its neighbors in the knot and in the two before it, with weights fitted to the
    grid; flags say how far off that is, under odds that adapt for each class of errors around.
    docs/entropy.md specifies the stream byte for byte.

    Args:
        grids: Codes of any integer type, [knots, channels, rows, columns], at most 2047 in magnitude; fewer
            than 2**28 in all. Any axis may be empty.

    Returns:
        The stream. It does not hold the shapes; a decoder needs to know them.

    Raises:
        InputError: If a grid does not have four axes of integers, or a code is out of range.

    Example:
        >>> grid = np.arange(-3, 3).reshape(1, 1, 2, 3)
        >>> decode_grids(encode_grids([grid]), [(1, 1, 2, 3)])[0].tolist()
        [[[[-3, -2, -1], [0, 1, 2]]]]
    """
    writer = FlagWriter()
    _walk(writer, _checked(grids))
    return writer.finish()


def decode_grids(data: bytes, shapes: Sequence[tuple[int, int, int, int]]) -> list[Int16[np.ndarray, "..."]]:
    """Return the grids that `encode_grids` coded into ``data``.

    Memory and time are bounded by ``shapes``, whatever the bytes: the caller bounds those.

    Args:
        data: A whole stream.
        shapes: Knots, channels, rows and columns of each grid, in order.

    Returns:
        New arrays of these shapes.

    Raises:
        CorruptSectionError: If the bytes are not exactly what an encoder makes for such shapes.
        InputError: If ``shapes`` are impossible.
    """
    _check_shapes(shapes)
    reader = FlagReader(data)
    grids = [_code_grid(reader, shape, None) for shape in shapes]
    reader.finish()
    return [grid.astype(np.int16) for grid in grids]


def grids_bits(grids: Sequence[np.ndarray]) -> float:
    """Return the length, in bits, that an ideal coder would give `encode_grids` of the same grids.

    Raises:
        InputError: As `encode_grids`.
    """
    meter = FlagMeter()
    _walk(meter, _checked(grids))
    return meter.bits


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What an encoder chooses for a grid."""

    scales: Int64[np.ndarray, " channels"]
    """Of each channel's mean magnitude; 0 for channels without a code other than 0."""
    halvings: int
    weights: Weights | None


def _walk(coder: FlagCoder, grids: Sequence[Int32[np.ndarray, "..."]]) -> None:
    for grid in grids:
        _code_grid(coder, grid.shape, grid)


def _code_grid(
    coder: FlagCoder,
    shape: tuple[int, ...],
    known: Int32[np.ndarray, "knots channels rows columns"] | None,
) -> Int32[np.ndarray, "knots channels rows columns"]:
    """Code one grid; a reader gets None for ``known``, and the grid is returned."""
    grid = np.zeros(shape, dtype=np.int32)
    if not grid.size:
        return grid
    plan = _code_plan(coder, shape, None if known is None else _plan(known))
    loud = np.flatnonzero(plan.scales)
    if not loud.size:
        return grid
    usual = np.array([scale_energy(scale) for scale in plan.scales[loud].tolist()], dtype=np.int32)
    model = ResidualModel()
    neighborhood = Neighborhood(loud.size, *shape[2:])
    for knot in range(shape[0]):
        wanted = None if known is None else known[knot, loud]
        for index, step in enumerate(passes(plan.halvings)):
            weights = plan.weights.of(index, is_first=neighborhood.is_first) if plan.weights else None
            code_pass(coder, model, neighborhood, step, weights, usual, wanted)
        grid[knot, loud] = neighborhood.codes.values()
        neighborhood.knot_done()
    return grid


def _plan(grid: Int32[np.ndarray, "knots channels rows columns"]) -> _Plan:
    """Choose how to code a grid that is not empty."""
    means = np.abs(grid).mean(axis=(0, 2, 3))
    steps = np.rint(2 * np.log2(np.maximum(means, 1e-9) * ENERGY_ONE) - 1)
    scales = np.where(means > 0, np.clip(steps, 1, SCALES - 1), 0).astype(np.int64)
    loud = np.flatnonzero(scales)
    nonzeros = int(np.count_nonzero(grid))
    halvings = sum(nonzeros >= least * len(grid) for least in _NONZEROS_PER_KNOT)
    weights = None
    if nonzeros >= _LEAST_PREDICTED:
        weights = fit_weights(grid[:, loud], halvings)
    return _Plan(scales=scales, halvings=halvings, weights=weights)


def _code_plan(coder: FlagCoder, shape: tuple[int, ...], known: _Plan | None) -> _Plan:
    """Code what an encoder chose for a grid of ``shape``."""
    scales = coder.numbers(uniform_table(SCALES), shape[1], None if known is None else known.scales)
    if not scales.any():
        return _Plan(scales=scales, halvings=0, weights=None)
    modes = uniform_table(2 * (MAX_HALVINGS + 1))
    mode = None if known is None else np.array([2 * known.halvings + (known.weights is not None)])
    halvings, is_predicted = divmod(int(coder.numbers(modes, 1, mode)[0]), 2)
    if not is_predicted:
        return _Plan(scales=scales, halvings=halvings, weights=None)
    joined = None if known is None or known.weights is None else known.weights.joined() + WEIGHTS // 2
    table = prior_table(_WEIGHT_PRIOR, WEIGHTS.bit_length() - 1)
    count = weights_count(halvings, is_single=shape[0] == 1)
    weights = split_weights(coder.numbers(table, count, joined) - WEIGHTS // 2, halvings)
    return _Plan(scales=scales, halvings=halvings, weights=weights)


def scale_energy(scale: int) -> int:
    """Return the energy that a scale of 1 to `SCALES` - 1 stands for: sqrt(2**(scale + 1)), rounded down.

    Example:
        >>> [scale_energy(scale) for scale in (1, 2, 3, 21, 31)]
        [2, 2, 4, 2048, 65536]
    """
    return math.isqrt(2 << scale)


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
