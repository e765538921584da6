"""The layers of a PyramidConfig: blocks, a head, and the way from a base map to colors."""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from nervid.models.blocks import UpsampleBlock
from nervid.models.config.pyramid import PyramidConfig
from nervid.models.head import SubpixelHead


def pyramid_blocks(config: PyramidConfig) -> nn.ModuleList:
    """Return the upsampling blocks, first one first, with fresh weights."""
    widths = config.widths
    return nn.ModuleList(
        UpsampleBlock(
            widths[stage], widths[stage + 1], kernel=kernel, stride=stride, activation=config.activation
        )
        for stage, (kernel, stride) in enumerate(zip(config.kernels, config.strides, strict=True))
    )


def pyramid_head(config: PyramidConfig) -> SubpixelHead:
    """Return the head, with fresh weights."""
    return SubpixelHead(config.widths[-1], kernel=config.head_kernel, stride=config.strides[-1])


def climb(
    base: Float[Tensor, "batch channels base_height base_width"],
    blocks: nn.ModuleList,
    head: nn.Module,
    config: PyramidConfig,
) -> Float[Tensor, "batch 3 height width"]:
    """Return the colors drawn from a base map, before the output function, cropped to the clip's size."""
    features = base
    for block in blocks[:-1]:
        features = block(features)
    # The last shuffle is the head's.
    colors: Tensor = head(cast(UpsampleBlock, blocks[-1]).before_shuffle(features))
    return colors[..., : config.height, : config.width]
