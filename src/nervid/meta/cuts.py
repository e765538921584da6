"""Cuts inside a shot, found from the few frames that were decoded."""

from itertools import pairwise
from typing import Final

from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

CELLS: Final = 16
"""Rows and columns of the coarse picture that is compared: motion within a cell does not count."""
LEAST_CHANGE: Final = 15.0
"""Mean difference of coarse pictures, in levels of 0 to 255, below which nothing is a cut.

The weakest of the 125 hard cuts of Big Buck Bunny is one of 21.
"""
TIMES_AROUND: Final = 2.5
"""How many times the mean of the changes around it a cut is."""
AROUND: Final = 2
"""Changes on either side that it is compared with, as far as there are any."""
SURE_CHANGE: Final = 70.0
"""Mean difference from which on a change is a cut, whatever is around it."""
_SAMPLES: Final = 64
"""Rows and columns that a coarse picture is averaged from, at least, if there are as many."""


def changes(frames: UInt8[Tensor, "frames 3 height width"]) -> Float[Tensor, " pairs"]:
    """Measure how much each frame differs from the one before: levels of 0 to 255, one less than frames."""
    step = max(1, min(frames.shape[2:]) // _SAMPLES)
    coarse = functional.adaptive_avg_pool2d(frames[:, :, ::step, ::step].float(), CELLS)
    return (coarse[1:] - coarse[:-1]).abs().mean(dim=(1, 2, 3))


def longest_run(frames: UInt8[Tensor, "frames 3 height width"]) -> range:
    """Return the longest run of frames without a hard cut, the first one of several.

    A cut is a change of ``LEAST_CHANGE`` or more that is ``TIMES_AROUND`` times those around it, or one of
    ``SURE_CHANGE``. What is taken for a cut and is none costs frames and does no harm.

    Args:
        frames: A shot, 1 frame or more.

    Notes:
        The idea is that of ``nervid.video.scenes``, whose detector is made for whole videos: it reports no
        cut among the first eight frames or the last two, and in a shot of some fifty frames too many would
        stay unseen.
    """
    change = changes(frames).tolist()
    bounds = [0, *(index + 1 for index in range(len(change)) if _is_cut(change, index)), len(frames)]
    return max((range(start, stop) for start, stop in pairwise(bounds)), key=len)


def _is_cut(change: list[float], index: int) -> bool:
    around = change[max(0, index - AROUND) : index] + change[index + 1 : index + 1 + AROUND]
    usual = sum(around) / len(around) if around else 0.0
    return change[index] >= SURE_CHANGE or change[index] >= max(LEAST_CHANGE, TIMES_AROUND * usual)
