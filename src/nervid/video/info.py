"""What is known about a video besides its pixels: size, time, color, shape and titles."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from nervid.errors import InputError

SMALLEST_SIDE = 16
LARGEST_SIDE = 4096

UNSPECIFIED = 2
"""Code point of H.273 for "not said" in primaries, transfer and matrix."""

RGB_MATRIX = 0
"""Matrix code point of H.273 for samples that are red, green and blue themselves."""


def check_size(width: int, height: int) -> None:
    """Refuse frames that no network of nervid is built for.

    Args:
        width: Pixels, must be 16 to 4096.
        height: Pixels, must be 16 to 4096.

    Raises:
        InputError: If a side is outside the range.
    """
    if not (SMALLEST_SIDE <= width <= LARGEST_SIDE and SMALLEST_SIDE <= height <= LARGEST_SIDE):
        raise InputError(
            f"width and height must be {SMALLEST_SIDE} to {LARGEST_SIDE} pixels, got {width}x{height}; "
            "resize the video"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Color:
    """How sample values mean light, in the code points of ITU-T H.273 as FFmpeg numbers them."""

    primaries: int = UNSPECIFIED
    """Color primaries, 0 to 255; 1 is BT.709, 2 unspecified, 9 BT.2020."""
    transfer: int = UNSPECIFIED
    """Transfer characteristics, 0 to 255; 1 is BT.709, 2 unspecified, 13 sRGB."""
    matrix: int = UNSPECIFIED
    """Matrix coefficients, 0 to 255; 0 is RGB, 1 BT.709, 2 unspecified, 6 BT.601."""
    range: int = 0
    """0 unspecified, 1 limited (16 to 235), 2 full (0 to 255)."""

    def __post_init__(self) -> None:
        for name in ("primaries", "transfer", "matrix"):
            value = getattr(self, name)
            if not 0 <= value <= 255:
                raise InputError(f"color {name} must be a code point 0 to 255, got {value}")
        if not 0 <= self.range <= 2:
            raise InputError(f"color range must be 0, 1 or 2, got {self.range}")


SRGB = Color(primaries=1, transfer=13, matrix=RGB_MATRIX, range=2)
"""What images and arrays are taken to hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoInfo:
    """Everything a writer needs to give frames back as they were found."""

    width: int
    """Pixels as stored, before rotation, 16 to 4096."""
    height: int
    """Pixels as stored, before rotation, 16 to 4096."""
    time_base: Fraction
    """Seconds per tick of every timestamp, above 0."""
    frame_rate: Fraction
    """Average frames per second, above 0; the timestamps are what counts."""
    color: Color = field(default_factory=Color)
    """Color of the source, as its file says."""
    pixel_aspect: Fraction = Fraction(1)
    """Width over height of one pixel, above 0."""
    rotation: int = 0
    """Counterclockwise degrees to turn a frame for display, -359 to 359, as PyAV reports it."""
    bit_depth: int = 8
    """Bits per sample of the source, 1 to 32; frames are delivered with 8."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Title and other container metadata."""

    def __post_init__(self) -> None:
        check_size(self.width, self.height)
        for name in ("time_base", "frame_rate", "pixel_aspect"):
            value = getattr(self, name)
            if value <= 0:
                raise InputError(f"{name} must be above 0, got {value}")
        if not -360 < self.rotation < 360:
            raise InputError(f"rotation must be -359 to 359 degrees, got {self.rotation}")
        if not 1 <= self.bit_depth <= 32:
            raise InputError(f"bit_depth must be 1 to 32, got {self.bit_depth}")

    @property
    def frame_ticks(self) -> int:
        """Usual duration of one frame in ticks, at least 1."""
        return max(1, round(1 / (self.frame_rate * self.time_base)))
