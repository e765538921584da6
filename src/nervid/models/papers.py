"""The configs that the papers report, by their names there."""

from math import sqrt
from typing import Final, Literal

from nervid.errors import InputError
from nervid.models.config import HnervConfig, NervConfig
from nervid.models.layout import HNERV_BASE_AREA, find_layout

BUNNY_FRAMES: Final = 132
"""Frames of the papers' Big Buck Bunny clip, 1280x720."""
_NERV_STEM_CHANNELS: Final = {"S": 26, "M": 58, "L": 112}


def nerv_paper(size: Literal["S", "M", "L"], *, levels: int = 40) -> NervConfig:
    """Describe NeRV-S, -M or -L for Big Buck Bunny at 1280x720, with SiLU.

    Args:
        size: The paper's name of the model.
        levels: Frequencies of the positional encoding, 1 to 256; 40 in the published commands, 80 in the
            paper's text.

    Returns:
        3.2019, 6.2820 or 12.5246 million parameters at 40 levels.

    Raises:
        InputError: If ``levels`` is out of range.

    Source:
        NeRV (Chen et al., NeurIPS 2021, arXiv:2110.13903), Table 2 and the published commands.
    """
    return NervConfig(
        frames=BUNNY_FRAMES,
        height=720,
        width=1280,
        base_height=9,
        base_width=16,
        strides=(5, 2, 2, 2, 2),
        activation="silu",
        levels=levels,
        stem_channels=_NERV_STEM_CHANNELS[size],
    )


def hnerv_paper(
    model_size: float, *, frames: int = BUNNY_FRAMES, height: int = 640, width: int = 1280
) -> HnervConfig:
    """Describe the paper's HNeRV of a nominal size.

    Args:
        model_size: Nominal millions of decoder and embedding numbers together; 0.35, 0.75, 1.5 or 3 in
            the paper. The true count differs by a few percent.
        frames: Number of frames.
        height: Rows in pixels, 16 to 4096; the paper crops Big Buck Bunny to 640.
        width: Columns in pixels, 16 to 4096.

    Returns:
        The config with the paper's ``c2``, kernels (1, 5), reduction 1.2 and lower width 12.

    Raises:
        InputError: If a side is out of range, or ``model_size`` is too small for one channel.

    Source:
        HNeRV (Chen et al., CVPR 2023, arXiv:2304.02633), Tables 2 and 17.
    """
    layout = find_layout(height, width, base_area=HNERV_BASE_AREA, few_stages=True)
    embedding_channels = 16
    channels = hnerv_channels(
        model_size,
        embedding_numbers=frames * embedding_channels * layout.base_height * layout.base_width,
        strides=layout.strides,
        embedding_channels=embedding_channels,
    )
    return HnervConfig(
        frames=frames,
        height=height,
        width=width,
        base_height=layout.base_height,
        base_width=layout.base_width,
        strides=layout.strides,
        embedding_channels=embedding_channels,
        channels=channels,
    )


def hnerv_channels(
    model_size: float,
    *,
    embedding_numbers: int,
    strides: tuple[int, ...],
    embedding_channels: int = 16,
    kernel_min: int = 1,
    kernel_max: int = 5,
    reduction: float = 1.2,
) -> int:
    """Solve the paper's quadratic for ``c2``, the channels after HNeRV's stem.

    ``c2`` is the larger root, rounded down, of ``a * c2**2 + b * c2 = 1e6 * model_size -
    embedding_numbers`` with

        a = (1 / reduction) * sum(reduction**(-2 * i) * stride[i]**2 * kernel[i]**2)
        b = 9 * embedding_channels

    Args:
        model_size: Nominal millions of decoder and embedding numbers together.
        embedding_numbers: Numbers in the embeddings of all frames.
        strides: Upsampling factor of each block.
        embedding_channels: ``d`` in the paper.
        kernel_min: Side of the first block's window.
        kernel_max: Largest side of any block's window.
        reduction: Divisor of the channels at every block, ``r`` in the paper.

    Returns:
        32, 48, 68 and 97 for 0.35, 0.75, 1.5 and 3 with the paper's strides at 640x1280 and 132 frames.

    Raises:
        InputError: If nothing is left for one channel.

    Source:
        The published code of HNeRV (arXiv:2304.02633). It ignores rounding of the widths, the lower
        width, biases and head, and bills the 1x1 stem as 3x3; ``nervid.models.sizing.solve`` counts exactly.
    """
    a = sum(
        (stride * min(kernel_min + 2 * stage, kernel_max)) ** 2 / reduction ** (2 * stage + 1)
        for stage, stride in enumerate(strides)
    )
    b = 9 * embedding_channels
    decoder = 1e6 * model_size - embedding_numbers
    channels = int((sqrt(b**2 + 4 * a * decoder) - b) / (2 * a)) if decoder > 0 else 0
    if channels < 1:
        raise InputError(
            f"model_size must leave room for a decoder beside {embedding_numbers} embedding numbers, "
            f"got {model_size} million; ask for more"
        )
    return channels


def nerv_baseline(model_size: float, *, frames: int = 132) -> NervConfig:
    """Describe the NeRV that HNeRV compares itself with, at 640x1280.

    It is not the network of NeRV's own paper: no hidden layer in the stem, 80 levels, GELU, a 3x3 head and
    widths that fall by half to no less than 12.

    Args:
        model_size: Nominal millions of numbers; 0.35, 0.75, 1.5 and 3 in the paper.
        frames: Number of frames.

    Raises:
        InputError: If ``model_size`` is too small for one channel.

    Source:
        HNeRV (Chen et al., CVPR 2023, arXiv:2304.02633), Table 2, and its published code.
    """
    levels, base_height, base_width, strides = 80, 8, 16, (5, 4, 2, 2)
    a = sum((3 * stride) ** 2 / 2 ** (2 * stage + 1) for stage, stride in enumerate(strides))
    b = 2 * levels * base_height * base_width
    channels = int((sqrt(b**2 + 4e6 * a * model_size) - b) / (2 * a))
    if channels < 1:
        raise InputError(
            f"model_size must leave room for one channel, got {model_size} million; ask for more"
        )
    return NervConfig(
        frames=frames,
        height=640,
        width=1280,
        base_height=base_height,
        base_width=base_width,
        strides=strides,
        activation="gelu",
        levels=levels,
        stem_width=0,
        stem_channels=channels,
        expansion=0.5,
        rounding="nearest",
        lower_width=12,
        head_kernel=3,
    )
