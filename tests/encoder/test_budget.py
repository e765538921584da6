from math import log2, prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervid.encoder.budget import (
    EXPECTED_BITS,
    FEWEST_BITS,
    PSNR_ATTEMPTS,
    Attempt,
    next_size,
    plan_network,
    stored_count,
)
from nervid.encoder.config import EncodeConfig, ModelName
from nervid.errors import InputError
from nervid.models.sizing import smallest


def plan(budget_bytes: float, model: ModelName = "hnerv", bits: int = 6) -> int:
    config = EncodeConfig(model=model, bits=bits)
    return stored_count(plan_network(config, frames=48, height=180, width=320, budget_bytes=budget_bytes))


def test_more_bytes_and_fewer_bits_give_more_parameters() -> None:
    assert plan(20_000.0) < plan(40_000.0) < plan(80_000.0)
    assert plan(40_000.0, bits=8) < plan(40_000.0, bits=6) < plan(40_000.0, bits=4)


@pytest.mark.parametrize("model", ["nerv", "hnerv"])
def test_a_size_below_the_smallest_network_is_refused_with_what_it_needs(model: ModelName) -> None:
    with pytest.raises(
        InputError, match=rf"need at least \d+ bytes for the smallest {model} network, 100 are"
    ):
        plan(100.0, model=model)


def test_a_size_just_above_the_minimum_gets_the_smallest_network() -> None:
    least = smallest("hnerv", frames=48, height=180, width=320)
    assert (
        plan(stored_count(least) * 2.0 / 8 + 1) == plan(stored_count(least) * 3.0 / 8) == stored_count(least)
    )


@pytest.mark.parametrize(("model", "numbers"), [("hnerv", 50), ("latent-inr", 50), ("latent-inr", 384)])
def test_a_frame_has_at_least_the_numbers_asked_for(model: str, numbers: int) -> None:
    config = EncodeConfig(model=model)  # type: ignore[arg-type]
    for budget in (15_000.0, 100_000.0):
        options = {"frames": 48, "height": 180, "width": 320, "budget_bytes": budget}
        plain = plan_network(config, **options)  # type: ignore[arg-type]
        wide = plan_network(config, **options, least_numbers=numbers)  # type: ignore[arg-type]
        assert numbers <= prod(wide.embedding_shape) <= max(numbers + 40, prod(plain.embedding_shape))
        assert stored_count(wide) <= max(budget * 8 / EXPECTED_BITS[6], budget * 8 / FEWEST_BITS)
        assert plan_network(config, **options, least_numbers=1) == plain  # type: ignore[arg-type]


def test_the_direct_layout_needs_bytes_for_every_vector() -> None:
    config = EncodeConfig(model="latent-inr", align="conse", align_layout="direct")
    line = r"network with 384 numbers a frame, 3000 are left for it; ask for more, or align by a head"
    with pytest.raises(InputError, match=line):
        plan_network(config, frames=48, height=180, width=320, budget_bytes=3000.0, least_numbers=384)


@given(quality=st.floats(24, 36), slope=st.floats(1.5, 6), noise=st.floats(-0.1, 0.1))
def test_the_search_for_a_quality_ends_within_its_attempts_and_comes_near(
    quality: float, slope: float, noise: float
) -> None:
    """On a clip whose PSNR grows by ``slope`` with every doubling."""
    attempts: list[Attempt] = []
    while (size := next_size(attempts, quality, 10_000, least_bytes=1)) is not None:
        attempts.append(Attempt(size, 30 + slope * log2(size / 10_000) + noise * (len(attempts) % 2)))
    assert 1 <= len(attempts) <= PSNR_ATTEMPTS
    assert min(abs(attempt.psnr_db - quality) for attempt in attempts) < 1.5


def test_a_first_fit_just_above_the_quality_is_kept() -> None:
    assert next_size([Attempt(5000, 30.1)], 30.0, 10_000, least_bytes=1) is None


def test_a_fit_below_the_quality_is_followed_by_a_larger_one() -> None:
    size = next_size([Attempt(5000, 28.0)], 30.0, 10_000, least_bytes=1)
    assert size is not None
    assert size > 5000


def test_the_search_never_goes_below_the_smallest_network_and_ends_there() -> None:
    assert next_size([], 10.0, 100, least_bytes=714) == 714
    assert next_size([Attempt(900, 30.0)], 10.0, 100, least_bytes=714) == 714
    assert next_size([Attempt(720, 30.0)], 10.0, 100, least_bytes=714) is None
