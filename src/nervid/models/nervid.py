"""Nervid: frame index -> numbers mixed from feature grids -> stages of convolutions -> frame."""

from collections.abc import Iterator
from math import prod
from typing import cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from nervid.models.blocks import ACTIVATIONS
from nervid.models.config.base import Activation
from nervid.models.config.nervid import NervidConfig
from nervid.models.mixing import mix_knots, touched_knots
from nervid.models.representation import Representation
from nervid.models.shuffle import pixel_shuffle

GRIDS = "grids"
"""Name under which a network's feature grids stand: ``grids.0`` is the first one."""
HEAD_DEVIATION = 0.02
"""Standard deviation of the last convolution's fresh weights: a fresh network draws nearly gray."""


class NervidStage(nn.Module):
    """Read feature grids, run residual convolutions, enlarge the map.

    Args:
        grid_channels: Channels of its feature grids together; 0 for none.
        channels: Channels of its map.
        depth: Residual convolutions.
        outputs: Channels of the enlarged map.
        stride: How many times larger the map becomes.
        kernel: Side of the last convolution's window.
        activation: Nonlinearity of the residual convolutions.
    """

    def __init__(
        self,
        grid_channels: int,
        channels: int,
        *,
        depth: int,
        outputs: int,
        stride: int,
        kernel: int,
        activation: Activation,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.activation: Activation = activation
        self.project = nn.Conv2d(grid_channels, channels, 3, padding=1) if grid_channels else None
        self.residual = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(depth))
        self.enlarge = nn.Conv2d(channels, outputs * stride**2, kernel, padding=kernel // 2)

    def forward(
        self, features: Float[Tensor, "batch channels rows columns"] | None, grid: Tensor | None
    ) -> Float[Tensor, "batch outputs tall wide"]:
        """Return the enlarged map.

        Args:
            features: The map of the stage before; None for the first stage.
            grid: The feature grids at the frames' times, ``[batch, grid_channels, rows, columns]``; None
                where it reads none.
        """
        dtype = self.enlarge.weight.dtype
        if features is not None:
            features = features.to(dtype)
        if self.project is not None:
            assert grid is not None
            projected = self.project(grid.to(dtype, memory_format=torch.channels_last))
            features = projected if features is None else features + projected
        assert features is not None
        activate = ACTIVATIONS[self.activation]
        for convolution in self.residual:
            features = features + activate(convolution(features))
        return pixel_shuffle(self.enlarge(features), self.stride)


class Nervid(Representation[NervidConfig]):
    """Our own network. Feature grids, a row of numbers for each knot, start at zero, weights at random.

    The weights of every convolution but the last are normal with the variance that keeps that of a ReLU's
    input (He et al., arXiv:1502.01852), biases zero, all drawn from torch's global generator;
    ``nervid.models.registry.build`` seeds it.

    Args:
        config: Its sizes.
    """

    def __init__(self, config: NervidConfig) -> None:
        super().__init__(config)
        self._feature_grids = config.feature_grids
        self.grids = nn.ParameterDict(
            {
                str(number): nn.Parameter(torch.zeros(grid.shape[0], prod(grid.shape[1:])))
                for number, grid in enumerate(self._feature_grids)
            }
        )
        last = len(config.strides) - 1
        self.blocks = nn.ModuleList(
            NervidStage(
                config.stage_grid_channels(stage),
                config.channels[stage],
                depth=config.depths[stage],
                outputs=config.widths[stage + 1],
                stride=stride,
                kernel=3 if stage == last else 1,
                activation=config.activation,
            )
            for stage, stride in enumerate(config.strides)
        )
        for convolution in (module for module in self.modules() if isinstance(module, nn.Conv2d)):
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
            nn.init.zeros_(cast(Tensor, convolution.bias))
        nn.init.normal_(cast(NervidStage, self.blocks[last]).enlarge.weight, std=HEAD_DEVIATION)

    def embed(self, indices: Int64[Tensor, " batch"]) -> Float[Tensor, "batch numbers"]:
        """Return the feature grids at the times of frames ``indices``, each in [0, frames), side by side."""
        parts = []
        for number, grid in enumerate(self._feature_grids):
            knots, shares = touched_knots(grid, indices.tolist())
            parts.append(mix_knots(self.grids[str(number)][knots], shares))
        return torch.cat(parts, dim=1)

    def named_weights(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Iterate over the parameters of the convolutions by name: all but the feature grids."""
        return (pair for pair in self.named_parameters() if not pair[0].startswith(f"{GRIDS}."))

    def draw_colors(self, embedding: Float[Tensor, "batch numbers"]) -> Float[Tensor, "batch 3 height width"]:
        """Return the frames for a batch of embeddings, colors around 0, cropped."""
        grids = self._feature_grids
        rows = torch.split(embedding, [prod(grid.shape[1:]) for grid in grids], dim=1)
        read: list[list[Tensor]] = [[] for _ in self.blocks]
        for grid, row in zip(grids, rows, strict=True):
            read[grid.stage].append(row.view(-1, *grid.shape[1:]))
        features: Tensor | None = None
        for stage, maps in zip(self.blocks, read, strict=True):
            features = stage(features, torch.cat(maps, dim=1) if maps else None)
        assert features is not None
        return features[..., : self.config.height, : self.config.width]

    def squash(self, colors: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Bring colors around 0 into [0, 1]: half is added, and what lies outside is cut off."""
        return (colors + 0.5).clamp_(0, 1)
