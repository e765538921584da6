"""HnervEncoder: frame -> embedding, a small ConvNeXt that is needed while fitting and never stored."""

import torch.nn.functional as F  # noqa: N812 - torch's own idiom
from jaxtyping import Float
from torch import Tensor, nn

from nervid.models.config import HnervConfig
from nervid.models.depthwise import DepthwiseConv

_KERNEL = 7
_EXPANSION = 4
_LAYER_SCALE = 1e-6
_NORM_EPSILON = 1e-6
_WEIGHT_STD = 0.02


class HnervEncoder(nn.Module):
    """The encoder of HNeRV: per stage one convolution with kernel = stride, then one ConvNeXt block.

    Stages have the decoder's strides in the decoder's order. Weights start truncated-normal with standard
    deviation 0.02, biases at zero, drawn from torch's global generator;
    ``nervid.models.registry.build_encoder`` seeds it.

    Args:
        config: The decoder that it serves: its strides, sizes and embedding channels.
        width: Channels of all stages but the last, ``c1`` in the paper.

    Source:
        HNeRV (Chen et al., CVPR 2023, arXiv:2304.02633), section 3.1, after ConvNeXt (Liu et al., CVPR
        2022, arXiv:2201.03545).
    """

    def __init__(self, config: HnervConfig, *, width: int = 64) -> None:
        super().__init__()
        self.config = config
        stages = len(config.strides)
        widths = [3, *[width] * (stages - 1), config.embedding_channels]
        self.stages = nn.ModuleList(
            EncoderStage(widths[stage], widths[stage + 1], stride=stride, is_first=stage == 0)
            for stage, stride in enumerate(config.strides)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=_WEIGHT_STD)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(
        self, frames: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch channels base_height base_width"]:
        """Return the embeddings of frames, RGB in [0, 1].

        The frame's last row and column are repeated up to the size that the decoder draws.
        """
        bottom = self.config.padded_height - frames.shape[-2]
        right = self.config.padded_width - frames.shape[-1]
        features = F.pad(frames, (0, right, 0, bottom), mode="replicate") if bottom or right else frames
        for stage in self.stages:
            features = stage(features)
        return features


class EncoderStage(nn.Module):
    """Shrink a map ``stride`` times, then refine it: normalization, convolution, ConvNeXt block.

    In the first stage, whose input is pixels, the normalization follows the convolution.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Downsampling factor; rows and columns are multiples of it.
        is_first: Whether the input is pixels.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int, is_first: bool) -> None:
        super().__init__()
        self.is_first = is_first
        self.shrink = nn.Conv2d(in_channels, out_channels, stride, stride=stride)
        self.norm = ChannelNorm(out_channels if is_first else in_channels)
        self.block = ConvNextBlock(out_channels)

    def forward(
        self, features: Float[Tensor, "batch in_channels rows columns"]
    ) -> Float[Tensor, "batch out_channels few_rows few_columns"]:
        """Return the smaller map."""
        shrunk = self.norm(self.shrink(features)) if self.is_first else self.shrink(self.norm(features))
        refined: Tensor = self.block(shrunk)
        return refined


class ConvNextBlock(nn.Module):
    """Add to a map: depthwise 7x7 convolution, normalization, linear to 4 times, GELU, linear, scale.

    Args:
        channels: Channels of input and output.

    Source:
        ConvNeXt (arXiv:2201.03545), with layer scale starting at 1e-6 and without stochastic depth.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = DepthwiseConv(channels, kernel=_KERNEL)
        self.norm = nn.LayerNorm(channels, eps=_NORM_EPSILON)
        self.expand = nn.Linear(channels, _EXPANSION * channels)
        self.project = nn.Linear(_EXPANSION * channels, channels)
        self.scale = nn.Parameter(self.norm.weight.detach().clone() * _LAYER_SCALE)

    def forward(
        self, features: Float[Tensor, "batch channels rows columns"]
    ) -> Float[Tensor, "batch channels rows columns"]:
        """Return the refined map, of the same shape."""
        last = self.depthwise(features).permute(0, 2, 3, 1)
        change = self.scale * self.project(F.gelu(self.expand(self.norm(last))))
        refined: Tensor = features + change.permute(0, 3, 1, 2)
        return refined


class ChannelNorm(nn.LayerNorm):
    """Layer normalization over the channels of each position of a map.

    Args:
        channels: Channels of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=_NORM_EPSILON)

    def forward(
        self, features: Float[Tensor, "batch channels rows columns"]
    ) -> Float[Tensor, "batch channels rows columns"]:
        """Return the normalized map, of the same shape."""
        # Both permutations are free for a map in channels-last order.
        return super().forward(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
