"""Clips as the benchmark of Latent-INR takes them: small, nearly pristine, also at twice the size."""

from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import UInt8
from PIL import Image

import nervid
from benchmarks.bars import ROOT

CLIPS = ROOT / "benchmarks" / "clips"
Frames = UInt8[np.ndarray, "frames height width 3"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A packaged clip and what is taken of it."""

    name: str
    file: str
    height: int
    """Rows that are fitted; the source has at least twice as many."""
    width: int
    frames: int
    crop_rows: tuple[int, int] | None = None
    """Rows of the source that are kept, first and end; None keeps all."""


BUNNY = Source(name="bunny", file="bbb.mp4", height=160, width=320, frames=132, crop_rows=(40, 680))
"""The centre of Big Buck Bunny, as in benchmarks/engine_work.py."""
BUNNY_LARGE = Source(name="bunny 640x360", file="bbb.mp4", height=360, width=640, frames=132)
OTHERS = (
    Source(name="cup", file="cup.mp4", height=160, width=208, frames=96),
    Source(name="city", file="city.mpg", height=160, width=288, frames=96),
    Source(name="park", file="park.mp4", height=160, width=288, frames=96),
    Source(name="vtest", file="vtest.avi", height=160, width=208, frames=96),
    Source(name="woman", file="woman.mp4", height=160, width=288, frames=96),
)


def read(source: Source, *, scale: int = 1) -> Frames:
    """Return a clip's first frames at ``scale`` times the size that is fitted, resized from the source.

    Pillow's bicubic filter, which averages where it shrinks.

    Raises:
        InputError: If the clip has not been fetched.
    """
    size = (scale * source.width, scale * source.height)
    rows = slice(None) if source.crop_rows is None else slice(*source.crop_rows)
    frames = nervid.read(CLIPS / source.file, tracks=False).iter_frames()
    return np.stack([_resized(frame[rows], size) for frame in islice(frames, source.frames)])


def _resized(frame: UInt8[np.ndarray, "rows columns 3"], size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC))


def synthetic() -> Frames:
    """Sixteen tiny frames of a moving ramp, for the smallest run."""
    rows, columns = np.mgrid[0:32, 0:48]
    moving = [np.stack([rows * 4, columns * 5, rows + 9 * time], -1) for time in range(16)]
    return np.stack(moving).astype("uint8")
