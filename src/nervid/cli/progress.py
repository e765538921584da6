"""Progress of long work on stderr: a live line on a terminal, a plain line every few seconds elsewhere."""

import time
from types import TracebackType
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from nervid.cli.screen import bytes_text, print_note, stderr, time_text

if TYPE_CHECKING:
    from nervid.encoder.encode import EncodeProgress
    from nervid.meta.progress import MetaProgress

PLAIN_SECONDS = 5.0
"""Time between two plain lines."""


class ProgressLine:
    """A context manager whose :meth:`update` shows a share and some words."""

    def __init__(self) -> None:
        console = stderr()
        self._shown = -float("inf")
        self._last: tuple[float, str] = (0.0, "")
        self._live: Progress | None = None
        self._task: TaskID | None = None
        if console.is_terminal:
            self._live = Progress(
                BarColumn(bar_width=24),
                TextColumn("{task.percentage:>3.0f} %"),
                TextColumn("{task.fields[words]}"),
                console=console,
                transient=True,
            )
            self._task = self._live.add_task("", total=1.0, words="")

    def update(self, share: float, words: str) -> None:
        """Show ``share`` in [0, 1] and ``words``; cheap enough to be called at every step."""
        self._last = (share, words)
        if self._live is not None and self._task is not None:
            self._live.update(self._task, completed=share, words=words)
        elif time.monotonic() - self._shown >= PLAIN_SECONDS:
            self._shown = time.monotonic()
            print_note(f"{100 * share:3.0f} %  {words}")

    def __enter__(self) -> "ProgressLine":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()


def encode_words(progress: "EncodeProgress") -> str:
    """Return the words of an encoding's progress line."""
    fit = progress.fit
    if fit.phase == "teach":
        return f"teacher looks  {fit.step}/{fit.steps} frames  {fit.frames_per_second:.1f} frames/s"
    place = "" if progress.segments == 1 else f"segment {progress.segment + 1}/{progress.segments}  "
    attempt = f"fit {progress.attempt + 1}  " if progress.attempt else ""
    phase = {"fit": "fitting", "finetune": "quantizing"}[fit.phase]
    return (
        f"{place}{attempt}{phase}  {fit.psnr_db:.2f} dB  {fit.frames_per_second:.1f} frames/s  "
        f"to {bytes_text(progress.projected_bytes)}  "
        f"{time_text(progress.elapsed_seconds)} gone, {time_text(progress.left_seconds)} left"
    )


def meta_words(progress: "MetaProgress") -> str:
    """Return the words of a meta-training's progress line."""
    measured = "" if progress.held_out_db is None else f"held-out {progress.held_out_db:.2f} dB  "
    return (
        f"windows {progress.start_db:.2f} -> {progress.adapted_db:.2f} dB  {measured}"
        f"{progress.frames} frames  step {progress.step}/{progress.steps}  "
        f"{time_text(progress.seconds)} gone, {time_text(progress.seconds_left)} left"
    )
