"""Sizing of our own network: from bytes to channels."""

from math import sqrt
from typing import Final

from nervid.models.config.nervid import NervidConfig

STRIDES: Final = (2, 2, 2, 2)
"""Four stages, at a 16th, an 8th, a quarter and half of the frame's sides."""
CHANNELS: Final = (64, 48, 32, 16)
"""Channels of the stages in a file of ``USUAL_BYTES``."""
DEPTHS: Final = (1, 1, 1, 2)
"""Residual convolutions of the stages: one more pays most at half size (docs/log.md)."""
GRID_STAGES: Final = (0, 1, 1, 2)
GRID_CHANNELS: Final = (8, 8, 4, 4)
GRID_SPANS: Final = (2, 8, 33, 33)
"""Stage, channels and span of each feature grid: the larger a map, the fewer knots (docs/log.md)."""
USUAL_BYTES: Final = 60_000
"""Size of weights and feature grids for which ``CHANNELS`` are meant; chosen, untuned."""
USUAL_BITS_PER_PIXEL: Final = 0.27
"""Bits per pixel of a clip whose bits cost 1, in thousandths of squared error; Bunny's at 320x160."""
USUAL_FALL: Final = 2 / 3
"""By what power of their cost they fall: where distortion falls as the root of the rate, as it does about."""
LEAST_SCALE, MOST_SCALE = 0.25, 1.5
"""Bounds of the channels as multiples of ``CHANNELS``."""
MULTIPLE: Final = 8
"""Channels are multiples of it, as matrix units like them."""
PREVIEW_BYTES: Final = 20_000
"""Fewest bytes for which a network has a preview head: it takes about 1 % of so few, less of more."""
LEAST_BYTES: Final = 1000
"""Fewest bytes of weights and feature grids that anything is fitted for; chosen."""


def usual_bytes(multiplier: float, *, pixels: int) -> float:
    """Return about what a clip takes where a bit has a price, for choosing its network before it is fitted.

    Args:
        multiplier: Cost of a bit per pixel, in thousandths of mean squared error of colors in [0, 1].
        pixels: frames * height * width.
    """
    return float(USUAL_BITS_PER_PIXEL * multiplier**-USUAL_FALL * pixels / 8)


def solve_nervid(*, frames: int, height: int, width: int, budget_bytes: float) -> NervidConfig:
    """Describe the network for a size: the more bytes, the more channels.

    The rate of its feature grids is found while fitting; only the network's own share has to be chosen
    before, and little depends on it (docs/log.md).

    Args:
        frames: Number of frames, 1 to 2**20.
        height: Rows in pixels, 16 to 4096.
        width: Columns in pixels, 16 to 4096.
        budget_bytes: Bytes for weights and feature grids.

    Raises:
        InputError: If a size is out of range.
    """
    scale = min(max(sqrt(budget_bytes / USUAL_BYTES), LEAST_SCALE), MOST_SCALE)
    channels = tuple(max(MULTIPLE, MULTIPLE * round(scale * count / MULTIPLE)) for count in CHANNELS)
    return NervidConfig(
        frames=frames,
        height=height,
        width=width,
        base_height=-(-height // 16),
        base_width=-(-width // 16),
        strides=STRIDES,
        channels=channels,
        depths=DEPTHS,
        grid_stages=GRID_STAGES,
        grid_channels=GRID_CHANNELS,
        grid_spans=GRID_SPANS,
        preview=budget_bytes >= PREVIEW_BYTES,
    )
