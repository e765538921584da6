"""The fitted prior is the one that made the codes, and its cost is the coder's own."""

from itertools import pairwise

import numpy as np
import pytest

from nervid.compress.frequency import (
    GAUSSIAN,
    LAPLACE,
    TOTAL,
    WEIGHTS,
    Prior,
    adapted_tables,
    block_bounds,
    prior_table,
    scale_sixteenths,
)
from nervid.compress.prior import adaptive_bits, fit_prior


def histogram(codes: np.ndarray, bits: int) -> np.ndarray:
    """Counts of each code in each block."""
    symbols = codes + (1 << bits - 1)
    bounds = block_bounds(symbols.size)
    return np.array([np.bincount(symbols[a:b], minlength=1 << bits) for a, b in pairwise(bounds)])


def laplace(size: int, mean: float, seed: int = 0) -> np.ndarray:
    """Integers of a two-sided geometric distribution."""
    rng = np.random.default_rng(seed)
    chance = 1 / (1 + mean)
    codes = (rng.geometric(chance, size) - rng.geometric(chance, size)).astype(np.int64)
    return np.clip(codes, -128, 127)


def gaussian(size: int, sigma: float, seed: int = 0) -> np.ndarray:
    return np.clip(np.rint(np.random.default_rng(seed).normal(0, sigma, size)), -128, 127).astype(np.int64)


def test_the_shape_and_scale_that_made_the_codes_are_found() -> None:
    prior = fit_prior(histogram(laplace(4000, 5.0), 8))
    assert (prior.shape, prior.peak, prior.center) == (LAPLACE, 0, 0)
    assert 4.5 <= scale_sixteenths(prior.scale) / 16 <= 5.6
    prior = fit_prior(histogram(gaussian(4000, 12.0), 8))
    assert (prior.shape, prior.peak, prior.center) == (GAUSSIAN, 0, 0)
    assert 11 <= scale_sixteenths(prior.scale) / 16 <= 13


def test_pruned_zeros_become_a_peak() -> None:
    codes = gaussian(4000, 12.0)
    codes[np.random.default_rng(1).random(4000) < 0.6] = 0
    prior = fit_prior(histogram(codes, 8))
    assert prior.peak == 10
    assert prior.shape == GAUSSIAN


def test_codes_around_another_value_move_the_center() -> None:
    prior = fit_prior(histogram(gaussian(2000, 3.0) + 40, 8))
    assert 39 <= prior.center <= 41


def test_codes_that_fit_the_prior_trust_it_and_others_do_not() -> None:
    assert fit_prior(histogram(gaussian(3000, 10.0), 8)).weight >= 2
    comb = np.random.default_rng(0).choice([-100, 3, 77], 3000)
    assert fit_prior(histogram(comb, 8)).weight == 0


def test_the_length_is_the_sum_over_symbols_of_their_own_tables() -> None:
    codes = laplace(90, 2.0)
    prior = Prior(shape=LAPLACE, scale=11, peak=3, center=0, weight=1)
    symbols, bounds = codes + 128, block_bounds(90)
    bits = 0.0
    for start, stop in pairwise(bounds):
        seen = np.bincount(symbols[:start], minlength=256)[None]
        table = adapted_tables(seen, prior_table(prior, 8), weight=WEIGHTS[1])[0]
        bits += float(np.log2(TOTAL / table[symbols[start:stop]]).sum())
    assert adaptive_bits(histogram(codes, 8), prior) == pytest.approx(bits, rel=1e-12)
