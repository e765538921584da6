"""Sizing of our own network: from bytes to channels."""

from dataclasses import dataclass, replace
from math import prod, sqrt
from typing import Final, NamedTuple

from nervid.errors import InputError
from nervid.models.config.nervid import NervidConfig
from nervid.models.sizing import macs_per_pixel


@dataclass(frozen=True, slots=True)
class Stages:
    """Four stages, for frames of some size."""

    strides: tuple[int, ...]
    channels: tuple[int, ...]
    """Channels in a file of ``USUAL_BYTES``."""
    depths: tuple[int, ...]
    """Residual convolutions: more pay most in the last stage (docs/log.md)."""


class Spans(NamedTuple):
    """How far apart the knots of textures and motion are, in frames."""

    texture: int
    """Most frames from one anchor to the next."""
    motion: int


SMALL: Final = Stages(strides=(2, 2, 2, 2), channels=(64, 48, 32, 16), depths=(1, 1, 1, 2))
"""At a 16th, an 8th, a quarter and half of the frame's sides."""
LARGE: Final = Stages(strides=(2, 2, 2, 4), channels=(40, 40, 32, 24), depths=(1, 1, 1, 3))
"""At a 32nd, a 16th, an 8th and a quarter of the frame's sides: half the time of a step, and as good after as
many (docs/log.md)."""
LARGE_PIXELS: Final = 480 * 270
"""Pixels of a frame from which on it counts as large; chosen between the sizes that were tried."""
LARGE_STILL_PIXELS: Final = 960 * 540
"""The same of a clip with a background, as fine as the last stage's map: at half of the sides a
fifth to a third fewer bytes in the same time (640x360, docs/log.md). Chosen so that 1280x720 plays fast."""
GRID_STAGES: Final = (0, 1, 1, 2)
GRID_CHANNELS: Final = (8, 8, 4, 4)
GRID_SPANS: Final = (2, 8, 33, 33)
"""Stage, least channels and span of each feature grid: the larger a map, the fewer knots (docs/log.md)."""
STILL_STAGE: Final = 2
"""Stage from which on the feature grids of a clip with a background have a single knot."""
SMALL_BACKGROUND, LARGE_BACKGROUND = 3, 8
"""Channels of a background at half of the frame's sides, and at a quarter (docs/log.md)."""
SMALL_TEXTURE, LARGE_TEXTURE = 3, 8
"""Channels of textures at half of the frame's sides, and at a quarter (docs/log.md)."""
BYTES_PER_NUMBER: Final = 0.55
"""Bytes of a size for each number of the feature grids from which on these get twice the channels, so that
bits go into more numbers instead of finer ones (docs/log.md)."""
MOST_GRIDS: Final = 4
"""Most times ``GRID_CHANNELS``; chosen."""
USUAL_BYTES: Final = 60_000
"""Size of weights and feature grids for which the channels are meant; chosen, untuned."""
USUAL_BITS_PER_PIXEL: Final = 0.27
"""Bits per pixel of a clip whose bits cost 1, in thousandths of squared error; Bunny's at 320x160."""
USUAL_FALL: Final = 2 / 3
"""By what power of their cost they fall: where distortion falls as the root of the rate, as it does about."""
LEAST_SCALE, MOST_SCALE = 0.25, 1.5
"""Bounds of the channels as multiples of those of ``Stages``; the upper one grows with the square root of the
arithmetic that is allowed beyond ``USUAL_COMPLEXITY``."""
USUAL_COMPLEXITY: Final = 10.0
"""Thousands of multiply-accumulates a pixel that a network may take unless told otherwise."""
SHRINK: Final = 0.95
"""Factor of the channels, again and again, of a network that takes too much arithmetic."""
MULTIPLE: Final = 8
"""Channels are multiples of it, as matrix units like them."""
PREVIEW_BYTES: Final = 20_000
"""Fewest bytes for which a network for small frames has a preview head: it takes about 1 % of so few, less of
more. Large frames need none: their last stage draws half and a quarter of the size itself."""
LEAST_BYTES: Final = 1000
"""Fewest bytes of weights and feature grids that anything is fitted for; chosen."""


def usual_bytes(multiplier: float, *, pixels: int) -> float:
    """Return about what a clip takes where a bit has a price, for choosing its network before it is fitted.

    Args:
        multiplier: Cost of a bit per pixel, in thousandths of mean squared error of colors in [0, 1].
        pixels: frames * height * width.
    """
    return float(USUAL_BITS_PER_PIXEL * multiplier**-USUAL_FALL * pixels / 8)


def usual_multiplier(size_bytes: float, *, pixels: int) -> float:
    """Return about what a bit has to cost for a size: the inverse of :func:`usual_bytes`.

    Args:
        size_bytes: What a clip may take.
        pixels: frames * height * width.
    """
    return float((USUAL_BITS_PER_PIXEL * pixels / 8 / size_bytes) ** (1 / USUAL_FALL))


def solve_nervid(
    *,
    frames: int,
    height: int,
    width: int,
    budget_bytes: float,
    complexity: float = USUAL_COMPLEXITY,
    spans: Spans | None = None,
    has_background: bool = False,
) -> NervidConfig:
    """Describe the network for a size: the more bytes, the more channels, as far as its arithmetic may go.

    The rate of its feature grids is found while fitting; only the network's own share has to be chosen
    before, and little depends on it (docs/log.md).

    Args:
        frames: Number of frames, 1 to 2**20.
        height: Rows in pixels, 16 to 4096.
        width: Columns in pixels, 16 to 4096.
        budget_bytes: Bytes for weights and feature grids.
        complexity: Most thousands of multiply-accumulates for a pixel of the frame.
        spans: Those of its textures and motion, for 3 frames at least; None for a network without.
        has_background: Whether its last stage reads a feature grid with a single knot, for what stays.

    Raises:
        InputError: If a size is out of range, or the smallest network takes more arithmetic.
    """
    stages = LARGE if height * width >= (LARGE_STILL_PIXELS if has_background else LARGE_PIXELS) else SMALL
    most = MOST_SCALE * max(1.0, sqrt(complexity / USUAL_COMPLEXITY))
    scale = min(max(sqrt(budget_bytes / USUAL_BYTES), LEAST_SCALE), most)
    size = {"frames": frames, "height": height, "width": width}
    plain = _describe(stages, stages.channels, has_preview=False, **size)
    grids = 1
    while grids < MOST_GRIDS and budget_bytes >= BYTES_PER_NUMBER * grids * plain.stored_embedding_count:
        grids *= 2
    while True:
        channels = tuple(
            max(MULTIPLE, MULTIPLE * round(scale * count / MULTIPLE)) for count in stages.channels
        )
        has_preview = stages is SMALL and budget_bytes >= PREVIEW_BYTES
        config = _describe(stages, channels, has_preview=has_preview, grids=grids, **size)
        if has_background:
            config = _with_background(config, SMALL_BACKGROUND if stages is SMALL else LARGE_BACKGROUND)
        if spans is not None:
            config = replace(
                config,
                texture_channels=SMALL_TEXTURE if stages is SMALL else LARGE_TEXTURE,
                texture_span=spans.texture,
                motion_span=spans.motion,
            )
        if (taken := macs_per_pixel(config)) <= 1000 * complexity:
            return config
        if max(channels) == MULTIPLE:
            raise InputError(
                f"the smallest network for frames of {width}x{height} takes {taken / 1000:.2f} thousand "
                f"multiply-accumulates a pixel, complexity allows {complexity:g}; allow more"
            )
        scale *= SHRINK


def _describe(
    stages: Stages,
    channels: tuple[int, ...],
    *,
    frames: int,
    height: int,
    width: int,
    grids: int = 1,
    has_preview: bool,
) -> NervidConfig:
    """Describe a network whose feature grids have ``grids`` times the least channels."""
    return NervidConfig(
        frames=frames,
        height=height,
        width=width,
        base_height=-(-height // prod(stages.strides)),
        base_width=-(-width // prod(stages.strides)),
        strides=stages.strides,
        channels=channels,
        depths=stages.depths,
        grid_stages=GRID_STAGES,
        grid_channels=tuple(grids * count for count in GRID_CHANNELS),
        grid_spans=GRID_SPANS,
        preview=has_preview,
        interleaved=True,
    )


def _with_background(config: NervidConfig, channels: int) -> NervidConfig:
    """Add a feature grid with a single knot that the last stage reads; other fine ones get a single one."""
    levels = zip(config.grid_stages, config.grid_spans, strict=True)
    spans = [config.frames if stage >= STILL_STAGE else span for stage, span in levels]
    return replace(
        config,
        grid_stages=(*config.grid_stages, len(config.strides) - 1),
        grid_channels=(*config.grid_channels, channels),
        grid_spans=(*spans, config.frames),
    )
