"""Build networks from their configs, always with the same starting weights for the same seed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from nervid.models.config import HnervConfig, ModelConfig, NervConfig, NervidConfig
from nervid.models.convnext import HnervEncoder
from nervid.models.hnerv import Hnerv
from nervid.models.latent_inr import LatentInr
from nervid.models.nerv import Nerv
from nervid.models.nervid import Nervid
from nervid.models.representation import Representation


def build(config: ModelConfig, *, seed: int = 0) -> Representation[Any]:
    """Build the network that ``config`` describes, on the CPU in float32.

    Args:
        config: A representation.
        seed: Seed of the starting weights. It does not matter where all weights come from a file.

    Returns:
        The network in training mode. Torch's global generator is left as it was.
    """
    with _seeded(seed):
        return _network(config)


def build_empty(config: ModelConfig) -> Representation[Any]:
    """Build the network that ``config`` describes without numbers, for ``load_state_dict(..., assign=True)``.

    Its parameters are on torch's "meta" device: they have shapes, but no memory.
    """
    with torch.device("meta"):
        return _network(config)


def build_encoder(config: HnervConfig, *, width: int = 64, seed: int = 0) -> HnervEncoder:
    """Build the encoder that finds embeddings for ``config`` while fitting, on the CPU in float32.

    Args:
        config: The decoder that it serves.
        width: Channels of all stages but the last, ``c1`` in the paper.
        seed: Seed of the starting weights.

    Returns:
        The network in training mode. Torch's global generator is left as it was.
    """
    with _seeded(seed):
        return HnervEncoder(config, width=width)


def _network(config: ModelConfig) -> Representation[Any]:
    if isinstance(config, NervConfig):
        return Nerv(config)
    if isinstance(config, NervidConfig):
        return Nervid(config)
    return Hnerv(config) if isinstance(config, HnervConfig) else LatentInr(config)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Draw from torch's CPU generator as seeded, then put it back; no other device is touched."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
