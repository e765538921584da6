"""Nervid: frame index -> numbers mixed from feature grids -> stages of convolutions -> frame."""

from collections.abc import Callable, Iterator
from math import prod
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own idiom
from jaxtyping import Float, Int64
from torch import Tensor, nn

from nervid.errors import InputError
from nervid.models.blocks import ACTIVATIONS
from nervid.models.config.base import Activation
from nervid.models.config.feature_grid import MixedGrid
from nervid.models.config.nervid import MOTION_UNIT, PREVIEW_KERNEL, NervidConfig
from nervid.models.mixing import mix_knots, touched_knots
from nervid.models.representation import Representation
from nervid.models.shuffle import pixel_shuffle
from nervid.models.warping import warp

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
        """Return the enlarged map; for the arguments see :meth:`map`."""
        return self.enlarged(self.map(features, grid))

    def map(
        self, features: Float[Tensor, "batch channels rows columns"] | None, grid: Tensor | None
    ) -> Float[Tensor, "batch channels rows columns"]:
        """Return the map before it is enlarged.

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
            features = projected if features is None else _sum(projected, features)
        assert features is not None
        activate = ACTIVATIONS[self.activation]
        for convolution in self.residual:
            features = _sum(activate(convolution(features)), features)
        return features

    def enlarged(
        self, features: Float[Tensor, "batch channels rows columns"]
    ) -> Float[Tensor, "batch outputs tall wide"]:
        """Return the map with every site replaced by a square of ``stride`` sites a side."""
        return pixel_shuffle(self.enlarge(features), self.stride)

    def averaged(
        self, features: Float[Tensor, "batch channels rows columns"], height: int, width: int, side: int
    ) -> Float[Tensor, "batch outputs _ _"]:
        """Return the mean of every square of the enlarged map, without enlarging it so far.

        A square's mean is as linear in the features as its sites are: one convolution, whose kernels and
        biases are means. A square that cropping cuts, in the last row or column, is averaged over the rest.

        Args:
            features: The map before it is enlarged.
            height: Rows of the enlarged map, cropped.
            width: Its columns, cropped.
            side: Of a square; divides the stage's stride.

        Returns:
            ``ceil(height / side)`` rows of ``ceil(width / side)`` columns.
        """
        stride, reach = self.stride, self.enlarge.kernel_size[0] // 2
        left = stride // side
        assert self.enlarge.bias is not None
        weight, bias = (
            parameter.view(left, side, left, side, -1, *parameter.shape[1:]).mean(dim=(1, 3)).flatten(0, 2)
            for parameter in (self.enlarge.weight, self.enlarge.bias)
        )
        colors = pixel_shuffle(F.conv2d(features.to(weight.dtype), weight, bias, padding=reach), left)
        rows, columns = -(-height // side), -(-width // side)
        colors = colors[..., :rows, :columns]
        if cut := height % side:
            row, skipped = divmod((rows - 1) * side, stride)
            strip = self.enlarged(features[..., row - reach : row + 1 + reach, :])
            first = stride * reach + skipped
            strip = strip[..., first : first + cut, :width]
            colors[..., -1:, :] = F.avg_pool2d(strip, (cut, side), ceil_mode=True)
        if cut := width % side:
            column, skipped = divmod((columns - 1) * side, stride)
            strip = self.enlarged(features[..., column - reach : column + 1 + reach])
            first = stride * reach + skipped
            strip = strip[..., :height, first : first + cut]
            colors[..., -1:] = F.avg_pool2d(strip, (side, cut), ceil_mode=True)
        return colors


def _sum(fresh: Float[Tensor, "*shape"], other: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return the sum of two maps; over the first where no gradient is wanted and that is faster.

    On the CPU it is, by a third, in float32, and slower by a third in bfloat16.
    """
    if torch.is_grad_enabled() or fresh.dtype != torch.float32:
        return fresh + other
    return fresh.add_(other)


class PreviewHead(nn.Conv2d):
    """A convolution from the map of the last stage but one to colors: frames before two enlargements.

    It is no part of a fit. Its weights, zero here, are solved for after one (``nervid.fit.rd.preview``) and
    stay in float32 whatever the type of the blocks.

    Args:
        channels: Channels of the map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, 3, PREVIEW_KERNEL, padding=PREVIEW_KERNEL // 2)
        nn.init.zeros_(self.weight)
        nn.init.zeros_(cast(Tensor, self.bias))

    def forward(
        self, features: Float[Tensor, "batch channels rows columns"]
    ) -> Float[Tensor, "batch 3 rows columns"]:
        """Return colors around 0, one for every site of the map."""
        return super().forward(features.to(self.weight.dtype))


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
