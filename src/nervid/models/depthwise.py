"""DepthwiseConv: one window per channel, with a gradient that the CPU computes quickly."""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own idiom
from jaxtyping import Float
from torch import Tensor, nn

TILE = 16
"""Channels that share a group while the gradient of the windows is computed."""


class DepthwiseConv(nn.Conv2d):
    """A convolution of each channel with a window of its own; the output is as large as the input.

    On the CPU its backward pass is our own. oneDNN has no fast gradient for depthwise windows: of a batch of
    2 with 64 channels at 128x256 it takes 100 ms in bfloat16 on 2 cores, half a training step of HNeRV.
    The gradient of a grouped convolution with 16 channels per group has the windows' gradient on its
    diagonal, 16 times the arithmetic, on the matrix unit, in 6 ms.

    Args:
        channels: Channels of input and output.
        kernel: Side of the window, odd; the map is padded with zeros.
    """

    def __init__(self, channels: int, *, kernel: int) -> None:
        super().__init__(channels, channels, kernel, padding=kernel // 2, groups=channels)

    def forward(
        self, features: Float[Tensor, "batch channels rows columns"]
    ) -> Float[Tensor, "batch channels rows columns"]:
        """Return the map, convolved channel by channel."""
        if features.device.type != "cpu" or self.in_channels % TILE:
            return super().forward(features)
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else features.dtype
        assert self.bias is not None
        inputs = features.to(dtype), self.weight.to(dtype), self.bias.to(dtype)
        image: Tensor = _TiledGradient.apply(*inputs)  # type: ignore[no-untyped-call]
        return image


class _TiledGradient(torch.autograd.Function):
    """Depthwise convolution; the windows' gradient is taken from groups of ``TILE`` channels."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(features, weight)
        return F.conv2d(features, weight, bias, padding=weight.shape[-1] // 2, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:  # noqa: ANN401
        """Return the gradients of map, windows and biases, each where asked for."""
        (gradient,) = gradients
        features, weight = ctx.saved_tensors
        channels, middle = len(weight), weight.shape[-1] // 2
        by_features = by_weight = by_bias = None
        if ctx.needs_input_grad[0]:
            by_features = F.conv2d(gradient, weight.flip(2, 3), padding=middle, groups=channels)
        if ctx.needs_input_grad[1]:
            groups = channels // TILE
            shape = (channels, TILE, *weight.shape[2:])
            tiled = torch.ops.aten.convolution_backward(
                gradient,
                features,
                weight.new_empty(shape).to(memory_format=torch.channels_last),
                [channels],
                [1, 1],
                [middle, middle],
                [1, 1],
                False,
                [0, 0],
                groups,
                [False, True, False],
            )[1]
            diagonal = tiled.view(groups, TILE, *shape[1:]).diagonal(dim1=1, dim2=2)
            by_weight = diagonal.permute(0, 3, 1, 2).reshape(weight.shape)
        if ctx.needs_input_grad[2]:
            by_bias = gradient.sum((0, 2, 3))
        return by_features, by_weight, by_bias
