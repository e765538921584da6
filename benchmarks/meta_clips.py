"""Held-out clips as meta-learning is measured on them: squares from the centre, a few frames each."""

from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

import nervid
from benchmarks.clips import FOLDER
from benchmarks.meta_corpus import COMMAND, HELD_OUT, held_out_sources
from nervid.errors import InputError

Frames = UInt8[Tensor, "frames 3 size size"]

FIRST_FRAME: Final = 40
"""Frame of the clip that is taken first: some clips fade in."""
FRAMES: Final = 8


def held_out(
    size: int, *, frames: int = FRAMES, names: tuple[str, ...] = HELD_OUT, folder: Path = FOLDER
) -> dict[str, Frames]:
    """Return consecutive frames of held-out clips, by name, each resized to a square.

    Args:
        size: Pixels a side, at most the clips' own shorter side.
        frames: Frames of each clip, from ``FIRST_FRAME`` on.
        names: Which clips.
        folder: Where clips were fetched to.

    Returns:
        RGB, 0 to 255, in the memory order in which fits want it (channels-last).

    Raises:
        InputError: If a clip has not been fetched, or has too few frames.
    """
    sources = {source.id: source for source in held_out_sources()}
    clips = {}
    for name in names:
        path = folder / sources[name].filename
        if not path.is_file():
            raise InputError(f"{path}: no such clip; run {COMMAND}")
        read = nervid.read(path, tracks=False).iter_frames()
        taken = list(islice(read, FIRST_FRAME, FIRST_FRAME + frames))
        if len(taken) < frames:
            raise InputError(f"{path}: wanted {FIRST_FRAME + frames} frames, got fewer; name another clip")
        clips[name] = as_frames([square(frame, size) for frame in taken])
    return clips


def square(frame: UInt8[np.ndarray, "height width 3"], size: int) -> UInt8[np.ndarray, "{size} {size} 3"]:
    """Return the largest square in the middle of a frame, averaged over areas down to ``size``."""
    height, width = frame.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    box = (left, top, left + side, top + side)
    return np.array(Image.fromarray(frame).resize((size, size), Image.Resampling.BOX, box=box))


def synthetic(size: int, frames: int, *, phase: int = 0) -> Frames:
    """Return frames of slanted stripes that move, each ``phase`` another picture, for the smallest runs."""
    rows, columns = np.mgrid[0:size, 0:size]

    def wave(angle: float, time: int) -> np.ndarray:
        phases = rows * np.cos(angle) / 5 + columns * np.sin(angle) / 7 + time / 3
        return np.asarray(127.5 + 100 * np.sin(phases))

    drawn = [np.stack([wave(phase + color, time) for color in range(3)], -1) for time in range(frames)]
    return as_frames([picture.astype(np.uint8) for picture in drawn])


class Stripes:
    """Windows without a corpus: moving stripes, another picture for every number."""

    def __init__(self, size: int, frames: int) -> None:
        self._size, self._frames = size, frames

    def window(self, number: int) -> Frames:
        """Return one window."""
        return synthetic(self._size, self._frames, phase=number)


def as_frames(pictures: list[np.ndarray]) -> Frames:
    """Return pictures [height, width, 3] as frames [frames, 3, height, width] over the same memory order."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
