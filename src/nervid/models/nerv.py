"""Nerv: frame index -> positional encoding -> stem -> blocks -> frame."""

from math import pi, prod

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from nervid.models.blocks import ACTIVATIONS, UpsampleBlock, at_least_float32
from nervid.models.config import NervConfig
from nervid.models.config.nerv import KERNEL
from nervid.models.representation import Representation


class Nerv(Representation[NervConfig]):
    """NeRV, with one head or one per block.

    Weights start as torch's defaults for linear layers and convolutions, drawn from torch's global
    generator; ``nervid.models.registry.build`` seeds it.

    Args:
        config: Its widths and sizes.

    Source:
        NeRV (Chen et al., NeurIPS 2021, arXiv:2110.13903), section 3.1.
    """

    def __init__(self, config: NervConfig) -> None:
        super().__init__(config)
        widths = config.widths
        base_values = config.base_height * config.base_width * config.stem_channels
        self.stem = nn.ModuleList(
            [nn.Linear(2 * config.levels, config.stem_width), nn.Linear(config.stem_width, base_values)]
        )
        self.blocks = nn.ModuleList(
            UpsampleBlock(
                widths[stage],
                widths[stage + 1],
                kernel=KERNEL,
                stride=stride,
                activation=config.activation,
            )
            for stage, stride in enumerate(config.strides)
        )
        drawn = widths[1:] if config.multi_resolution else widths[-1:]
        self.heads = nn.ModuleList(nn.Conv2d(channels, 3, 1) for channels in drawn)

    def embed(self, indices: Int64[Tensor, " batch"]) -> Float[Tensor, "batch embedding"]:
        """Return the positional encoding of frames ``indices``, each in [0, frames).

        See ``positional_encoding``; it is cast to the type of the weights.
        """
        weight = next(self.stem.parameters())
        times = indices.to(torch.float64) / self.config.frames
        encoding = positional_encoding(times, base=self.config.base, levels=self.config.levels)
        return encoding.to(weight.dtype)

    def draw(self, embedding: Float[Tensor, "batch embedding"]) -> Float[Tensor, "batch 3 height width"]:
        """Return the frames for a batch of embeddings, RGB in [0, 1], cropped to the clip's size."""
        features = self._base_map(embedding)
        for block in self.blocks:
            features = block(features)
        return self._image(features, head=-1, shrink=1)

    def draw_resolutions(
        self, embedding: Float[Tensor, "batch embedding"]
    ) -> list[Float[Tensor, "batch 3 _ _"]]:
        """Return the images of all heads, smallest first; the last one equals ``draw(embedding)``.

        The image after a block is ``shrink`` times smaller, ``shrink`` being the product of the later
        strides, and has ``ceil(height / shrink)`` rows: what average pooling of the frame with windows of
        ``shrink`` pixels and ``ceil_mode`` yields. Only ``multi_resolution`` gives more than one image.
        """
        if not self.config.multi_resolution:
            return [self.draw(embedding)]
        features = self._base_map(embedding)
        images = []
        for stage, block in enumerate(self.blocks):
            features = block(features)
            images.append(self._image(features, head=stage, shrink=prod(self.config.strides[stage + 1 :])))
        return images

    def _base_map(
        self, embedding: Float[Tensor, "batch embedding"]
    ) -> Float[Tensor, "batch channels rows columns"]:
        """The stem's output; the activation follows both layers."""
        features = embedding
        for layer in self.stem:
            features = ACTIVATIONS[self.config.activation](layer(features))
        batch = len(features)
        return features.reshape(
            batch, self.config.stem_channels, self.config.base_height, self.config.base_width
        )

    def _image(
        self, features: Float[Tensor, "batch channels rows columns"], *, head: int, shrink: int
    ) -> Float[Tensor, "batch 3 _ _"]:
        """The cropped image that a head draws."""
        height, width = -(-self.config.height // shrink), -(-self.config.width // shrink)
        colors = at_least_float32(self.heads[head](features)[..., :height, :width])
        if self.config.output == "sigmoid":
            return torch.sigmoid(colors)
        return torch.tanh(colors) * 0.5 + 0.5


def positional_encoding(
    times: Float[Tensor, " batch"], *, base: float, levels: int
) -> Float[Tensor, "batch embedding"]:
    """Encode times as sines and cosines of ``levels`` frequencies.

    Number ``2 * k`` is ``sin(base**k * pi * time)`` and number ``2 * k + 1`` its cosine, for ``k`` from 0
    to ``levels - 1``.

    Args:
        times: Times in [0, 1). Give float64: high frequencies multiply the rounding of a time.
        base: Ratio of neighboring frequencies, at least 1.
        levels: Number of frequencies, at least 1.

    Returns:
        ``2 * levels`` numbers in [-1, 1] per time, of the type of ``times``.

    Source:
        NeRV (arXiv:2110.13903), equation 1. The exponents are 0 to ``levels - 1`` as in the published
        code; the equation as printed runs to ``levels``.
    """
    exponents = torch.arange(levels, dtype=times.dtype, device=times.device)
    angles = times[:, None] * (torch.pow(base, exponents) * pi)
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)
