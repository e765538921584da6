"""Small models that all tests of this folder share."""

from collections.abc import Iterator

import pytest
import torch

from nervid.models.config import HnervConfig, LatentInrConfig, NervConfig


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """Run tiny networks on one thread: sharing them out costs far more on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def odd_nerv() -> NervConfig:
    """A portrait NeRV with odd sides: 41 x 27, drawn as 48 x 32."""
    return NervConfig(
        frames=7,
        height=41,
        width=27,
        base_height=3,
        base_width=2,
        strides=(4, 2, 2),
        activation="silu",
        levels=6,
        stem_width=10,
        stem_channels=6,
        lower_width=5,
        multi_resolution=True,
    )


@pytest.fixture
def odd_hnerv() -> HnervConfig:
    """A portrait HNeRV with odd sides: 47 x 29, drawn as 48 x 32."""
    return HnervConfig(
        frames=5,
        height=47,
        width=29,
        base_height=3,
        base_width=2,
        strides=(4, 2, 2),
        embedding_channels=4,
        channels=9,
        lower_width=5,
    )


@pytest.fixture
def odd_latent_inr() -> LatentInrConfig:
    """A portrait Latent-INR with odd sides: 47 x 29, drawn as 48 x 32."""
    return LatentInrConfig(
        frames=5,
        height=47,
        width=29,
        base_height=3,
        base_width=2,
        strides=(4, 2, 2),
        latent_size=6,
        grid_height=2,
        grid_width=2,
        grid_channels=3,
        stem_layers=3,
        hyper_width=7,
        rank=2,
        stem_width=8,
        channels=9,
        lower_width=5,
    )
