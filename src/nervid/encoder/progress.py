"""Where an encoding stands: the running fit, put into the whole."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from nervid.fit.trainer import FitProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeProgress:
    """Where an encoding stands, after every step."""

    segment: int
    """Segment being fitted, from 0."""
    segments: int
    """Segments in all."""
    attempt: int
    """Fit of this segment, from 0; only a quality asks for more than one."""
    share_done: float
    """Share of the work done, in [0, 1]; a guess while a quality is searched."""
    projected_bytes: int
    """Size that the file is heading for."""
    fit: FitProgress
    """The running fit."""
    elapsed_seconds: float
    """Time spent, earlier runs included."""
    left_seconds: float
    """Time left at this run's pace; infinite before there is one."""


class ProgressMeter:
    """Turns the reports of one fit after another into the encoding's.

    Args:
        on_progress: Who is told.
        segments: Segments in all.
        seconds_before: Time that earlier runs took, in seconds.
    """

    def __init__(
        self, on_progress: Callable[[EncodeProgress], None], *, segments: int, seconds_before: float
    ) -> None:
        self._on_progress = on_progress
        self._segments = segments
        self._seconds_before = seconds_before
        self._started = time.monotonic()
        self._first_share: float | None = None

    def reporter(
        self,
        *,
        segment: int,
        attempt: int,
        share_before: float,
        share_of_segment: float,
        phase_steps: tuple[int, int],
        projected_bytes: int,
    ) -> Callable[[FitProgress], None]:
        """Return what a fit calls after every step.

        Args:
            segment: Number of the segment.
            attempt: Number of the fit of this segment.
            share_before: Share of the frames in finished segments.
            share_of_segment: Share of the frames in this one.
            phase_steps: Steps before quantization and of the fine-tuning.
            projected_bytes: Size that the file is heading for.
        """

        def report(fit: FitProgress) -> None:
            steps = fit.step + (phase_steps[0] if fit.phase == "finetune" else 0)
            share = share_before + share_of_segment * steps / sum(phase_steps)
            if self._first_share is None:
                self._first_share = share
            run = time.monotonic() - self._started
            pace = (share - self._first_share) / max(run, 1e-9)
            self._on_progress(
                EncodeProgress(
                    segment=segment,
                    segments=self._segments,
                    attempt=attempt,
                    share_done=share,
                    projected_bytes=projected_bytes,
                    fit=fit,
                    elapsed_seconds=self._seconds_before + run,
                    left_seconds=(1 - share) / pace if pace > 0 else float("inf"),
                )
            )

        return report
