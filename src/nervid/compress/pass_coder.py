"""One pass over a knot of a feature grid <-> flags."""

import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from jaxtyping import Int32, Int64

from nervid.compress.contexts import FRACTION_BITS, ONE, Neighborhood, classes_of
from nervid.compress.flags import FlagCoder
from nervid.compress.lattices import Pass
from nervid.compress.prediction import LARGEST_CODE, on_lattice, predict
from nervid.compress.residuals import FRACTIONS, ResidualModel, fractions_of
from nervid.errors import CorruptSectionError


def code_pass(
    coder: FlagCoder,
    model: ResidualModel,
    neighborhood: Neighborhood,
    step: Pass,
    weights: Int64[np.ndarray, " features"] | None,
    usual: Int32[np.ndarray, " channels"],
    known: Int32[np.ndarray, "channels rows columns"] | None,
) -> None:
    """Code the sites of one pass over a knot.

    Numbers of several lattices lie side by side in one array, so that all but the sums of neighbors takes
    one run over memory, and a range coder sees one run of flags of a kind.

    Args:
        coder: A writer, a reader or a meter.
        model: The odds of the grid's errors.
        neighborhood: What is known of the grid; it learns the codes.
        step: The pass.
        weights: Of its features; None without prediction.
        usual: The usual error of each channel, `ENERGY_ONE` to the code.
        known: The knot's codes; None for a reader.

    Raises:
        CorruptSectionError: From a reader.
    """
    shapes = [neighborhood.codes.at(lattice).shape for lattice in step.lattices]
    energies, energy_parts = _side_by_side(shapes)
    predictions, predicted_parts = _side_by_side(shapes)
    for lattice, energy in zip(step.lattices, energy_parts, strict=True):
        neighborhood.energies(step, lattice, usual, energy)
    contexts = FRACTIONS * classes_of(energies).astype(np.int64)
    if weights is not None and weights.any():
        for lattice, predicted in zip(step.lattices, predicted_parts, strict=True):
            predict(neighborhood.features(step, lattice), weights, predicted)
        codes = predictions + np.int32(ONE // 2)
        codes >>= FRACTION_BITS
        rests = predictions - np.int32(ONE) * codes
        contexts += fractions_of(rests)
    else:
        predictions[:] = 0
        codes, rests = np.zeros_like(predictions), np.zeros_like(predictions)
    errors = None
    if known is not None:
        errors = np.concatenate([on_lattice(known, lattice).ravel() for lattice in step.lattices]) - codes
        np.negative(errors, where=rests < 0, out=errors)
    wrong, found = model.code(coder, contexts, errors)
    if wrong.size:
        _correct(codes, rests, wrong, found)
        rests[wrong] = ONE * codes[wrong] - predictions[wrong]
    np.abs(rests, out=rests)
    for lattice, part, distance in zip(
        step.lattices, _split(codes, shapes), _split(rests, shapes), strict=True
    ):
        neighborhood.learn(lattice, part, distance)
    neighborhood.pass_done()


def _correct(
    codes: Int32[np.ndarray, " sites"],
    rests: Int32[np.ndarray, " sites"],
    wrong: Int64[np.ndarray, " wrong"],
    errors: Int64[np.ndarray, " wrong"],
) -> None:
    """Turn the codes nearest to predictions into those that are coded, in place."""
    right = codes[wrong] + np.where(rests[wrong] < 0, -errors, errors)
    if max(-int(right.min()), int(right.max())) > LARGEST_CODE:
        raise CorruptSectionError(
            f"coded feature grids: a code is beyond {LARGEST_CODE}; "
            "the file is damaged, re-download or re-encode it"
        )
    codes[wrong] = right


def _side_by_side(
    shapes: Sequence[tuple[int, ...]],
) -> tuple[Int32[np.ndarray, " sites"], list[Int32[np.ndarray, "channels _ _"]]]:
    """Return a new array with room for arrays of these shapes, and those, as views of it."""
    joined = np.empty(sum(map(math.prod, shapes)), dtype=np.int32)
    return joined, _split(joined, shapes)


def _split(
    joined: Int32[np.ndarray, " sites"], shapes: Sequence[tuple[int, ...]]
) -> list[Int32[np.ndarray, "channels _ _"]]:
    """Return views of the parts that lie side by side in an array."""
    stops = list(accumulate(map(math.prod, shapes)))
    return [
        joined[stop - math.prod(shape) : stop].reshape(shape)
        for shape, stop in zip(shapes, stops, strict=True)
    ]
