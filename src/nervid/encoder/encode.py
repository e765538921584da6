"""Clip to .nerv: divide it into segments, have them encoded, assemble the file, report."""

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nervid.decoder.alignment import StoredAlignment
from nervid.encoder.align import HNERV_REACH, LATENT_REACH, PrincipalDirections, aim, teach
from nervid.encoder.assemble import EMPTY_SEGMENT, assemble
from nervid.encoder.budget import most_inputs
from nervid.encoder.config import DEFAULT_BITS_PER_PIXEL, EncodeConfig, parse_time
from nervid.encoder.devices import find_devices
from nervid.encoder.job import CodedSegment, Job
from nervid.encoder.latents import code_latents
from nervid.encoder.named import NamedInitialization
from nervid.encoder.progress import EncodeProgress, ProgressMeter, teaching_reporter
from nervid.encoder.provenance import job_key, provenance_of
from nervid.encoder.report import Reporter, early_warnings
from nervid.encoder.result import Encoded
from nervid.encoder.runs import SegmentRuns
from nervid.encoder.segment import plan_segment
from nervid.encoder.task import SegmentTask
from nervid.errors import InputError
from nervid.fit.distributed import ALONE, Ranks
from nervid.fit.trainer import Interrupted
from nervid.hardware import grow_on_huge_pages
from nervid.models.sizing import LEAST_LATENT
from nervid.teachers import Teacher, load_teacher
from nervid.video import Clip

FIT_SHARE = 0.9
"""Share of an encoding's time limit that fits may take; the rest is for coding and measuring."""
START_SECONDS = 1.0
"""What is set aside of it before, for looking for scenes and loading libraries; half of a limit at most."""


def encode(
    clip: Clip,
    config: EncodeConfig | None = None,
    *,
    workdir: str | Path | None = None,
    on_progress: Callable[[EncodeProgress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    save_seconds: float = 20.0,
    ranks: Ranks = ALONE,
    **options: Any,  # noqa: ANN401 - the fields of EncodeConfig, checked by it
) -> Encoded:
    """Encode a clip.

    Args:
        clip: The video, from :func:`nervid.read`.
        config: All choices; or give single ones as keywords, such as ``bpp=0.1`` (see :class:`EncodeConfig`).
        workdir: Folder that keeps the state, so that the same call goes on after a break; removed when the
            result is saved.
        on_progress: Called after every step.
        should_stop: Asked before every step; True saves the state and raises ``Interrupted``.
        save_seconds: Time between two saves of the state, in seconds: the most that a kill loses.
        ranks: Processes that all make this call and share every batch (see ``nervid.fit.distributed``); the
            first one alone keeps the state and reports, all of them return the file.
        **options: Fields of :class:`EncodeConfig`, in place of those in ``config``.

    Returns:
        The file's bytes and what was measured.

    Raises:
        InputError: If the asked size is too small, or an option is out of range.
        OutputError: If the work folder cannot be written.
        NervidError: If one of several processes was killed.
        Interrupted: When ``should_stop`` said so.
    """
    config = replace(config or EncodeConfig(), **options)
    with ranks.agreed():
        encoding = _Encoding(clip, config, workdir, save_seconds, ranks)
    return encoding.run(on_progress, should_stop)


class _Encoding:
    """One call of :func:`encode`, checked; nothing is fitted yet."""

    def __init__(
        self, clip: Clip, config: EncodeConfig, workdir: str | Path | None, save_seconds: float, ranks: Ranks
    ) -> None:
        self._clip, self._config = clip, config
        self._save_seconds, self._ranks = save_seconds, ranks
        self._devices = find_devices(config.device) if ranks.size == 1 else (ranks.device,)
        self._warnings: tuple[str, ...] = ()
        if config.follows_previous and len(self._devices) > 1:
            self._warnings = (
                f"init {config.init} fits segments one after the other: {self._devices[0]} alone was used",
            )
            self._devices = self._devices[:1]
        self._started = time.monotonic()
        self._ranges = clip.segments(config.max_segment_frames)
        self._initialization = NamedInitialization.find(config)
        self._vectors: np.ndarray | None = None
        self._teacher = None if config.align is None else load_teacher(config.align)
        self._alignment: StoredAlignment | None = None
        self._latents: tuple[bytes, ...] = ()
        if self._teacher is not None and config.align_layout == "direct":
            self._alignment = StoredAlignment(self._teacher.record, None)
        self._target = config.target_bytes(len(clip) * clip.info.height * clip.info.width)
        self._surroundings = len(self._assemble([EMPTY_SEGMENT] * len(self._ranges)))
        if self._target is not None:
            self._check_target(self._target)
        self._tasks = [self._task(number) for number in range(len(self._ranges))]
        self._key = job_key(clip, config, self._initialization, device=self._devices[0], ranks=ranks)
        self._folder = None if workdir is None or not ranks.is_first else Path(workdir)
        self._job = None if self._folder is None else Job(self._folder, self._key)
        self._seconds_before = 0.0 if self._job is None else self._job.seconds

    def run(
        self,
        on_progress: Callable[[EncodeProgress], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> Encoded:
        grow_on_huge_pages()
        try:
            if self._teacher is not None:
                self._align(self._teacher, on_progress if self._ranks.is_first else None, should_stop)
            meter = None
            if on_progress is not None and self._ranks.is_first:
                meter = ProgressMeter(
                    on_progress,
                    frames=[task.frames for task in self._tasks],
                    surrounding_bytes=self._surroundings,
                    target_bytes=self._target,
                    seconds_before=self._seconds_before,
                )
            coded = SegmentRuns(
                clip=self._clip,
                ranges=self._ranges,
                devices=self._devices,
                ranks=self._ranks,
                save_seconds=self._save_seconds,
                job=self._job,
                place=None if self._folder is None else (self._folder, self._key),
                meter=meter,
                should_stop=should_stop,
            ).run(self._tasks)
        finally:
            if self._job is not None:
                self._job.add_seconds(time.monotonic() - self._started)
        data = self._assemble(coded)
        reporter = Reporter(
            clip=self._clip,
            config=self._config,
            target_bytes=self._target,
            ranges=self._ranges,
            devices=self._devices,
            device=",".join(self._devices) if self._ranks.size == 1 else f"{self._ranks.size} ranks",
            vectors=self._vectors,
            warnings=self._warnings,
        )
        seconds = self._seconds_before + time.monotonic() - self._started
        return Encoded(data=data, report=reporter.report(data, coded, seconds=seconds), job=self._job)

    def _align(
        self,
        teacher: Teacher,
        on_progress: Callable[[EncodeProgress], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        """Have the teacher look at the clip; the segments get less by the bytes of a head that follows."""
        report = None
        if on_progress is not None:
            report = teaching_reporter(
                on_progress, frames=len(self._clip), segments=len(self._ranges), target_bytes=self._target
            )
        self._vectors = self._ranks.by_first(
            lambda: teach(
                self._clip,
                teacher,
                self._folder,
                on_frames=report,
                should_stop=should_stop,
                save_seconds=self._save_seconds,
            )
        )
        if self._config.align_layout == "head":
            self._choose_head(teacher, self._vectors)
        self._tasks = [self._task(number) for number in range(len(self._ranges))]

    def _choose_head(self, teacher: Teacher, vectors: np.ndarray) -> None:
        """Take the head that keeps the teacher's cosines, with fewer inputs where the size is too small."""
        # Found once: ranks on other machines might find others.
        directions = self._ranks.by_first(lambda: PrincipalDirections(vectors))
        reach = HNERV_REACH if self._config.model == "hnerv" else LATENT_REACH

        def fits(inputs: int) -> bool:
            alignment = StoredAlignment(teacher.record, directions.head(inputs, reach=reach))
            self._alignment = alignment
            if self._config.model == "nervid":
                # Found once, as the directions are.
                self._latents = self._ranks.by_first(lambda: code_latents(alignment, vectors, self._ranges))
            self._surroundings = len(self._assemble([EMPTY_SEGMENT] * len(self._ranges)))
            try:
                if self._target is not None:
                    self._check_target(self._target)
            except InputError:
                if inputs <= LEAST_LATENT:
                    raise
                return False
            return True

        pixels = len(self._clip) * self._clip.info.height * self._clip.info.width
        most = directions.fewest(
            most_inputs(
                self._config,
                size_bytes=self._target or DEFAULT_BITS_PER_PIXEL * pixels / 8,
                frames=len(vectors),
                dimension=vectors.shape[1],
            )
        )
        if not fits(most):
            # The largest number below that fits; the least one is refused as any size that is too small.
            counts = range(LEAST_LATENT + 1, most)
            fits(LEAST_LATENT + bisect_left(counts, True, key=lambda inputs: not fits(inputs)))

    def _task(self, number: int) -> SegmentTask:
        """What to do for a segment. Its bytes are its share, by frames, whatever becomes of the others."""
        info, frames = self._clip.info, len(self._ranges[number])
        alignment = None
        if self._alignment is not None and self._vectors is not None and not self._latents:
            rows = self._vectors[self._ranges[number].start : self._ranges[number].stop]
            alignment = aim(self._alignment, rows)
        limit = None if self._config.time is None else parse_time(self._config.time)
        room = 0 if self._target is None else self._target - self._surroundings
        budget = None if self._target is None else room * frames / len(self._clip)
        return SegmentTask(
            number=number,
            frames=frames,
            height=info.height,
            width=info.width,
            config=self._config,
            budget_bytes=budget,
            alignment=alignment,
            least_numbers=1 if self._alignment is None else self._alignment.inputs,
            latents=self._latents[number] if self._latents else b"",
            initialization=None if self._initialization is None else self._initialization.content,
            time_limit_seconds=None if limit is None else fit_seconds(limit) * frames / len(self._clip),
        )

    def _check_target(self, target: int) -> None:
        """Refuse a size that cannot be met before anything is fitted."""
        tracks = sum(len(track.to_bytes()) for track in self._clip.tracks)
        if target <= self._surroundings:
            advice = "; leave them out (--no-tracks) or ask for more" if tracks else "; ask for more"
            raise InputError(
                f"asked for {target} bytes, but header, timestamps and copied tracks alone take "
                f"{self._surroundings} ({tracks} of them sound and subtitles){advice}"
            )
        for task in map(self._task, range(len(self._ranges))):
            assert task.budget_bytes is not None
            plan_segment(task, task.budget_bytes, device=self._devices[0])

    def _assemble(self, segments: Sequence[CodedSegment]) -> bytes:
        named = self._initialization
        return assemble(
            self._clip,
            self._ranges,
            segments,
            provenance_of(self._config, named),
            alignment=None if self._alignment is None else self._alignment.to_bytes(),
            initialization=named.reference if named is not None and self._config.delta else None,
        )


def fit_seconds(limit: float) -> float:
    """Return how long all fits may take, where an encoding may take ``limit`` seconds."""
    return FIT_SHARE * (limit - min(START_SECONDS, limit / 2))


__all__ = ["EncodeProgress", "Interrupted", "early_warnings", "encode"]
