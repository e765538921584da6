"""Choice of the prior under which an array of symbols takes the fewest bits."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float64, Int64

from nervid.compress.frequency import (
    GAUSSIAN,
    PEAKS,
    SCALES,
    SHAPES,
    TOTAL,
    TOTAL_BITS,
    WEIGHTS,
    Prior,
    adapted_tables,
    falloff,
    prior_table,
)


def adaptive_bits(blocks: Int64[np.ndarray, "blocks alphabet"], prior: Prior) -> float:
    """Return the ideal code length, in bits, of an array under the very tables its coder will use.

        sum over symbols of log2(2**24 / frequency)

    Args:
        blocks: How often each symbol occurs in each block of `block_bounds`; alphabet is 4 to 256.
        prior: Its center lies in the alphabet.

    Returns:
        Bits, 0 or more; parameters are not included.
    """
    alphabet = blocks.shape[1]
    seen = np.cumsum(blocks, axis=0) - blocks
    table = prior_table(prior, alphabet.bit_length() - 1)
    tables = adapted_tables(seen, table, weight=WEIGHTS[prior.weight])
    occurring = blocks > 0
    lengths = TOTAL_BITS - np.log2(tables[occurring])
    return float(blocks[occurring] @ lengths)


def fit_prior(blocks: Int64[np.ndarray, "blocks alphabet"]) -> Prior:
    """Return a prior that codes the array in few bits.

    Shape, scale, peak and center are those of least code length without adaptation (center 0 or the
    median, which costs a description), then the weight is the one of least length with it. Floating point
    may decide between near equals, so two machines may choose differently; the decoder is told the choice.

    Args:
        blocks: As for `adaptive_bits`, with at least one symbol in all.
    """
    counts = blocks.sum(axis=0)
    alphabet = counts.shape[0]
    middle = int(np.searchsorted(2 * np.cumsum(counts), counts.sum())) - alphabet // 2
    fitted = [_fit_static(counts, center) for center in sorted({0, middle}, key=abs)]
    costs = [cost + (prior.center != 0) * np.log2(alphabet) for cost, prior in fitted]
    best = fitted[int(np.argmin(costs))][1]
    weighed = [replace(best, weight=weight) for weight in range(len(WEIGHTS))]
    return min(weighed, key=lambda prior: adaptive_bits(blocks, prior))


def _fit_static(counts: Int64[np.ndarray, " alphabet"], center: int) -> tuple[float, Prior]:
    """Return the least code length, about, of a table that never adapts, with the prior that gives it."""
    alphabet = counts.shape[0]
    distance = np.abs(np.arange(alphabet) - alphabet // 2 - center)
    at_distance = np.bincount(distance, weights=counts, minlength=alphabet + 1)
    mass = np.bincount(distance, minlength=alphabet + 1).astype(np.float64)
    weights = _falloffs(alphabet)
    floor = 1 / TOTAL
    plain = -np.log2(np.maximum(weights / (weights @ mass)[:, None], floor)) @ at_distance
    inner, outer = at_distance[0], at_distance[1:]
    tails = weights[:, 1:]
    tail = -np.log2(np.maximum(tails / (tails @ mass[1:])[:, None], floor)) @ outer
    share = np.arange(1, PEAKS) / PEAKS
    split = -inner * np.log2(share) - outer.sum() * np.log2(1 - share)
    peak = int(split.argmin())
    peaked = tail + split[peak]
    is_peaked = bool(peaked.min() < plain.min())
    costs = peaked if is_peaked else plain
    row = int(costs.argmin())
    return float(costs[row]), Prior(
        shape=row // SCALES,
        scale=row % SCALES,
        peak=peak + 1 if is_peaked else 0,
        center=center,
        weight=0,
    )


@lru_cache(maxsize=8)
def _falloffs(alphabet: int) -> Float64[np.ndarray, "shapes_scales distance"]:
    """Return `falloff` of every shape and scale, one per row, the center's weight being 1."""
    rows = [falloff(shape, scale, alphabet) for shape in range(SHAPES) for scale in range(SCALES)]
    return np.array(rows, dtype=np.float64) / rows[GAUSSIAN][0]
