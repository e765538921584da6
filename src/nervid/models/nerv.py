"""Nerv: frame index -> positional encoding -> stem -> blocks -> frame."""

from itertools import pairwise
from math import pi, prod
from typing import cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from nervid.models.blocks import ACTIVATIONS, UpsampleBlock, at_least_float32
from nervid.models.config import NervConfig
from nervid.models.config.nerv import KERNEL
from nervid.models.head import SubpixelHead
from nervid.models.representation import Representation
from nervid.models.shuffle import pixel_shuffle


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
        sizes = (2 * config.levels, *([config.stem_width] if config.stem_width else []), base_values)
        self.stem = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in pairwise(sizes))
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
        first = 0 if config.multi_resolution else len(config.strides) - 1
        self.heads = nn.ModuleList(
            SubpixelHead(channels, kernel=config.head_kernel, stride=stride)
            for channels, stride in list(zip(widths[1:], config.strides, strict=True))[first:]
        )

    def embed(self, indices: Int64[Tensor, " batch"]) -> Float[Tensor, "batch embedding"]:
        """Return the positional encoding of frames ``indices``, each in [0, frames).

        See ``positional_encoding``; it is cast to the type of the weights.
        """
        weight = next(self.stem.parameters())
        times = indices.to(torch.float64) / self.config.frames
        encoding = positional_encoding(times, base=self.config.base, levels=self.config.levels)
        return encoding.to(weight.dtype)

    def draw_colors(
        self, embedding: Float[Tensor, "batch embedding"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """Return the frames for a batch of embeddings before the output function, cropped."""
        features = self._base_map(embedding)
        for block in self.blocks[:-1]:
            features = block(features)
        return self._colors(cast(UpsampleBlock, self.blocks[-1]).before_shuffle(features), head=-1, shrink=1)

    def squash(self, colors: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Bring colors into [0, 1] by the config's output function."""
        return torch.sigmoid(colors) if self.config.output == "sigmoid" else super().squash(colors)

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
        for stage, stride in enumerate(self.config.strides):
            unshuffled = cast(UpsampleBlock, self.blocks[stage]).before_shuffle(features)
            shrink = prod(self.config.strides[stage + 1 :])
            colors = self._colors(unshuffled, head=stage, shrink=shrink)
            images.append(self.squash(at_least_float32(colors)))
            features = pixel_shuffle(unshuffled, stride)
        return images

    def _base_map(
        self, embedding: Float[Tensor, "batch embedding"]
    ) -> Float[Tensor, "batch channels rows columns"]:
        """The stem's output; the activation follows every layer."""
        features = embedding
        for layer in self.stem:
            features = ACTIVATIONS[self.config.activation](layer(features))
        batch = len(features)
        return features.reshape(
            batch, self.config.stem_channels, self.config.base_height, self.config.base_width
        )

    def _colors(
        self, unshuffled: Float[Tensor, "batch channels rows columns"], *, head: int, shrink: int
    ) -> Float[Tensor, "batch 3 _ _"]:
        """The cropped colors that a head draws from a map before its shuffle."""
        height, width = -(-self.config.height // shrink), -(-self.config.width // shrink)
        colors: Tensor = self.heads[head](unshuffled)
        return colors[..., :height, :width]


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
