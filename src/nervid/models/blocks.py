"""UpsampleBlock: the convolution, activation and pixel shuffle that all decoders repeat."""

from collections.abc import Callable
from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own idiom
from jaxtyping import Float
from torch import Tensor, nn

from nervid.models.config.base import Activation
from nervid.models.shuffle import pixel_shuffle


def gelu(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return ``x * (1 + erf(x / sqrt(2))) / 2`` of every value, memory order kept.

    PyTorch hands GELU to oneDNN, twice as fast as its own kernel on the CPU, only where memory follows the
    shape's order; a channels-last map does so when its channels are named last.
    """
    if values.dim() == 4 and values.is_contiguous(memory_format=torch.channels_last):
        return F.gelu(values.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    return F.gelu(values)


def silu(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return ``x / (1 + exp(-x))`` of every value, over the values themselves where no gradient is wanted."""
    return F.silu(values, inplace=not torch.is_grad_enabled())


ACTIVATIONS: Final[dict[Activation, Callable[[Tensor], Tensor]]] = {
    "gelu": gelu,
    "silu": silu,
    "relu": F.relu,
}


class UpsampleBlock(nn.Module):
    """Enlarge a map ``stride`` times: convolution to ``stride**2`` times the channels, activation, shuffle.

    Weights start as torch's default for convolutions, drawn from torch's global generator.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel: Side of the convolution's window, odd; the input is padded with zeros.
        stride: Upsampling factor, at least 1.
        activation: Nonlinearity after the shuffle.

    Source:
        NeRV block (Chen et al., NeurIPS 2021, arXiv:2110.13903), section 3.1, without normalization;
        HNeRV (arXiv:2304.02633) varies the window.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel: int, stride: int, activation: Activation
    ) -> None:
        super().__init__()
        self.stride = stride
        self.activation: Activation = activation
        self.conv = nn.Conv2d(in_channels, out_channels * stride**2, kernel, padding=kernel // 2)

    def forward(
        self, features: Float[Tensor, "batch in_channels rows columns"]
    ) -> Float[Tensor, "batch out_channels tall wide"]:
        """Return the enlarged map, ``tall = stride * rows`` and ``wide = stride * columns``."""
        return pixel_shuffle(self.before_shuffle(features), self.stride)

    def before_shuffle(
        self, features: Float[Tensor, "batch in_channels rows columns"]
    ) -> Float[Tensor, "batch subpixel_channels rows columns"]:
        """Return what ``forward`` shuffles, ``out_channels * stride**2`` channels.

        The activation comes before the shuffle: it treats every number alike, so the order does not matter,
        and who can use the map as it is saves the copy.
        """
        return ACTIVATIONS[self.activation](self.conv(features))


def at_least_float32(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return ``values`` in float32, or unchanged if they are already that or finer.

    Numbers in bfloat16 are 1/256 apart just below 1, too coarse for 8-bit pixels.
    """
    return values.to(torch.promote_types(values.dtype, torch.float32))
