"""Stages of our own network: maps from feature grids, and how they are enlarged."""

from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own idiom
from jaxtyping import Float
from torch import Tensor, nn

from nervid.models.blocks import ACTIVATIONS
from nervid.models.config.base import Activation
from nervid.models.config.nervid import PREVIEW_KERNEL
from nervid.models.shuffle import pixel_shuffle


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
