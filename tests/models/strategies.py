"""Hypothesis strategies for small model configs of every kind.

They yield functions that make a config: made inside a strategy, its run-time type checks would draw from
the global random generator, which Hypothesis forbids there.
"""

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

from hypothesis import strategies as st

from nervid.models.config import HnervConfig, LatentInrConfig, ModelConfig, NervConfig

KERNELS = st.sampled_from([(1, 1), (1, 3), (1, 5), (3, 3), (3, 5)])
ACTIVATIONS = st.sampled_from(["gelu", "silu", "relu"])


@st.composite
def geometries(draw: st.DrawFn) -> dict[str, Any]:
    """Shared fields: a small base map, one to five strides, and a frame that they cover."""
    strides = tuple(
        draw(st.lists(st.integers(1, 5), min_size=1, max_size=5).filter(lambda s: 4 <= prod(s) <= 60))
    )
    total = prod(strides)
    least = -(-16 // total)
    base_height, base_width = draw(st.integers(least, least + 4)), draw(st.integers(least, least + 4))
    return {
        "frames": draw(st.integers(1, 9)),
        "height": draw(st.integers(max(16, (base_height - 1) * total + 1), base_height * total)),
        "width": draw(st.integers(max(16, (base_width - 1) * total + 1), base_width * total)),
        "base_height": base_height,
        "base_width": base_width,
        "strides": strides,
        "activation": draw(ACTIVATIONS),
    }


@st.composite
def nerv_configs(draw: st.DrawFn) -> Callable[[], NervConfig]:
    """Small NeRVs of every kind."""
    return partial(
        NervConfig,
        **draw(geometries()),
        levels=draw(st.integers(1, 40)),
        base=draw(st.floats(1.0, 1.9)),
        stem_width=draw(st.integers(0, 20)),
        stem_channels=draw(st.integers(1, 8)),
        rounding=draw(st.sampled_from(["down", "nearest"])),
        head_kernel=draw(st.sampled_from([1, 3])),
        expansion=draw(st.floats(1.0, 3.0)),
        reduction=draw(st.integers(1, 3)),
        lower_width=draw(st.integers(1, 8)),
        multi_resolution=draw(st.booleans()),
        output=draw(st.sampled_from(["tanh", "sigmoid"])),
    )


@st.composite
def hnerv_configs(draw: st.DrawFn) -> Callable[[], HnervConfig]:
    """Small HNeRVs of every kind."""
    kernel_min, kernel_max = draw(KERNELS)
    return partial(
        HnervConfig,
        **draw(geometries()),
        embedding_channels=draw(st.integers(1, 8)),
        channels=draw(st.integers(1, 12)),
        kernel_min=kernel_min,
        kernel_max=kernel_max,
        reduction=draw(st.floats(1.0, 3.0)),
        lower_width=draw(st.integers(1, 8)),
    )


@st.composite
def latent_inr_configs(draw: st.DrawFn) -> Callable[[], LatentInrConfig]:
    """Small Latent-INRs of every kind."""
    kernel_min, kernel_max = draw(KERNELS)
    geometry = draw(geometries())
    return partial(
        LatentInrConfig,
        **geometry,
        grid_height=draw(st.integers(1, geometry["base_height"])),
        grid_width=draw(st.integers(1, geometry["base_width"])),
        grid_channels=draw(st.integers(0, 3)),
        latent_size=draw(st.integers(1, 9)),
        levels=draw(st.integers(1, 5)),
        stem_width=draw(st.integers(1, 9)),
        stem_layers=draw(st.integers(1, 4)),
        hyper_width=draw(st.integers(1, 9)),
        rank=draw(st.integers(1, 4)),
        channels=draw(st.integers(1, 12)),
        kernel_min=kernel_min,
        kernel_max=kernel_max,
        reduction=draw(st.floats(1.0, 3.0)),
        lower_width=draw(st.integers(1, 8)),
    )


def model_configs() -> st.SearchStrategy[Callable[[], ModelConfig]]:
    """Small configs of every family."""
    return st.one_of(nerv_configs(), hnerv_configs(), latent_inr_configs())
