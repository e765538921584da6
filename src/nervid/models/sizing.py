"""Sizing: what a config costs, and the largest config that a budget affords."""

from collections.abc import Iterator
from dataclasses import replace
from math import ceil, log2
from typing import Final, Literal, NamedTuple

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
    "LEAST_HNERV_WIDTH",
    "LEAST_LATENT",
    "LEAST_NERV",
    "NervShape",
    "budget_used",
    "embedding_count",
    "macs_per_pixel",
    "parameter_count",
    "smallest",
    "solve",
    "solve_hnerv",
    "solve_nerv",
]


class NervShape(NamedTuple):
    """The widths that make a NeRV small or large."""

    stem_width: int
    """Outputs of the stem's first layer; 0 for a stem of one layer."""
    stem_channels: int
    lower_width: int


PAPER_NERV: Final = NervShape(stem_width=512, stem_channels=26, lower_width=96)
"""S of the paper's Big Buck Bunny models; M and L only have more stem channels."""
LEAST_NERV: Final = NervShape(stem_width=4, stem_channels=1, lower_width=3)
"""Chosen, untuned: below these a NeRV no longer resembles its video."""
LEAST_HNERV_WIDTH: Final = 4
"""Fewest channels of a map in an HNeRV that is solved for; chosen, untuned."""
# Chosen, untuned: a NeRV's stem twice as wide as its share, or a lower width of HNeRV one below the paper's,
# costs as much as 1 % of the budget left unused.
_SHAPE_WEIGHT: Final = 0.01

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
            stem_width=LEAST_NERV.stem_width,
            stem_channels=LEAST_NERV.stem_channels,
            lower_width=LEAST_NERV.lower_width,
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
        channels=LEAST_HNERV_WIDTH,
        lower_width=LEAST_HNERV_WIDTH,
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
        return solve_hnerv(
            least,
            parameters,
            lower_width=_HNERV_LOWER_WIDTH,
            embedding_channels=_HNERV_EMBEDDING_CHANNELS,
        )
    if isinstance(least, LatentInrConfig):
        return solve_latent_inr(least, parameters)
    assert isinstance(least, NervConfig)
    return solve_nerv(least, parameters, PAPER_NERV)


def solve_hnerv(
    least: HnervConfig, parameters: int, *, lower_width: int, embedding_channels: int
) -> HnervConfig:
    """Return the HNeRV that uses a budget best, after the embeddings took at most their share.

    Args:
        least: The smallest one, which the budget affords; gives all but the widths.
        parameters: The budget: decoder parameters and embedding numbers together.
        lower_width: The lower width where the budget is ample; less where it is not.
        embedding_channels: The same for the channels of an embedding.
    """
    affordable = parameters * least.embedding_channels // (EMBEDDING_SHARE * embedding_count(least))
    channels = max(least.embedding_channels, min(embedding_channels, affordable))
    # A budget that affords only the smallest decoder may not afford its share of embeddings as well.
    if not fits(lambda: replace(least, embedding_channels=channels), parameters):
        channels = least.embedding_channels
    start = replace(least, embedding_channels=channels)

    def widest(lower: int) -> HnervConfig:
        narrow = replace(start, channels=lower, lower_width=lower)
        return replace(
            narrow,
            channels=largest(lambda c: fits(lambda: replace(narrow, channels=c), parameters), lower),
        )

    def cost(config: HnervConfig) -> float:
        thinner = min(lower_width, config.channels) - config.lower_width
        return 1 - budget_used(config, parameters) + _SHAPE_WEIGHT * thinner

    highest = largest(
        lambda w: fits(lambda: replace(start, channels=w, lower_width=w), parameters),
        least.lower_width,
        lower_width,
    )
    return min((widest(lower) for lower in range(highest, least.lower_width - 1, -1)), key=cost)


def solve_nerv(least: NervConfig, parameters: int, full: NervShape) -> NervConfig:
    """Return the NeRV that uses a budget best: ``full`` with more stem where that fits, else it shrunken.

    Args:
        least: The smallest one, which the budget affords; gives all but the widths.
        parameters: The budget in parameters.
        full: Widths in the proportions that are kept.
    """

    def member(stem_channels: int, stem_width: int = full.stem_width) -> NervConfig:
        return replace(
            least, stem_width=stem_width, stem_channels=stem_channels, lower_width=full.lower_width
        )

    if fits(lambda: member(full.stem_channels), parameters):
        channels = largest(lambda c: fits(lambda: member(c), parameters), full.stem_channels)
        if not full.stem_width:
            return member(channels)
        width = largest(lambda w: fits(lambda: member(channels, w), parameters), full.stem_width)
        # Beyond the limits of a config, more stem would only unbalance it.
        return member(channels, min(width, 2 * full.stem_width))

    def cost(config: NervConfig) -> float:
        share = config.lower_width / full.lower_width
        unbalance = abs(log2(config.stem_width / (share * full.stem_width))) if full.stem_width else 0.0
        return 1 - budget_used(config, parameters) + _SHAPE_WEIGHT * unbalance

    # Where the budget is too small for these proportions, the least channels get what stem is left.
    width = least.stem_width
    if full.stem_width:
        width = largest(lambda w: fits(lambda: replace(least, stem_width=w), parameters), width)
    narrowest = replace(least, stem_width=min(width, 2 * full.stem_width))
    return min(_shrunken_nervs(least, parameters, full), key=cost, default=narrowest)


def _shrunken_nervs(least: NervConfig, parameters: int, full: NervShape) -> Iterator[NervConfig]:
    """For every lower width up to that of ``full``, members with the widest stem that fits."""
    for lower_width in range(least.lower_width, full.lower_width + 1):
        even = round(full.stem_channels * lower_width / full.lower_width)
        for stem_channels in range(max(1, even - 1), min(even + 1, full.stem_channels) + 1):
            narrow = replace(least, stem_channels=stem_channels, lower_width=lower_width)
            spare = parameters - parameter_count(narrow)
            if spare >= 0 and not full.stem_width:
                yield narrow
            elif spare >= 0:
                per_unit = 1 + 2 * narrow.levels + narrow.base_height * narrow.base_width * stem_channels
                stem_width = narrow.stem_width + spare // per_unit
                yield replace(narrow, stem_width=min(stem_width, 2 * full.stem_width))
