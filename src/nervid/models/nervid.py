"""Nervid: frame index -> numbers mixed from feature grids -> stages of convolutions -> frame."""

from collections.abc import Callable, Iterator
from math import prod
from typing import cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from nervid.errors import InputError
from nervid.models.config.feature_grid import MixedGrid
from nervid.models.config.nervid import MOTION_UNIT, NervidConfig
from nervid.models.mixing import mix_knots, touched_knots
from nervid.models.representation import Representation
from nervid.models.stage import NervidStage, PreviewHead
from nervid.models.warping import warp

GRIDS = "grids"
"""Name under which a network's feature grids stand: ``grids.0`` is the first one."""
HEAD_DEVIATION = 0.02
"""Standard deviation of the last convolution's fresh weights: a fresh network draws nearly gray."""


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
        if not self.grids["0"].is_meta:
            self._draw_weights()
        self.preview = PreviewHead(config.channels[-2]) if config.preview else None
        self.before_reading: Callable[[int], None] | None = None
        """Called with the last of the frames whose knots are about to be read, for feature grids that are
        still being decoded."""

    def _draw_weights(self) -> None:
        """Draw fresh weights; on the "meta" device that would load torch's compiler, a second for nothing."""
        for convolution in (module for module in self.modules() if isinstance(module, nn.Conv2d)):
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
            nn.init.zeros_(cast(Tensor, convolution.bias))
        nn.init.normal_(cast(NervidStage, self.blocks[-1]).enlarge.weight, std=HEAD_DEVIATION)

    def embed(self, indices: Int64[Tensor, " batch"]) -> Float[Tensor, "batch numbers"]:
        """Return the feature grids at the times of frames ``indices``, each in [0, frames), side by side."""
        return self._embedded(indices.tolist(), None)

    def embed_together(self, indices: Int64[Tensor, " batch"]) -> Float[Tensor, "batch numbers"]:
        """Return embeddings for mixing: frames from one anchor to the next read the same two textures."""
        frames, interval = indices.tolist(), None
        if (anchors := self.config.anchors) is not None:
            first = anchors.interval(min(frames))
            interval = first if max(frames) <= anchors.frame(first + 1) else None
        return self._embedded(frames, interval)

    def _embedded(self, frames: list[int], interval: int | None) -> Float[Tensor, "batch numbers"]:
        parts = []
        # Another thread may forget it meanwhile.
        if (before_reading := self.before_reading) is not None:
            before_reading(max(frames))
        for number, grid in enumerate(self._feature_grids):
            knots, shares = touched_knots(grid, frames, interval)
            are_neighbors = knots[-1] - knots[0] + 1 == len(knots)
            # One frame's knots are neighbors: as a slice they are not copied.
            touched = self.grids[str(number)][slice(knots[0], knots[-1] + 1) if are_neighbors else knots]
            parts.append(mix_knots(touched, shares, grid.reads))
        return torch.cat(parts, dim=1)

    def named_weights(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Iterate over the parameters of the convolutions by name: all but the feature grids."""
        return (pair for pair in self.named_parameters() if not pair[0].startswith(f"{GRIDS}."))

    def draw_colors(self, embedding: Float[Tensor, "batch numbers"]) -> Float[Tensor, "batch 3 height width"]:
        """Return the frames for a batch of embeddings, colors around 0, cropped."""
        stage = cast(NervidStage, self.blocks[-1])
        colors = stage.enlarged(self.draw_map(embedding, len(self.blocks) - 1))
        return colors[..., : self.config.height, : self.config.width]

    def draw_reduced(
        self, embedding: Float[Tensor, "batch numbers"], reduction: int
    ) -> Float[Tensor, "batch 3 _ _"]:
        """Return frames whose sides are ``reduction`` times smaller, colors around 0, at less cost.

        A pixel stands for a square of ``reduction`` pixels a side, from the frame's upper left corner on,
        in the last row or column for the part of it that lies in the frame. Reduced by the last stride, or
        by a factor of it, it is the mean of those pixels as ``draw_colors`` has them; reduced by the last
        two strides, what the preview head makes of them.

        Args:
            embedding: As for :meth:`draw_colors`.
            reduction: One of ``config.reductions``.

        Returns:
            ``ceil(config.height / reduction)`` rows of ``ceil(config.width / reduction)`` columns.
        """
        if reduction not in self.config.reductions:
            raise InputError(f"reduction must be one of {self.config.reductions}, got {reduction}")
        last, height, width = len(self.blocks) - 1, self.config.height, self.config.width
        if reduction <= self.config.strides[-1]:
            stage = cast(NervidStage, self.blocks[-1])
            return stage.averaged(self.draw_map(embedding, last), height, width, reduction)
        assert self.preview is not None
        colors: Tensor = self.preview(self.draw_map(embedding, last - 1))
        return colors[..., : -(-height // reduction), : -(-width // reduction)]

    def draw_map(
        self, embedding: Float[Tensor, "batch numbers"], stage: int
    ) -> Float[Tensor, "batch channels rows columns"]:
        """Return the map of a stage before it is enlarged.

        Args:
            embedding: As for :meth:`draw_colors`.
            stage: Which one, from 0.
        """
        grids = self._feature_grids
        rows = torch.split(embedding, [grid.reads * prod(grid.shape[1:]) for grid in grids], dim=1)
        read: list[list[Tensor]] = [[] for _ in self.blocks]
        for grid, row in zip(grids, rows, strict=True):
            if isinstance(grid, MixedGrid):
                read[grid.stage].append(row.view(-1, *grid.shape[1:]))
        if self.config.texture_channels and stage == len(self.blocks) - 1:
            read[stage].append(self._warped_textures(*rows[-3:]))
        features: Tensor | None = None
        inputs = [torch.cat(maps, dim=1) if maps else None for maps in read]
        for block, numbers in zip(self.blocks[:stage], inputs, strict=False):
            features = block(features, numbers)
        return cast(NervidStage, self.blocks[stage]).map(features, inputs[stage])

    def _warped_textures(
        self,
        textures: Float[Tensor, "batch _"],
        backward: Float[Tensor, "batch _"],
        forward: Float[Tensor, "batch _"],
    ) -> Float[Tensor, "batch channels rows columns"]:
        """Return the sum of two textures, each warped; they come weighted by the nearness of their anchors.

        Args:
            textures: At the anchor before each frame, then at that after it.
            backward: Motion to the anchor before.
            forward: Motion to the anchor after.
        """
        texture, motion = (grid.shape[1:] for grid in self._feature_grids[-3:-1])
        planes = textures.reshape(-1, *texture)
        places = torch.stack((backward, forward), dim=1).view(-1, *motion)
        warped = warp(planes, places * (MOTION_UNIT / self.config.strides[-1]))
        return warped.view(-1, 2, *texture).sum(dim=1)

    def squash(self, colors: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Bring colors around 0 into [0, 1]: half is added, and what lies outside is cut off."""
        return (colors + 0.5).clamp_(0, 1)
