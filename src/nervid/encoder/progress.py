"""Where an encoding stands: the running fits, put into the whole."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nervid.encoder.segment import SegmentProgress
from nervid.fit.trainer import FitProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeProgress:
    """Where an encoding stands, after a step of one of its fits.

    One device reports every step. Of several devices each reports about ten times a second, the last step of
    every fit included.
    """

    segment: int
    """Segment in which the step was taken, from 0."""
    running: tuple[int, ...]
    """All segments being fitted, in order; as many as there are devices."""
    segments: int
    """Segments in all."""
    attempt: int
    """Fit of this segment, from 0; only a quality asks for more than one."""
    share_done: float
    """Share of the whole work done, in [0, 1]; a guess while a quality is searched."""
    projected_bytes: int
    """Size that the file is heading for."""
    fit: FitProgress
    """The running fit of the segment; before all fits of an aligned file, phase "teach": its steps are frames
    that the teacher has seen."""
    elapsed_seconds: float
    """Time spent, earlier runs included."""
    left_seconds: float
    """Time left at this run's pace; infinite before there is one."""


def teaching_reporter(
    on_progress: Callable[[EncodeProgress], None], *, frames: int, segments: int, target_bytes: int | None
) -> Callable[[int], None]:
    """Return what reports how many frames a teacher has seen; nothing of the fits is done by then.

    Args:
        on_progress: Who is told.
        frames: Frames of the clip.
        segments: Segments of the clip.
        target_bytes: Size that was asked for, or None for a quality.
    """
    started = time.monotonic()

    def report(seen: int) -> None:
        seconds = max(time.monotonic() - started, 1e-9)
        on_progress(
            EncodeProgress(
                segment=0,
                running=(0,),
                segments=segments,
                attempt=0,
                share_done=0.0,
                projected_bytes=target_bytes or 0,
                fit=FitProgress(
                    phase="teach",
                    step=seen,
                    steps=frames,
                    psnr_db=0.0,
                    frames_per_second=seen / seconds,
                    restarts=0,
                ),
                elapsed_seconds=seconds,
                left_seconds=float("inf"),
            )
        )

    return report


class ProgressMeter:
    """Turns the reports of segments, one at a time or side by side, into the encoding's.

    Args:
        on_progress: Who is told.
        frames: Frames of each segment.
        surrounding_bytes: Size of the file without its segments.
        target_bytes: Size that was asked for, or None for a quality.
        seconds_before: Time that earlier runs took, in seconds.
    """

    def __init__(
        self,
        on_progress: Callable[[EncodeProgress], None],
        *,
        frames: Sequence[int],
        surrounding_bytes: int,
        target_bytes: int | None,
        seconds_before: float,
    ) -> None:
        self._on_progress = on_progress
        self._weights = [count / sum(frames) for count in frames]
        self._surrounding_bytes, self._target_bytes = surrounding_bytes, target_bytes
        self._seconds_before = seconds_before
        self._started = time.monotonic()
        self._first_share: float | None = None
        self._done: dict[int, float] = {}
        self._bytes: dict[int, float] = {}
        self._running: set[int] = set()

    def finish(self, number: int, size_bytes: int) -> None:
        """Take in that segment ``number`` is finished."""
        self._done[number], self._bytes[number] = 1.0, size_bytes
        self._running.discard(number)

    def update(self, progress: SegmentProgress) -> None:
        """Take in a step of one segment and report the whole."""
        number = progress.number
        self._done[number], self._bytes[number] = progress.share_done, progress.budget_bytes
        self._running.add(number)
        share = sum(self._weights[each] * done for each, done in self._done.items())
        if self._first_share is None:
            self._first_share = share
        run = time.monotonic() - self._started
        pace = (share - self._first_share) / max(run, 1e-9)
        self._on_progress(
            EncodeProgress(
                segment=number,
                running=tuple(sorted(self._running)),
                segments=len(self._weights),
                attempt=progress.attempt,
                share_done=min(share, 1.0),
                projected_bytes=self._target_bytes or self._projected_bytes(),
                fit=progress.fit,
                elapsed_seconds=self._seconds_before + run,
                left_seconds=(1 - share) / pace if pace > 0 else float("inf"),
            )
        )

    def _projected_bytes(self) -> int:
        """The size if the segments not begun get as many bytes per frame as the others."""
        begun = sum(self._weights[number] for number in self._bytes)
        return self._surrounding_bytes + round(sum(self._bytes.values()) / begun)
