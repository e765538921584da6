"""Moments: how the scores of frames become stretches of time.

The rule, in this order:

1. A frame's score is the mean cosine, with the query, of all frames that appear within half of
   SMOOTHING_SECONDS before or after it (``smooth``).
2. Frames whose score is at least the threshold are taken; where none is given, the file's own
   (``own_threshold``), which its best frame always reaches.
3. Taken frames that follow one another form a stretch, from the first one's appearance until the last one
   leaves. Stretches less than GAP_SECONDS apart become one, the frames between included.
4. Each stretch is a moment. Its score is the highest in it; of several such frames the first is the best one.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64

from nervid.errors import InputError

SMOOTHING_SECONDS = 0.25
"""Width of the window that a frame's score is the mean of: one frame's blink decides nothing; untuned."""
GAP_SECONDS = 0.5
"""Stretches less than this apart are one moment; untuned."""
BACKGROUND_PERCENT = 25
"""Share of a file's frames that score no higher than what does not fit: up to three quarters may; untuned."""
PEAK_SHARE = 0.5
"""Where a file's own threshold lies between its background and its peak; untuned."""
LEAST_DROP = 0.1
"""How far below the peak that threshold lies at least, as a share of the peak; untuned."""

_SLACK_SECONDS = 1e-6
"""Keeps the rounding of a time in seconds from moving a frame out of a window or across a gap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A stretch of one file that fits a query."""

    path: str
    """The file, as it was named."""
    start_seconds: float
    """When its first frame appears, on the file's own clock."""
    end_seconds: float
    """When the frame after its last one appears, or the file ends."""
    best_seconds: float
    """When the frame with the highest score appears."""
    score: float
    """That frame's score, a cosine of -1 to 1; comparable only under one teacher."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameTimes:
    """When the frames of a file are on screen."""

    starts: Float64[np.ndarray, " frames"]
    """When each appears, in seconds on the file's own clock, strictly increasing."""
    end_seconds: float
    """When the last one leaves."""

    @property
    def ends(self) -> Float64[np.ndarray, " frames"]:
        """When each frame leaves the screen, in seconds."""
        return np.append(self.starts[1:], self.end_seconds)


def find_moments(
    path: str,
    scores: Float64[np.ndarray, " frames"],
    times: FrameTimes,
    *,
    threshold: float | None = None,
) -> list[Moment]:
    """Merge neighboring frames that fit a query into moments, by steps 2 to 4 of the rule above.

    Args:
        path: The file, for the moments.
        scores: Score of each frame, as :func:`smooth` returns it.
        times: When the frames are on screen.
        threshold: Lowest score of a frame that is taken; None for the file's own.

    Returns:
        The moments in order of time; none overlap. Empty only if no frame reaches ``threshold``.
    """
    ends = times.ends
    taken = scores >= (own_threshold(scores) if threshold is None else threshold)
    edges = np.flatnonzero(np.diff(taken, prepend=False, append=False))
    if not len(edges):
        return []
    firsts, lasts = edges[0::2], edges[1::2] - 1
    apart = times.starts[firsts[1:]] - ends[lasts[:-1]] >= GAP_SECONDS - _SLACK_SECONDS
    firsts, lasts = firsts[np.append(True, apart)], lasts[np.append(apart, True)]
    moments = []
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        best = first + int(np.argmax(scores[first : last + 1]))
        moments.append(
            Moment(
                path=path,
                start_seconds=float(times.starts[first]),
                end_seconds=float(ends[last]),
                best_seconds=float(times.starts[best]),
                score=float(scores[best]),
            )
        )
    return moments


def smooth(cosines: Float[np.ndarray, " frames"], times: FrameTimes) -> Float64[np.ndarray, " frames"]:
    """Return the score of each frame: the mean cosine of the frames that appear within half a window of it.

    Windows are cut at the file's ends; a frame without neighbors that near keeps its cosine. Means are
    rounded to six decimals, so that bits in which machines differ decide neither a threshold nor a tie.
    """
    half = SMOOTHING_SECONDS / 2 + _SLACK_SECONDS
    first: Int64[np.ndarray, " frames"] = np.searchsorted(times.starts, times.starts - half, side="left")
    stop: Int64[np.ndarray, " frames"] = np.searchsorted(times.starts, times.starts + half, side="right")
    sums = np.concatenate([[0.0], np.cumsum(cosines, dtype=np.float64)])
    means: Float64[np.ndarray, " frames"] = (sums[stop] - sums[first]) / (stop - first)
    return np.round(means, 6)


def own_threshold(scores: Float64[np.ndarray, " frames"]) -> float:
    """Return the threshold that a file's own scores suggest.

    With the peak p of the scores, and as background b their percentile BACKGROUND_PERCENT,

        p - max(PEAK_SHARE (p - b), LEAST_DROP |p|)

    that is halfway between what does not fit and what fits best, whatever cosines the teacher gives; but a
    file that fits from end to end, whose background is near its peak, is not cut to pieces by small
    differences.
    """
    peak, background = float(scores.max()), float(np.percentile(scores, BACKGROUND_PERCENT))
    return peak - max(PEAK_SHARE * (peak - background), LEAST_DROP * abs(peak))


def best_moments(moments: list[Moment], top: int) -> list[Moment]:
    """Return the ``top`` moments with the highest scores, best first; equals stay in the order given.

    Raises:
        InputError: If ``top`` is below 1.
    """
    if top < 1:
        raise InputError(f"top must be at least 1, got {top}")
    return sorted(moments, key=lambda moment: -moment.score)[:top]
