"""Toy windows, networks and choices, for learning in fractions of a second."""

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from nervid.meta.config import MetaConfig
from nervid.models.config import HnervConfig, ModelConfig, NervConfig

SIZE = 32
FRAMES = 4
HNERV = HnervConfig(
    frames=FRAMES,
    height=SIZE,
    width=SIZE,
    base_height=2,
    base_width=2,
    strides=(4, 2, 2),
    embedding_channels=4,
    channels=12,
    lower_width=6,
)
NERV = NervConfig(
    frames=FRAMES,
    height=SIZE,
    width=SIZE,
    base_height=4,
    base_width=4,
    strides=(4, 2),
    activation="gelu",
    levels=4,
    stem_width=16,
    stem_channels=6,
    lower_width=6,
)
CONFIG = MetaConfig(
    model="nerv",
    size=64,  # The least that is allowed; the fixture small_networks puts networks of SIZE in its place.
    frames=FRAMES,
    steps=6,
    tasks=2,
    inner_steps=2,
    precision="float32",
    device="cpu",
)


def config(**changes: Any) -> MetaConfig:  # noqa: ANN401
    """``CONFIG`` with other choices."""
    return replace(CONFIG, **changes)


def small_network(choices: MetaConfig) -> ModelConfig:
    """The small network of a family."""
    return HNERV if choices.model == "hnerv" else NERV


class Waves:
    """Windows of one moving wave each, its color, direction and speed by the number."""

    def __init__(self, *, size: int = SIZE, frames: int = FRAMES) -> None:
        self.size, self.frames = size, frames
        self.asked: list[int] = []
        """Numbers in the order in which they were asked for."""

    def window(self, number: int) -> Tensor:
        self.asked.append(number)
        generator = torch.Generator().manual_seed(number)
        angle, speed = (2 * math.pi * torch.rand(2, generator=generator)).tolist()
        colors = torch.rand((2, 3, 1, 1), generator=generator)
        place = torch.arange(self.size) / self.size
        across = math.cos(angle) * place[:, None] + math.sin(angle) * place
        times = torch.arange(self.frames)[:, None, None, None] / self.frames
        wave = 0.5 + 0.5 * torch.sin(6 * across + speed * times)
        return (255 * (colors[0] * wave + colors[1] * (1 - wave))).round().to(torch.uint8)
