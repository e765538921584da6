"""Clips as the codec benchmark takes them: nearly pristine, in two classes of size."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import UInt8
from PIL import Image

import nervid
from benchmarks.clips import FOLDER
from benchmarks.meta_runs import key_of
from nervid.errors import InputError
from nervid.video import Clip

Frames = UInt8[np.ndarray, "frames height width 3"]

CLASSES: Final = {"640x360": 640 * 360, "320x180": 320 * 180}
"""Pixels of a frame by class; a clip whose source has fewer than four times as many gets fewer."""
LEAST_FACTOR: Final = 2
"""Every clip is shrunk by this factor or more, which averages away most of what its source's codec lost."""
_MULTIPLE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A clip and how many of its first frames are taken."""

    name: str
    file: str
    frames: int = 96


SOURCES: Final = (
    Source(name="bunny", file="bbb.mp4", frames=132),
    Source(name="city", file="city.mpg"),
    Source(name="park", file="park.mp4"),
    Source(name="gym-1", file="gym-1.mp4"),
    Source(name="gym-4", file="gym-4.mp4"),
    Source(name="vtest", file="vtest.avi"),
    Source(name="cup", file="cup.mp4"),
    Source(name="woman", file="woman.mp4"),
)
NAMES: Final = tuple(source.name for source in SOURCES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The size a clip is shrunk to, and the part of its source that has exactly that shape."""

    width: int
    height: int
    box: tuple[float, float, float, float]
    """Left, top, right and bottom edge in pixels of the source, the same distance from both sides."""

    @classmethod
    def of(cls, width: int, height: int, pixels: int) -> "Shape":
        """Shrink a source to about ``pixels``, by 2 or more, to sides that are multiples of 4.

        Args:
            width: Columns of the source.
            height: Its rows.
            pixels: Pixels that a frame is to have.

        Raises:
            InputError: If the source has sides below 8 pixels.
        """
        if min(width, height) < _MULTIPLE * LEAST_FACTOR:
            raise InputError(
                f"wanted a clip with sides of {_MULTIPLE * LEAST_FACTOR} pixels or more, got {width}x{height}"
            )
        wanted = max(LEAST_FACTOR, math.sqrt(width * height / pixels))
        columns, rows = (_MULTIPLE * max(1, round(side / wanted / _MULTIPLE)) for side in (width, height))
        if min(width / columns, height / rows) < LEAST_FACTOR:
            columns, rows = (_MULTIPLE * int(side / wanted / _MULTIPLE) for side in (width, height))
        factor = min(width / columns, height / rows)
        # Rounding may leave a hair below zero, which Pillow refuses.
        left = max(0.0, (width - factor * columns) / 2)
        top = max(0.0, (height - factor * rows) / 2)
        return cls(width=columns, height=rows, box=(left, top, width - left, height - top))

    def shrunk(self, frame: UInt8[np.ndarray, "rows columns 3"]) -> UInt8[np.ndarray, "height width 3"]:
        """Average a frame of the source over areas."""
        size = (self.width, self.height)
        return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BOX, box=self.box))


@dataclass(frozen=True, eq=False, kw_only=True)
class Original:
    """Frames that are encoded, in memory."""

    name: str
    frames: Frames
    frame_rate: Fraction

    @cached_property
    def clip(self) -> Clip:
        """The frames as the library reads them."""
        return nervid.read(self.frames, frame_rate=self.frame_rate)

    @property
    def size(self) -> str:
        """Width and height, as 640x360."""
        return f"{self.frames.shape[2]}x{self.frames.shape[1]}"

    @cached_property
    def content(self) -> str:
        """A hash over all that decides what an encoder makes of the clip."""
        return key_of(self.frames.tobytes(), f"{self.frames.shape} {self.frame_rate}")


def chosen(names: Sequence[str]) -> tuple[Source, ...]:
    """Return sources by name, all of them if none is named, in the order of ``SOURCES``.

    Raises:
        InputError: If there is no such clip.
    """
    if unknown := [name for name in names if name not in NAMES]:
        raise InputError(f"wanted clips of {' '.join(NAMES)}, got {unknown[0]}")
    return tuple(source for source in SOURCES if not names or source.name in names)


def read(source: Source, size_class: str, *, folder: Path = FOLDER) -> Original:
    """Read the first frames of a clip, shrunk to a class of size.

    Args:
        source: The clip.
        size_class: One of ``CLASSES``.
        folder: Where clips were fetched to.

    Raises:
        InputError: If the clip has not been fetched, or has too few frames.
    """
    path = path_of(source.file, folder)
    clip = nervid.read(path, tracks=False)
    shape = Shape.of(clip.info.width, clip.info.height, CLASSES[size_class])
    frames = [shape.shrunk(frame) for frame in islice(clip.iter_frames(), source.frames)]
    if len(frames) < source.frames:
        raise InputError(f"{path}: wanted {source.frames} frames, got {len(frames)}; fetch the clip again")
    return Original(name=source.name, frames=np.stack(frames), frame_rate=clip.info.frame_rate)


def path_of(file: str, folder: Path = FOLDER) -> Path:
    """Return where a clip lies.

    Raises:
        InputError: If it has not been fetched.
    """
    if not (folder / file).is_file():
        raise InputError(f"{folder / file}: no such clip; fetch it with make clips")
    return folder / file


def synthetic(frames: int = 8, *, width: int = 80, height: int = 64) -> Original:
    """Draw a moving texture for the smallest run."""
    rows, columns = np.mgrid[0:height, 0:width]

    def drawn(time: int) -> np.ndarray:
        waves = [np.sin((rows + time) / 3 + color) * np.cos(columns / 5 - time / 4) for color in range(3)]
        return (127.5 + 100 * np.stack(waves, -1)).astype(np.uint8)

    return Original(
        name="waves", frames=np.stack([drawn(time) for time in range(frames)]), frame_rate=Fraction(25)
    )
