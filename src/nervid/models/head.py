"""SubpixelHead: a convolution to colors that reads a map before its pixel shuffle."""

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own idiom
from jaxtyping import Float
from torch import Tensor, nn

from nervid.models.shuffle import pixel_shuffle

LARGEST_FOLDED_STRIDE = 2
"""Above it the folded kernel, ``stride**2`` times as wide, costs more than the shuffle that it saves."""


class SubpixelHead(nn.Conv2d):
    """``conv(pixel_shuffle(features, stride))`` without shuffling the features, only the three colors.

    A shuffled map has ``stride**2`` times the positions and is read once, by the head; copying it, and its
    gradient, took 15 % of a training step at 640x1280. Every number of the result is the same sum in another
    order.

    Args:
        in_channels: Channels of the shuffled map.
        kernel: Side of the window on the shuffled map, odd; the map is padded with zeros.
        stride: Factor of the shuffle before the head.
    """

    def __init__(self, in_channels: int, *, kernel: int, stride: int) -> None:
        super().__init__(in_channels, 3, kernel, padding=kernel // 2)
        self.stride_before = stride
        self.register_buffer("taps", _taps(kernel, stride), persistent=False)

    def forward(
        self, features: Float[Tensor, "batch subpixel_channels rows columns"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """Return the colors, ``height = stride * rows`` and ``width = stride * columns``.

        Args:
            features: The map before its shuffle, ``in_channels * stride**2`` channels.
        """
        if self.stride_before > LARGEST_FOLDED_STRIDE:
            return super().forward(pixel_shuffle(features, self.stride_before))
        weight, bias = self.folded()
        subpixels = F.conv2d(features, weight, bias, padding=weight.shape[-1] // 2)
        return pixel_shuffle(subpixels, self.stride_before)

    def folded(
        self,
    ) -> tuple[
        Float[Tensor, "subpixel_colors subpixel_channels side side"], Float[Tensor, " subpixel_colors"]
    ]:
        """Return the equal kernel and bias for the map before its shuffle.

        Channels on either side are in the order of ``pixel_shuffle``.

        Row ``y`` of the shuffled map is row ``y // stride`` before, subpixel ``y % stride``. So tap ``t`` of
        an output subpixel ``i`` falls on row ``(i + t) // stride`` relative to its own and there on subpixel
        ``(i + t) % stride``; every other tap of the larger kernel is zero.
        """
        assert self.bias is not None
        with torch.autocast(self.weight.device.type, enabled=False):
            taps = self.taps.to(self.weight.dtype)
            # o, c: colors, channels; i, p: output and input subpixel of a row, j, q of a column.
            weight = torch.einsum("ocuv,ipyu,jqxv->ijopqcyx", self.weight, taps, taps)
            side, subpixels = weight.shape[-1], self.stride_before**2
            folded = weight.reshape(subpixels * 3, self.in_channels * subpixels, side, side)
            return folded, self.bias.repeat(subpixels)


def _taps(kernel: int, stride: int) -> Float[Tensor, "stride stride side kernel"]:
    """1 where output subpixel i, input subpixel p, row offset y (plus reach) meet tap u, else 0."""
    reach = -(-(kernel // 2) // stride)
    # On the CPU also while a network is built without numbers (nervid.models.registry.build_empty).
    taps = torch.zeros(stride, stride, 2 * reach + 1, kernel, device="cpu")
    for output in range(stride):
        for tap in range(kernel):
            row, subpixel = divmod(output + tap - kernel // 2, stride)
            taps[output, subpixel, row + reach, tap] = 1
    return taps
