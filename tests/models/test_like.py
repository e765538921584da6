"""Networks like a learned one keep its strides and windows, and the budget."""

from dataclasses import replace
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nervid.errors import InputError
from nervid.models.budget import budget_used
from nervid.models.config import HnervConfig, LatentInrConfig, NervConfig, embedding_count
from nervid.models.like import smallest_like, solve_like
from nervid.models.sizing import solve

SIZED = ("frames", "height", "width", "base_height", "base_width")
HNERV = solve("hnerv", frames=48, height=180, width=320, parameters=200_000)
NERV = solve("nerv", frames=48, height=180, width=320, parameters=200_000)
GRADNCP = NervConfig(
    frames=8,
    height=128,
    width=128,
    base_height=4,
    base_width=4,
    strides=(4, 2, 2, 2),
    stem_channels=32,
    expansion=4.0,
    lower_width=32,
)
WIDTHS = {
    "hnerv": {*SIZED, "embedding_channels", "channels", "lower_width"},
    "nerv": {*SIZED, "stem_width", "stem_channels", "lower_width", "multi_resolution"},
}


@given(
    learned=st.sampled_from([HNERV, NERV]),
    frames=st.integers(1, 300),
    height=st.integers(16, 1100),
    width=st.integers(16, 1100),
    parameters=st.integers(1, 5_000_000),
)
@settings(max_examples=40)
def test_a_budget_is_kept_or_refused_and_nothing_but_sizes_differs(
    learned: HnervConfig | NervConfig, frames: int, height: int, width: int, parameters: int
) -> None:
    least = budget_used(smallest_like(learned, frames=frames, height=height, width=width), 1)
    if parameters < least:
        with pytest.raises(InputError, match=f"needs at least {least:.0f} parameters, got {parameters};"):
            solve_like(learned, frames=frames, height=height, width=width, parameters=parameters)
        return
    config = solve_like(learned, frames=frames, height=height, width=width, parameters=parameters)
    assert budget_used(config, parameters) <= 1.0
    total = prod(learned.strides)
    assert (config.frames, config.height, config.width) == (frames, height, width)
    assert (config.base_height, config.base_width) == (-(-height // total), -(-width // total))
    changed = {name for name in type(config).__slots__ if getattr(config, name) != getattr(learned, name)}
    assert changed <= WIDTHS[learned.name]


@pytest.mark.parametrize("learned", [HNERV, NERV])
@pytest.mark.parametrize("parameters", [50_000, 200_000, 700_000])
def test_the_budget_is_used_to_within_one_channel(learned: HnervConfig | NervConfig, parameters: int) -> None:
    config = solve_like(learned, frames=48, height=180, width=320, parameters=parameters)
    assert 0.88 <= budget_used(config, parameters) <= 1.0
    if isinstance(config, HnervConfig):
        assert embedding_count(config) <= parameters / 10


@given(extra=st.floats(0, 3), learned=st.sampled_from([HNERV, NERV, GRADNCP]), height=st.integers(16, 400))
@settings(max_examples=40)
def test_a_budget_little_above_the_least_is_kept(
    extra: float, learned: HnervConfig | NervConfig, height: int
) -> None:
    least = budget_used(smallest_like(learned, frames=24, height=height, width=320), 1)
    parameters = int(least * (1 + extra))
    config = solve_like(learned, frames=24, height=height, width=320, parameters=parameters)
    assert budget_used(config, parameters) <= 1.0
    assert budget_used(config, 1) >= least


def test_a_budget_below_the_learned_proportions_goes_into_the_stem() -> None:
    least = smallest_like(GRADNCP, frames=24, height=180, width=320)
    parameters = int(1.5 * budget_used(least, 1))
    config = solve_like(GRADNCP, frames=24, height=180, width=320, parameters=parameters)
    assert isinstance(least, NervConfig)
    assert isinstance(config, NervConfig)
    assert config == replace(least, stem_width=config.stem_width)
    assert budget_used(config, parameters) > 0.95


def test_the_learned_networks_own_budget_gives_the_learned_network() -> None:
    assert solve_like(HNERV, frames=48, height=180, width=320, parameters=200_000) == HNERV
    assert solve_like(NERV, frames=48, height=180, width=320, parameters=200_000) == NERV


def test_a_stem_of_one_layer_stays_one() -> None:
    assert isinstance(NERV, NervConfig)
    learned = replace(NERV, stem_width=0)
    for parameters in (30_000, 3_000_000):
        config = solve_like(learned, frames=9, height=180, width=320, parameters=parameters)
        assert isinstance(config, NervConfig)
        assert config.stem_width == 0
        assert 0.8 <= budget_used(config, parameters) <= 1.0


def test_an_embedding_has_the_numbers_asked_for() -> None:
    config = smallest_like(HNERV, frames=9, height=180, width=320, least_numbers=70)
    assert 70 <= prod(config.embedding_shape) < 70 + config.base_height * config.base_width


def test_latent_inr_is_not_learned() -> None:
    latent = solve("latent-inr", frames=2, height=32, width=48, parameters=12_000)
    assert isinstance(latent, LatentInrConfig)
    with pytest.raises(InputError, match="a learned network is hnerv or nerv, got latent-inr"):
        smallest_like(latent, frames=2, height=32, width=48)
