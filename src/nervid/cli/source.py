"""Options that say what to take of a source, shared by encode and compare."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

from nervid.errors import InputError

if TYPE_CHECKING:
    from nervid.video import Clip


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """What to take of the source."""

    start: Annotated[float, tyro.conf.arg(metavar="SECONDS")] = 0.0
    """Where to start in the source."""
    duration: Annotated[float | None, tyro.conf.arg(metavar="SECONDS")] = None
    """How much of the source to take; all if not given."""
    resize: Annotated[str | None, tyro.conf.arg(metavar="WIDTHxHEIGHT")] = None
    """Size to scale frames to."""
    every: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Take every N-th frame."""
    fps: Annotated[float | None, tyro.conf.arg(metavar="RATE")] = None
    """Frame rate of images and arrays, 25 if not given."""
    tracks: bool = True
    """Copy sound and subtitles."""

    def read(self, source: str) -> "Clip":
        """Open ``source``: a video file, a folder or glob of images, or a .npy array."""
        # Imported here: PyAV and NumPy take time that help need not wait for.
        import numpy as np

        from nervid.video import read

        opened: str | np.ndarray = source
        if source.lower().endswith(".npy"):
            try:
                opened = np.load(source, allow_pickle=False, mmap_mode="r")
            except (OSError, ValueError) as error:
                raise InputError(f"{source}: wanted a NumPy array, got {error}; check the file") from error
        return read(
            opened,
            start_seconds=self.start,
            duration_seconds=self.duration,
            size=None if self.resize is None else _parse_size(self.resize),
            every=self.every,
            frame_rate=self.fps,
            tracks=self.tracks,
        )


def _parse_size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise InputError(f"resize must be WIDTHxHEIGHT, such as 640x360, got {text!r}")
    return int(width), int(height)
