"""Which part of a source is read, and how."""

import math
from dataclasses import dataclass
from fractions import Fraction

from nervid.errors import InputError
from nervid.video.info import check_size


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """The options of ``read``, checked."""

    start_seconds: float = 0.0
    """Where to begin, from the first frame, 0 or more."""
    duration_seconds: float | None = None
    """How much to take, above 0; None for all."""
    size: tuple[int, int] | None = None
    """(width, height) in pixels to resize to, 16 to 4096 each; None for the source's own."""
    every: int = 1
    """Take every n-th frame, 1 or more."""
    frame_rate: Fraction | None = None
    """Frames per second of images and arrays, above 0; None for 25."""
    tracks: bool = True
    """Whether sound and subtitles belong to the clip."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_seconds) and self.start_seconds >= 0):
            raise InputError(f"start must be 0 seconds or more, got {self.start_seconds}")
        if self.duration_seconds is not None and not (
            math.isfinite(self.duration_seconds) and self.duration_seconds > 0
        ):
            raise InputError(f"duration must be above 0 seconds, got {self.duration_seconds}")
        if self.size is not None:
            check_size(*self.size)
        if self.every < 1:
            raise InputError(f"every must be 1 or more, got {self.every}")
        if self.frame_rate is not None and self.frame_rate <= 0:
            raise InputError(f"frame_rate must be above 0, got {self.frame_rate}")

    @property
    def trims(self) -> bool:
        """Whether a part of the source is left out at its start or end."""
        return self.start_seconds > 0 or self.duration_seconds is not None

    @property
    def start(self) -> Fraction:
        """Start in seconds as it was written: 0.04 means 1/25, not the nearest binary number."""
        return Fraction(str(self.start_seconds))

    @property
    def duration(self) -> Fraction | None:
        """Duration in seconds as it was written."""
        return None if self.duration_seconds is None else Fraction(str(self.duration_seconds))
