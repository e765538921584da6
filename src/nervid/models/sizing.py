"""Sizing: what a config costs, and the largest config that a budget affords."""

from collections.abc import Iterator
from dataclasses import replace
from math import ceil, log2
from typing import Final, Literal

from nervid.errors import InputError
from nervid.models.budget import EMBEDDING_SHARE, budget_used, fits, largest
from nervid.models.config import (
    HnervConfig,
    LatentInrConfig,
    ModelConfig,
    NervConfig,
    embedding_count,
    parameter_count,
)
from nervid.models.latent_sizing import LEAST_LATENT, smallest_patches, smallest_pixels, solve_latent_inr
from nervid.models.layout import HNERV_BASE_AREA, NERV_BASE_AREA, find_layout

__all__ = [
    "LEAST_LATENT",
    "budget_used",
    "embedding_count",
    "macs_per_pixel",
    "parameter_count",
    "smallest",
    "solve",
]

# The paper's Big Buck Bunny models: S is all of these, M and L only have more stem channels.
_FULL_STEM_WIDTH: Final = 512
_FULL_STEM_CHANNELS: Final = 26
_FULL_LOWER_WIDTH: Final = 96
# Chosen, untuned: below these a NeRV no longer resembles its video.
_LEAST_STEM_WIDTH: Final = 4
_LEAST_LOWER_WIDTH: Final = 3
# Chosen, untuned: a NeRV's stem twice as wide as its share, or a lower width of HNeRV one below the paper's,
# costs as much as 1 % of the budget left unused.
_SHAPE_WEIGHT: Final = 0.01

_HNERV_LEAST_CHANNELS: Final = 4
_HNERV_EMBEDDING_CHANNELS: Final = 16
_HNERV_LOWER_WIDTH: Final = 12

FamilyName = Literal["nerv", "hnerv", "latent-inr", "latent-inr-pixel"]
"""What a budget is solved for; "latent-inr-pixel" is the pixel-wise Latent-INR."""


def macs_per_pixel(config: ModelConfig) -> float:
    """Count multiply-accumulates of the decoder per pixel of the cropped frame.

    Pixels that are drawn and cropped off are paid for by the others.
    """
    return sum(layer.macs for layer in config.layers) / (config.height * config.width)


def smallest(
    name: FamilyName, *, frames: int, height: int, width: int, least_numbers: int = 1
) -> ModelConfig:
    """Describe the smallest member of a family that ``solve`` can return.

    Args:
        name: The family.
        frames: Number of frames, 1 to 2**20.
        height: Rows in pixels, 16 to 4096.
        width: Columns in pixels, 16 to 4096.
        least_numbers: Fewest numbers in a frame's stored embedding, for families that store any.

    Returns:
        Its config; the embeddings of HNeRV have one channel, the latents of Latent-INR 8 numbers, or as many
        as ``least_numbers`` asks for.

    Raises:
        InputError: If a size is out of range.
    """
    if name == "nerv":
        layout = find_layout(height, width, base_area=NERV_BASE_AREA)
        return NervConfig(
            frames=frames,
            height=height,
            width=width,
            base_height=layout.base_height,
            base_width=layout.base_width,
            strides=layout.strides,
            activation="silu",
            stem_width=_LEAST_STEM_WIDTH,
            stem_channels=1,
            lower_width=_LEAST_LOWER_WIDTH,
        )
    if name == "latent-inr-pixel":
        return smallest_pixels(frames=frames, height=height, width=width, latent_size=least_numbers)
    layout = find_layout(height, width, base_area=HNERV_BASE_AREA, few_stages=True)
    if name == "latent-inr":
        return smallest_patches(layout, frames=frames, height=height, width=width, latent_size=least_numbers)
    return HnervConfig(
        frames=frames,
        height=height,
        width=width,
        base_height=layout.base_height,
        base_width=layout.base_width,
        strides=layout.strides,
        embedding_channels=max(1, ceil(least_numbers / (layout.base_height * layout.base_width))),
        channels=_HNERV_LEAST_CHANNELS,
        lower_width=_HNERV_LEAST_CHANNELS,
    )


def solve(
    name: FamilyName, *, frames: int, height: int, width: int, parameters: int, least_numbers: int = 1
) -> ModelConfig:
    """Find the largest member of a family with at most ``parameters`` numbers, embeddings included.

    HNeRV varies the channels after the stem, and where that is too coarse for a small budget its lower
    width; its embeddings lose channels where they would take more than a tenth of the budget. NeRV varies
    the stem's channels from the paper's S upwards; below S its stem width, stem channels and lower width
    shrink together. In both ranges the stem width then takes up what is left, so NeRV grades finely
    where one channel of HNeRV is a coarse step. Latent-INR varies its channels, the hypernetworks' width
    with them, which then takes up what is left; its latents have 8 to 32 numbers, at most a tenth of the
    budget.

    Args:
        name: The family.
        frames: Number of frames, 1 to 2**20.
        height: Rows in pixels, 16 to 4096.
        width: Columns in pixels, 16 to 4096.
        parameters: The budget: decoder parameters and embedding numbers together.
        least_numbers: Fewest numbers in a frame's stored embedding, for families that store any, whatever
            share of the budget they take.

    Returns:
        A config within the budget; ``budget_used`` tells how well it uses it. A budget beyond the limits of
        a config gets the largest config within those limits.

    Raises:
        InputError: If a size is out of range, or not even the smallest member fits; the message tells
            the smallest budget that does.
    """
    least = smallest(name, frames=frames, height=height, width=width, least_numbers=least_numbers)
    if budget_used(least, 1) > parameters:
        raise InputError(
            f"{name} for {frames} frames of {width}x{height} needs at least {budget_used(least, 1):.0f} "
            f"parameters, got {parameters}; allow more bytes, or shorten or shrink the video"
        )
    if isinstance(least, HnervConfig):
        return _solve_hnerv(least, parameters)
    if isinstance(least, LatentInrConfig):
        return solve_latent_inr(least, parameters)
    return _solve_nerv(least, parameters)


def _solve_hnerv(least: HnervConfig, parameters: int) -> HnervConfig:
    """The member that uses the budget best, after the embeddings took at most their share."""
    affordable = parameters * least.embedding_channels // (EMBEDDING_SHARE * embedding_count(least))
    embedding_channels = max(least.embedding_channels, min(_HNERV_EMBEDDING_CHANNELS, affordable))
    # A budget that affords only the smallest decoder may not afford its share of embeddings as well.
    if not fits(lambda: replace(least, embedding_channels=embedding_channels), parameters):
        embedding_channels = least.embedding_channels
    start = replace(least, embedding_channels=embedding_channels)

    def widest(lower_width: int) -> HnervConfig:
        narrow = replace(start, channels=lower_width, lower_width=lower_width)
        return replace(
            narrow,
            channels=largest(lambda c: fits(lambda: replace(narrow, channels=c), parameters), lower_width),
        )

    def cost(config: HnervConfig) -> float:
        thinner = min(_HNERV_LOWER_WIDTH, config.channels) - config.lower_width
        return 1 - budget_used(config, parameters) + _SHAPE_WEIGHT * thinner

    highest = largest(
        lambda w: fits(lambda: replace(start, channels=w, lower_width=w), parameters),
        _HNERV_LEAST_CHANNELS,
        _HNERV_LOWER_WIDTH,
    )
    return min((widest(width) for width in range(highest, _HNERV_LEAST_CHANNELS - 1, -1)), key=cost)


def _solve_nerv(least: NervConfig, parameters: int) -> NervConfig:
    """The paper's models where S fits, a shrunken S elsewhere."""

    def member(stem_channels: int, stem_width: int = _FULL_STEM_WIDTH) -> NervConfig:
        return replace(
            least, stem_width=stem_width, stem_channels=stem_channels, lower_width=_FULL_LOWER_WIDTH
        )

    if fits(lambda: member(_FULL_STEM_CHANNELS), parameters):
        channels = largest(lambda c: fits(lambda: member(c), parameters), _FULL_STEM_CHANNELS)
        width = largest(lambda w: fits(lambda: member(channels, w), parameters), _FULL_STEM_WIDTH)
        # Beyond the limits of a config, more stem would only unbalance it.
        return member(channels, min(width, 2 * _FULL_STEM_WIDTH))

    def cost(config: NervConfig) -> float:
        share = config.lower_width / _FULL_LOWER_WIDTH
        unbalance = abs(log2(config.stem_width / (share * _FULL_STEM_WIDTH)))
        return 1 - budget_used(config, parameters) + _SHAPE_WEIGHT * unbalance

    return min(_shrunken_nervs(least, parameters), key=cost)


def _shrunken_nervs(least: NervConfig, parameters: int) -> Iterator[NervConfig]:
    """For every lower width up to S's, members with the widest stem that fits."""
    for lower_width in range(_LEAST_LOWER_WIDTH, _FULL_LOWER_WIDTH + 1):
        even = round(_FULL_STEM_CHANNELS * lower_width / _FULL_LOWER_WIDTH)
        for stem_channels in range(max(1, even - 1), min(even + 1, _FULL_STEM_CHANNELS) + 1):
            narrow = replace(least, stem_channels=stem_channels, lower_width=lower_width)
            spare = parameters - parameter_count(narrow)
            if spare >= 0:
                per_unit = 1 + 2 * narrow.levels + narrow.base_height * narrow.base_width * stem_channels
                stem_width = narrow.stem_width + spare // per_unit
                yield replace(narrow, stem_width=min(stem_width, 2 * _FULL_STEM_WIDTH))
