"""Small initializations, their weights drawn at random."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from nervid.initializations import Initialization
from nervid.models.config import HnervConfig, ModelConfig, NervConfig
from nervid.models.registry import build, build_encoder

HNERV = HnervConfig(
    frames=8,
    height=32,
    width=48,
    base_height=2,
    base_width=3,
    strides=(4, 2, 2),
    embedding_channels=3,
    channels=8,
    lower_width=5,
)
NERV = NervConfig(
    frames=8,
    height=32,
    width=48,
    base_height=4,
    base_width=6,
    strides=(4, 2),
    activation="silu",
    levels=6,
    stem_width=10,
    stem_channels=4,
    lower_width=5,
)


def initialization(config: ModelConfig = HNERV, *, seed: int = 3, **changes: Any) -> Initialization:  # noqa: ANN401
    """Return an initialization of a network with random weights."""
    encoder: dict[str, Tensor] = {}
    if isinstance(config, HnervConfig):
        # Fresh biases and scales of an encoder are constant: a slip between channels would not show.
        encoder = varied(dict(build_encoder(config, seed=seed).named_parameters()), seed)
    made = Initialization(
        config=config,
        weights=varied(dict(build(config, seed=seed).named_weights()), seed),
        encoder=encoder,
        provenance={"clips": 2, "steps": 0.5},
    )
    return replace(made, **changes)


def varied(tensors: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Return tensors of the same shapes and magnitudes, no two numbers alike."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: tensor.detach() + 0.1 * torch.randn(tensor.shape, generator=generator)
        for name, tensor in tensors.items()
    }
