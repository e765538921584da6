"""One feature grid on its way through a coder: what an encoder chooses for it, then knot by knot."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, Int64

from nervid.compress.contexts import ENERGY_ONE, Neighborhood
from nervid.compress.flags import FlagCoder
from nervid.compress.frequency import LAPLACE, Prior, prior_table, uniform_table
from nervid.compress.lattices import MAX_HALVINGS, passes
from nervid.compress.pass_coder import code_pass
from nervid.compress.prediction import WEIGHTS, Weights, fit_weights, split_weights, weights_count
from nervid.compress.residuals import ResidualModel

SCALES = 32
_WEIGHT_PRIOR = Prior(shape=LAPLACE, scale=20, peak=2, center=0, weight=0)
# Codes other than 0 below which the weights of a prediction are not paid for by any sample.
_LEAST_PREDICTED = 256
# Codes other than 0, in the mean knot, from which one halving and then two are worth their time.
_NONZEROS_PER_KNOT = (8, 512)


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What an encoder chooses for a grid."""

    scales: Int64[np.ndarray, " channels"]
    """Of each channel's mean magnitude; 0 for channels without a code other than 0."""
    halvings: int
    weights: Weights | None


class CodedGrid:
    """A grid on its way through a coder: what was chosen for it first, then its knots.

    Args:
        coder: A writer, a reader or a meter.
        shape: Knots, channels, rows and columns; any may be 0.
        known: Its codes; None for a reader.
    """

    def __init__(
        self,
        coder: FlagCoder,
        shape: tuple[int, ...],
        known: Int32[np.ndarray, "knots channels rows columns"] | None,
    ) -> None:
        self._coder, self._shape, self._known = coder, shape, known
        self._next = 0
        self._loud = np.zeros(0, dtype=np.int64)
        if not math.prod(shape):
            return
        self._plan = plan = _code_plan(coder, shape, None if known is None else _plan(known))
        self._loud = np.flatnonzero(plan.scales)
        if not self._loud.size:
            return
        scales = plan.scales[self._loud].tolist()
        self._usual = np.array([scale_energy(scale) for scale in scales], dtype=np.int32)
        self._model = ResidualModel()
        self._neighborhood = Neighborhood(self._loud.size, *shape[2:])

    def next_knot(self) -> Int32[np.ndarray, "channels rows columns"]:
        """Code the next knot and return it."""
        knot = np.zeros(self._shape[1:], dtype=np.int32)
        if not self._loud.size:
            return knot
        wanted = None if self._known is None else self._known[self._next, self._loud]
        neighborhood, plan = self._neighborhood, self._plan
        for index, step in enumerate(passes(plan.halvings)):
            weights = plan.weights.of(index, is_first=neighborhood.is_first) if plan.weights else None
            code_pass(self._coder, self._model, neighborhood, step, weights, self._usual, wanted)
        knot[self._loud] = neighborhood.codes.values()
        neighborhood.knot_done()
        self._next += 1
        return knot


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
