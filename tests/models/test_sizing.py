"""Sizing: counts agree with the built networks, and budgets are kept and used."""

from collections.abc import Callable
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nervid.errors import InputError
from nervid.models.config import HnervConfig, LatentInrConfig, ModelConfig, NervConfig, from_json, to_json
from nervid.models.papers import nerv_paper
from nervid.models.registry import build
from nervid.models.sizing import (
    budget_used,
    embedding_count,
    macs_per_pixel,
    parameter_count,
    smallest,
    solve,
)

from .strategies import model_configs

Family = Literal["nerv", "hnerv", "latent-inr", "latent-inr-pixel"]
FAMILIES: list[Family] = ["nerv", "hnerv", "latent-inr", "latent-inr-pixel"]


@given(model_configs())
@settings(max_examples=60, deadline=None)
def test_counts_equal_those_of_the_built_network(make_config: Callable[[], ModelConfig]) -> None:
    config = make_config()
    network = build(config)
    assert parameter_count(config) == sum(weight.numel() for _, weight in network.named_weights())
    everything = sum(parameter.numel() for parameter in network.parameters())
    assert parameter_count(config) + embedding_count(config) == everything


def test_macs_are_counted_by_hand_for_one_block(odd_hnerv: HnervConfig) -> None:
    config = HnervConfig(
        frames=1,
        height=16,
        width=20,
        base_height=4,
        base_width=5,
        strides=(4,),
        embedding_channels=2,
        channels=3,
        reduction=1.0,
        lower_width=1,
    )
    stem, block, head = 2 * 3 * 20, 3 * 3 * 16 * 20, 3 * 3 * 9 * 320
    assert macs_per_pixel(config) == (stem + block + head) / 320


@pytest.mark.parametrize("parameters", [10_000, 12_345, 31_000, 100_000, 640_000, 3_100_000, 7_000_000])
@pytest.mark.parametrize(("height", "width"), [(720, 1280), (1280, 720), (96, 160), (97, 161), (1080, 1920)])
def test_nerv_uses_a_budget_to_within_two_percent(parameters: int, height: int, width: int) -> None:
    config = solve("nerv", frames=132, height=height, width=width, parameters=parameters)
    assert 0.98 <= budget_used(config, parameters) <= 1.0


@pytest.mark.parametrize(
    ("parameters", "least"), [(100_000, 0.9), (300_000, 0.93), (1_000_000, 0.97), (9_000_000, 0.985)]
)
def test_hnerv_uses_a_budget_to_within_one_channel(parameters: int, least: float) -> None:
    config = solve("hnerv", frames=132, height=640, width=1280, parameters=parameters)
    assert least <= budget_used(config, parameters) <= 1.0
    assert embedding_count(config) <= parameters // 10


@given(
    st.sampled_from(FAMILIES),
    st.integers(1, 500),
    st.integers(16, 4096),
    st.integers(16, 4096),
    st.integers(1, 20_000_000),
)
@settings(max_examples=60, deadline=None)
def test_any_budget_is_kept_or_refused_with_the_minimum(
    name: Family, frames: int, height: int, width: int, parameters: int
) -> None:
    least = budget_used(smallest(name, frames=frames, height=height, width=width), 1)
    if parameters < least:
        with pytest.raises(InputError, match=f"needs at least {least:.0f} parameters, got {parameters};"):
            solve(name, frames=frames, height=height, width=width, parameters=parameters)
    else:
        config = solve(name, frames=frames, height=height, width=width, parameters=parameters)
        assert config.name == name.removesuffix("-pixel")
        assert (config.frames, config.height, config.width) == (frames, height, width)
        assert budget_used(config, parameters) <= 1.0
        assert from_json(to_json(config)) == config


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(("height", "width"), [(720, 1280), (97, 161), (16, 16)])
def test_the_smallest_budget_is_affordable(name: Family, height: int, width: int) -> None:
    least = smallest(name, frames=30, height=height, width=width)
    parameters = parameter_count(least) + embedding_count(least)
    config = solve(name, frames=30, height=height, width=width, parameters=parameters)
    assert config == least


def test_the_papers_nerv_s_is_what_its_own_budget_affords() -> None:
    paper = nerv_paper("S")
    assert solve("nerv", frames=132, height=720, width=1280, parameters=parameter_count(paper)) == paper


def test_a_budget_beyond_all_limits_gets_a_config_within_them() -> None:
    nerv = solve("nerv", frames=1, height=720, width=1280, parameters=10**12)
    hnerv = solve("hnerv", frames=1, height=4096, width=4096, parameters=10**12)
    assert isinstance(nerv, NervConfig)
    assert isinstance(hnerv, HnervConfig)
    assert parameter_count(nerv) <= 2**28
    assert max(layer.values for layer in hnerv.layers) <= 2**31


@pytest.mark.parametrize(("name", "pixel_wise"), [("latent-inr", False), ("latent-inr-pixel", True)])
def test_latent_inr_uses_a_budget_to_within_a_channel(name: Family, pixel_wise: bool) -> None:
    config = solve(name, frames=132, height=160, width=320, parameters=340_000)
    assert isinstance(config, LatentInrConfig)
    assert config.is_pixel_wise == pixel_wise
    assert 0.97 <= budget_used(config, 340_000) <= 1.0
    assert config.latent_size == 32
