"""Prediction of a feature grid's codes: weighted sums of neighbors, with weights fitted to the grid."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Int32, Int64

from nervid.compress.contexts import FRACTION_BITS, ONE, Neighborhood, features_count
from nervid.compress.lattices import Lattice, passes

# Weights are 128ths, -128 to 127.
WEIGHT_BITS = 7
WEIGHTS = 2 << WEIGHT_BITS
LARGEST_CODE = 2047
# Counts against weights that few codes ask for, in squared codes. Chosen, untuned.
_RIDGE = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """The weights of every feature in every pass, 128ths."""

    first: tuple[Int64[np.ndarray, "_"], ...]
    """Of the first knot, pass by pass."""
    later: tuple[Int64[np.ndarray, "_"], ...]
    """Of all others."""

    def of(self, index: int, *, is_first: bool) -> Int64[np.ndarray, " features"]:
        """Return the weights of pass number ``index``."""
        return (self.first if is_first else self.later)[index]

    def joined(self) -> Int64[np.ndarray, " weights"]:
        """Return all weights: the first knot's, then the others', pass by pass."""
        return np.concatenate([*self.first, *self.later])


def weights_count(halvings: int, *, is_single: bool) -> int:
    """Return how many weights a grid has; those of later knots are left out if there is a single one."""
    steps = passes(halvings)
    first = sum(features_count(step, is_first=True) for step in steps)
    return first if is_single else first + sum(features_count(step, is_first=False) for step in steps)


def split_weights(joined: Int64[np.ndarray, " weights"], halvings: int) -> Weights:
    """Undo `Weights.joined` for a grid of `weights_count` weights."""
    parts, start = [], 0
    for is_first in (True, False):
        for step in passes(halvings):
            stop = min(joined.size, start + features_count(step, is_first=is_first))
            parts.append(joined[start:stop])
            start = stop
    return Weights(first=tuple(parts[: len(parts) // 2]), later=tuple(parts[len(parts) // 2 :]))


def predict(
    features: Sequence[Int32[np.ndarray, "channels rows columns"]],
    weights: Int64[np.ndarray, " features"],
    out: Int32[np.ndarray, "channels rows columns"],
) -> None:
    """Predict codes, in sixteenths.

    That is ``16 * sum(weight * feature) / 128``, rounded down, at most 16 x `LARGEST_CODE` in magnitude.

    Args:
        features: See `Neighborhood.features`.
        weights: 128ths.
        out: Where the predictions are written.
    """
    used = [pair for pair in zip(features, weights.tolist(), strict=True) if pair[1]]
    if not used:
        out[:] = 0
        return
    np.multiply(used[0][0], np.int32(used[0][1]), out=out)
    term = np.empty_like(out)
    for feature, weight in used[1:]:
        np.add(out, np.multiply(feature, np.int32(weight), out=term), out=out)
    out >>= WEIGHT_BITS - FRACTION_BITS
    np.clip(out, -LARGEST_CODE * ONE, LARGEST_CODE * ONE, out=out)


def fit_weights(grid: Int[np.ndarray, "knots channels rows columns"], halvings: int) -> Weights:
    """Return the weights of least squared error, shrunk a little; floating point, so an encoder's choice.

    Args:
        grid: Codes up to `LARGEST_CODE` in magnitude, at least one.
        halvings: See `passes`.
    """
    steps = passes(halvings)
    sums = {
        (is_first, index): _Normal(features_count(step, is_first=is_first))
        for is_first in (True, False)
        for index, step in enumerate(steps)
    }
    neighborhood = Neighborhood(*grid.shape[1:])
    nothing = np.zeros((1, 1, 1), dtype=np.int32)
    for knot in grid.astype(np.int32, copy=False):
        for index, step in enumerate(steps):
            for lattice in step.lattices:
                features = neighborhood.features(step, lattice)
                sums[neighborhood.is_first, index].add(features, on_lattice(knot, lattice))
            for lattice in step.lattices:
                neighborhood.learn(lattice, on_lattice(knot, lattice), nothing)
            neighborhood.pass_done()
        neighborhood.knot_done()
    first, later = (
        tuple(sums[is_first, index].solution() for index in range(len(steps))) for is_first in (True, False)
    )
    return Weights(first=first, later=later if len(grid) > 1 else tuple(part[:0] for part in later))


def on_lattice(
    knot: Int32[np.ndarray, "channels rows columns"], lattice: Lattice
) -> Int32[np.ndarray, "channels lattice_rows lattice_columns"]:
    """Return a view of the codes of a lattice."""
    return knot[:, lattice.row :: lattice.stride, lattice.column :: lattice.stride]


class _Normal:
    """The normal equations of one pass."""

    def __init__(self, features: int) -> None:
        self._matrix = _RIDGE * np.eye(features)
        self._vector = np.zeros(features)

    def add(self, features: Sequence[np.ndarray], codes: np.ndarray) -> None:
        if features:
            rows = np.stack([feature.ravel() for feature in features]).astype(np.float32)
            self._matrix += rows @ rows.T
            self._vector += rows @ codes.ravel().astype(np.float32)

    def solution(self) -> Int64[np.ndarray, " features"]:
        if not self._vector.size:
            return np.zeros(0, dtype=np.int64)
        weights = np.linalg.solve(self._matrix, self._vector)
        steps: np.ndarray = np.clip(np.rint(weights * (1 << WEIGHT_BITS)), -WEIGHTS // 2, WEIGHTS // 2 - 1)
        return steps.astype(np.int64)
