"""The network that is learned, described by the choices of a meta-training."""

from math import prod
from typing import Final

from nervid.errors import InputError
from nervid.meta.config import MetaConfig
from nervid.models.config import HnervConfig, ModelConfig, NervConfig
from nervid.models.papers import hnerv_channels

HNERV_STRIDES: Final = (4, 4, 4)
HNERV_EMBEDDING_CHANNELS: Final = 16
NERV_FIRST_STRIDE: Final = 4
NERV_LEAST_BASE: Final = 4
"""Side of NeRV's base map at sizes that are powers of two, in GradNCP and here."""


def learned_config(config: MetaConfig) -> ModelConfig:
    """Describe the network that is learned.

    Returns:
        For "nerv" GradNCP's: a base map of 4x4 (3x3, 5x5 or 7x7 where a size asks for it), strides 4, 2, 2,
        ..., 2. For "hnerv" strides 4, 4, 4 and as many channels as the paper's code gives a network of that
        size.

    Raises:
        InputError: If ``parameters`` are too few for a window's embeddings and a decoder of one channel.

    Source:
        NeRV "small" and "large" of GradNCP (Tack et al., NeurIPS 2023, arXiv:2302.00617), published code:
        1.25 and 40 levels, stem 512, 32 channels, expansion 4, reduction 2, lower width 32, GELU, 1x1 head,
        tanh; 1,302,115 and 1,339,107 parameters at 128 and 256 pixels.
    """
    return _nerv(config) if config.model == "nerv" else _hnerv(config)


def _nerv(config: MetaConfig) -> NervConfig:
    strides = [NERV_FIRST_STRIDE]
    while prod(strides) * NERV_LEAST_BASE < config.size and config.size % (2 * prod(strides)) == 0:
        strides.append(2)
    base = config.size // prod(strides)
    return NervConfig(
        frames=config.frames,
        height=config.size,
        width=config.size,
        base_height=base,
        base_width=base,
        strides=tuple(strides),
        activation="gelu",
        levels=40,
        base=1.25,
        stem_width=512,
        stem_channels=32,
        expansion=4.0,
        lower_width=32,
    )


def _hnerv(config: MetaConfig) -> HnervConfig:
    base = config.size // prod(HNERV_STRIDES)
    embedding_numbers = config.frames * HNERV_EMBEDDING_CHANNELS * base * base
    try:
        channels = hnerv_channels(
            config.parameters / 1e6,
            embedding_numbers=embedding_numbers,
            strides=HNERV_STRIDES,
            embedding_channels=HNERV_EMBEDDING_CHANNELS,
        )
    except InputError:
        raise InputError(
            f"parameters must leave room for a decoder beside {embedding_numbers} embedding numbers of a "
            f"window, got {config.parameters}; ask for more, or for fewer frames or a smaller size"
        ) from None
    return HnervConfig(
        frames=config.frames,
        height=config.size,
        width=config.size,
        base_height=base,
        base_width=base,
        strides=HNERV_STRIDES,
        embedding_channels=HNERV_EMBEDDING_CHANNELS,
        channels=channels,
    )
