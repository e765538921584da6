"""Windows: short, small clips cut out of shots at random, each a function of its number alone."""

import math
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from types import TracebackType
from typing import Final

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn import functional

from nervid.errors import InputError
from nervid.meta.corpus import Corpus
from nervid.meta.shots import SHOT_FRAMES, Shot, Shots

AHEAD: Final = 4
"""Shots that are decoded before a window needs them, besides one for each further worker."""
LARGEST_SPEED: Final = 3
"""A window takes every frame of its shot, every second or every third one."""
LARGEST_ZOOM: Final = 2
"""Short side of a shot in longer sides of a window, and so how much smaller a crop may become."""
_CHOICES: Final = 3
"""Keeps the draws of windows from those of shots, which have 1 and 2."""


class Rotation:
    """Which shot a window is cut out of: ``held`` shots take turns, and each is replaced after ``reuse``.

    Window ``n`` is cut out of the shot in place ``n`` modulo ``held``. Places change their shots at
    different times, one every ``reuse`` windows, so that windows that follow one another come from
    different shots and the set of shots changes gradually.

    Args:
        held: Shots at a time, 1 or more.
        reuse: Windows from one shot, 1 or more; the first shots of most places give fewer.
    """

    def __init__(self, *, held: int, reuse: int) -> None:
        self.held, self.reuse = held, reuse

    def shot(self, window: int) -> int:
        """Return the number of the shot that window number ``window`` is cut out of."""
        turn, place = divmod(window, self.held)
        return (turn + place * self.reuse // self.held) // self.reuse * self.held + place

    def upcoming(self, window: int, ahead: int) -> list[int]:
        """List the shots that windows from ``window`` on need, in the order in which they need them.

        The first ``held`` are those that are in turn now, ``ahead`` others follow.
        """
        wanted: dict[int, None] = {}
        for number in count(window):
            wanted[self.shot(number)] = None
            if number - window >= self.held - 1 and len(wanted) >= self.held + ahead:
                return list(wanted)
        raise AssertionError


class Windows:
    """Short clips of one size out of a corpus, always the same one for the same number.

        n -> shot of n -> speed, direction, first frame -> crop, mirror -> resize

    Every choice comes from generators that ``seed`` and the number start, so that windows may be asked for in
    any order, and a run that goes on where it was gets what it would have got. Shots are decoded on threads
    ahead of the windows that need them; numbers that mostly increase are the quick way. One thread asks.

    Use it in a ``with`` statement, or call :meth:`close`.

    Args:
        corpus: Where windows come from; it learns which files cannot serve.
        height: Pixels, 1 or more.
        width: Pixels, 1 or more.
        frames: Frames of a window, 1 to ``shot_frames``.
        seed: 0 or more.
        reuse: Windows from one shot, 1 or more; more is quicker and less various.
        held_shots: Shots that take turns, 1 or more.
        shot_frames: Frames that a shot has at most.
        photographs: Share of shots made from photographs, 0 to 1, if the corpus has both kinds.
        workers: Threads that decode, 1 or more; they do not change what comes out.

    Raises:
        InputError: If an argument is out of its range.
    """

    def __init__(
        self,
        corpus: Corpus,
        *,
        height: int,
        width: int,
        frames: int,
        seed: int,
        reuse: int = 16,
        held_shots: int = 16,
        shot_frames: int = SHOT_FRAMES,
        photographs: float = 0.25,
        workers: int = 1,
    ) -> None:
        for name, value in (
            ("height", height),
            ("width", width),
            ("frames", frames),
            ("reuse", reuse),
            ("held_shots", held_shots),
            ("workers", workers),
        ):
            if value < 1:
                raise InputError(f"windows: {name} must be 1 or more, got {value}")
        self._height, self._width, self._frames, self._seed = height, width, frames, seed
        self._rotation = Rotation(held=held_shots, reuse=reuse)
        self._ahead = AHEAD + workers - 1
        self._workers = workers
        self._shots = Shots(
            corpus,
            short_side=LARGEST_ZOOM * max(height, width),
            needed=frames,
            frames=shot_frames,
            seed=seed,
            photographs=photographs,
        )
        self._decoded: dict[int, Future[Shot]] = {}
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="nervid-shots")

    @property
    def largest_bytes(self) -> int:
        """Memory that shots take at most: those in turn, those ahead and two for each worker.

        A worker that looks for a longer run keeps the best one so far. Pictures as large as those of the
        files come on top, a few for each worker.
        """
        return (self._rotation.held + self._ahead + 2 * self._workers) * self._shots.largest_bytes

    def window(self, number: int) -> UInt8[Tensor, "frames 3 height width"]:
        """Return one window.

        Args:
            number: 0 or more.

        Returns:
            RGB, 0 to 255, contiguous and the caller's own.

        Raises:
            InputError: If no file of the corpus has enough frames, or :meth:`close` was called.
        """
        shot = self.shot(number).frames
        generator = np.random.default_rng([self._seed, _CHOICES, number])
        return cut_window(shot, self._frames, self._height, self._width, generator)

    def shot(self, number: int) -> Shot:
        """Return the shot that window ``number`` is cut out of; arguments and errors as :meth:`window`."""
        if number < 0:
            raise InputError(f"windows: a number must be 0 or more, got {number}")
        wanted = self._rotation.upcoming(number, self._ahead)
        for gone in self._decoded.keys() - set(wanted):
            self._decoded.pop(gone).cancel()
        try:
            for shot in wanted:
                if shot not in self._decoded:
                    self._decoded[shot] = self._threads.submit(self._shots.shot, shot)
        except RuntimeError:
            raise InputError("windows: closed already; make new ones") from None
        return self._decoded[wanted[0]].result()

    def close(self) -> None:
        """End the threads, when the shots that they are decoding are finished; nothing stays in memory."""
        self._threads.shutdown(cancel_futures=True)
        self._decoded.clear()

    def __enter__(self) -> "Windows":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def cut_window(
    shot: UInt8[Tensor, "shot_frames 3 shot_height shot_width"],
    frames: int,
    height: int,
    width: int,
    generator: np.random.Generator,
) -> UInt8[Tensor, "{frames} 3 {height} {width}"]:
    """Cut a window out of a shot, by chance.

    Speed (1 to ``LARGEST_SPEED``, as far as the shot is long enough), direction and first frame are evenly
    distributed. The crop has the window's aspect; the logarithm of its size is evenly distributed between
    the window's own size and the largest that the shot holds. A shot smaller than the window is enlarged.
    Half of all windows are mirrored left to right.

    Args:
        shot: RGB, 0 to 255, ``frames`` frames or more.
        frames: Frames of the window.
        height: Pixels of the window.
        width: Pixels of the window.
        generator: Decides.

    Returns:
        RGB, 0 to 255, contiguous.
    """
    shot_frames, _, shot_height, shot_width = shot.shape
    largest_speed = min(LARGEST_SPEED, (shot_frames - 1) // max(1, frames - 1)) if frames > 1 else 1
    speed = int(generator.integers(1, largest_speed + 1))
    span = (frames - 1) * speed + 1
    first = int(generator.integers(shot_frames - span + 1))
    is_reversed, is_mirrored = (bool(choice) for choice in generator.integers(2, size=2))
    largest = min(shot_height / height, shot_width / width)
    zoom = math.exp(generator.uniform(min(0.0, math.log(largest)), math.log(largest)))
    rows, columns = min(shot_height, round(zoom * height)), min(shot_width, round(zoom * width))
    rows, columns = max(1, rows), max(1, columns)
    top = int(generator.integers(shot_height - rows + 1))
    left = int(generator.integers(shot_width - columns + 1))
    crop = shot[first : first + span : speed, :, top : top + rows, left : left + columns]
    if is_reversed:
        crop = crop.flip(0)
    if is_mirrored:
        crop = crop.flip(3)
    if (rows, columns) != (height, width):
        crop = functional.interpolate(
            crop, size=(height, width), mode="bilinear", antialias=True, align_corners=False
        )
    return crop.clone(memory_format=torch.contiguous_format)
