"""Frequency tables are proper, exact and the same integers forever."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nervid.compress.frequency import (
    DEFAULT_PRIOR,
    GAUSSIAN,
    LAPLACE,
    PEAKS,
    SCALES,
    SHAPES,
    TOTAL,
    WEIGHTS,
    AdaptingTable,
    Prior,
    adapted_tables,
    block_bounds,
    falloff,
    prior_table,
    scale_sixteenths,
    uniform_table,
)


@st.composite
def priors(draw: st.DrawFn, bits: int) -> Prior:
    """Any prior that a stream of ``bits`` bits per code can describe."""
    return Prior(
        shape=draw(st.integers(0, SHAPES - 1)),
        scale=draw(st.integers(0, SCALES - 1)),
        peak=draw(st.integers(0, PEAKS - 1)),
        center=draw(st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)),
        weight=draw(st.integers(0, len(WEIGHTS) - 1)),
    )


def test_scales_grow_by_four_to_the_octave() -> None:
    assert [scale_sixteenths(i) for i in range(10)] == [4, 5, 6, 7, 8, 10, 12, 14, 16, 20]
    assert scale_sixteenths(SCALES - 1) == 224 * 16


def test_a_laplace_falls_off_by_one_ratio() -> None:
    # q = 16, so each step halves.
    assert falloff(LAPLACE, 8, 4) == (1 << 60, 1 << 59, 1 << 58, 1 << 57, 1 << 56)


def test_a_gaussian_falls_off_by_a_power_of_the_squared_distance() -> None:
    weights = falloff(GAUSSIAN, 16, 12)
    ratio = 64**2 / (64**2 + 128)
    np.testing.assert_allclose(
        np.array(weights, dtype=float) / 2**60, ratio ** np.arange(13.0) ** 2, rtol=1e-12
    )


def test_two_tables_are_these_integers() -> None:
    # Part of the file format: a change here makes old files unreadable.
    laplace = Prior(shape=LAPLACE, scale=8, peak=0, center=0, weight=0)
    assert prior_table(laplace, 2).tolist() == [1864135, 3728270, 7456541, 3728270]
    half = [1500197, 1860784, 2170280, 2380168]
    assert prior_table(DEFAULT_PRIOR, 3).tolist() == [*half, 2454555, *half[:0:-1]]


@given(st.data(), st.integers(2, 8))
def test_every_prior_gives_every_code_a_frequency_and_sums_to_the_total(
    data: st.DataObject, bits: int
) -> None:
    table = prior_table(data.draw(priors(bits)), bits)
    assert table.shape == (1 << bits,)
    assert table.min() >= 1
    assert table.sum() == TOTAL


def test_a_peak_sets_the_share_of_the_center() -> None:
    prior = Prior(shape=GAUSSIAN, scale=20, peak=12, center=3, weight=0)
    assert abs(prior_table(prior, 6)[32 + 3] / TOTAL - 12 / 16) < 1e-4


@given(st.data(), st.integers(2, 4), st.lists(st.integers(0, 1 << 24), min_size=16, max_size=16))
def test_an_adapted_table_equals_its_naive_twin(data: st.DataObject, bits: int, counts: list[int]) -> None:
    prior = data.draw(priors(bits))
    table = prior_table(prior, bits).tolist()
    counts = counts[: 1 << bits]
    weight = WEIGHTS[prior.weight]
    free = TOTAL - len(table)
    naive = [
        1 + (c * free + weight * (p - 1)) // (sum(counts) + weight)
        for c, p in zip(counts, table, strict=True)
    ]
    naive[table.index(max(table))] += TOTAL - sum(naive)
    adapted = adapted_tables(np.array([counts]), prior_table(prior, bits), weight=weight)[0]
    assert adapted.tolist() == naive
    assert min(naive) >= 1


def test_adaptation_does_not_leave_64_bits_at_the_largest_array() -> None:
    counts = np.zeros((1, 256), dtype=np.int64)
    counts[0, 7] = 2**32 - 1
    table = adapted_tables(counts, prior_table(DEFAULT_PRIOR, 8), weight=WEIGHTS[-1])[0]
    assert table.min() >= 1
    assert table.sum() == TOTAL
    assert table[7] > TOTAL - 600


def test_without_symbols_the_prior_stands() -> None:
    table = prior_table(DEFAULT_PRIOR, 6)
    adapted = adapted_tables(np.zeros((1, 64), dtype=np.int64), table, weight=16)
    np.testing.assert_array_equal(adapted[0], table)


@given(st.integers(2, 256))
def test_uniform_tables_sum_to_the_total(alphabet: int) -> None:
    table = uniform_table(alphabet)
    assert table.sum() == TOTAL
    assert table.max() - table.min() < alphabet


@given(st.data(), st.integers(2, 8), st.lists(st.integers(0, 40), min_size=1, max_size=5))
def test_a_table_that_learns_block_by_block_is_a_row_of_the_encoders(
    data: st.DataObject, bits: int, sizes: list[int]
) -> None:
    prior = data.draw(priors(bits))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    table = AdaptingTable(prior, bits)
    counts = np.zeros((1, 1 << bits), dtype=np.int64)
    for size in sizes:
        block = rng.integers(0, 1 << bits, size, dtype=np.int32)
        table.observe(block)
        counts += np.bincount(block, minlength=1 << bits)
        rows = adapted_tables(counts, prior_table(prior, bits), weight=WEIGHTS[prior.weight])
        np.testing.assert_array_equal(table.frequencies(), rows[0])


def test_blocks_double() -> None:
    assert block_bounds(0) == (0,)
    assert block_bounds(1) == (0, 1)
    assert block_bounds(64) == (0, 64)
    assert block_bounds(1100) == (0, 64, 128, 256, 512, 1024, 1100)
    assert len(block_bounds(1_000_000)) == 16
