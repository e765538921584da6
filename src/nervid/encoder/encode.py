"""Clip to .nerv: divide it into segments, have them encoded, assemble the file, report."""

import hashlib
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

from nervid._version import __version__
from nervid.container import NervFile
from nervid.decoder.alignment import StoredAlignment, read_vectors
from nervid.encoder.align import HNERV_REACH, LATENT_REACH, PrincipalDirections, aim, teach
from nervid.encoder.assemble import EMPTY_SEGMENT, assemble
from nervid.encoder.budget import most_inputs
from nervid.encoder.config import DEFAULT_BITS_PER_PIXEL, EncodeConfig
from nervid.encoder.devices import find_devices
from nervid.encoder.job import CodedSegment, Job
from nervid.encoder.pool import Pool
from nervid.encoder.progress import EncodeProgress, ProgressMeter, teaching_reporter
from nervid.encoder.result import Encoded, EncodeReport
from nervid.encoder.segment import SegmentEncoder, SegmentTask, plan_segment
from nervid.encoder.worker import WorkerSetup
from nervid.errors import InputError
from nervid.fit.distributed import ALONE, Ranks, shared_recipe
from nervid.fit.precision import autocast_dtype
from nervid.fit.recipe import RECIPES
from nervid.fit.trainer import Interrupted
from nervid.hardware import grow_on_huge_pages
from nervid.metrics.rate import bits_per_pixel, rate_warning
from nervid.models.sizing import LEAST_LATENT
from nervid.teachers import Teacher, load_teacher
from nervid.video import Clip

NOT_STORED = frozenset({"device"})
"""Choices that do not belong to how a file was made: every device of a kind makes the same one."""
LEAST_COSINE = 0.9
"""Mean cosine of a file's vectors with the teacher's below which a report warns; chosen, untuned."""


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


def early_warnings(clip: Clip, config: EncodeConfig) -> tuple[str, ...]:
    """Return what a user should know before waiting for an encoding, one line each.

    That is what is wrong with the clip, and an asked rate (sound left out of it) above that of the source
    itself: whatever comes out then proves nothing.
    """
    info = clip.info
    target = config.target_bytes(len(clip) * info.height * info.width)
    if target is None:
        return clip.warnings
    picture = max(target - sum(len(track.to_bytes()) for track in clip.tracks), 0)
    asked = bits_per_pixel(picture, len(clip), info.height, info.width)
    warning = rate_warning(asked, clip.source_bits_per_pixel)
    return clip.warnings if warning is None else (*clip.warnings, warning)


class _Encoding:
    """One call of :func:`encode`, checked; nothing is fitted yet."""

    def __init__(
        self, clip: Clip, config: EncodeConfig, workdir: str | Path | None, save_seconds: float, ranks: Ranks
    ) -> None:
        self._clip, self._config = clip, config
        self._save_seconds, self._ranks = save_seconds, ranks
        self._devices = find_devices(config.device) if ranks.size == 1 else (ranks.device,)
        self._started = time.monotonic()
        self._ranges = clip.segments(config.max_segment_frames)
        self._vectors: np.ndarray | None = None
        self._teacher = None if config.align is None else load_teacher(config.align)
        self._alignment: StoredAlignment | None = None
        if self._teacher is not None and config.align_layout == "direct":
            self._alignment = StoredAlignment(self._teacher.record, None)
        self._target = config.target_bytes(len(clip) * clip.info.height * clip.info.width)
        self._surroundings = len(self._assemble([EMPTY_SEGMENT] * len(self._ranges)))
        if self._target is not None:
            self._check_target(self._target)
        self._tasks = [self._task(number) for number in range(len(self._ranges))]
        self._coded: dict[int, CodedSegment] = {}
        self._key = self._name_job()
        self._folder = None if workdir is None or not ranks.is_first else Path(workdir)
        self._job = None if self._folder is None else Job(self._folder, self._key)
        self._seconds_before = 0.0 if self._job is None else self._job.seconds
        self._meter: ProgressMeter | None = None

    def run(
        self,
        on_progress: Callable[[EncodeProgress], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> Encoded:
        grow_on_huge_pages()
        try:
            if self._teacher is not None:
                self._align(self._teacher, on_progress if self._ranks.is_first else None, should_stop)
            if on_progress is not None and self._ranks.is_first:
                self._meter = ProgressMeter(
                    on_progress,
                    frames=[task.frames for task in self._tasks],
                    surrounding_bytes=self._surroundings,
                    target_bytes=self._target,
                    seconds_before=self._seconds_before,
                )
            tasks = self._pending()
            devices = self._devices[: len(tasks)]
            if len(devices) > 1:
                self._encode_side_by_side(tasks, devices, should_stop)
            else:
                self._encode_one_by_one(tasks, self._devices[0], should_stop)
        finally:
            if self._job is not None:
                self._job.add_seconds(time.monotonic() - self._started)
        coded = [self._coded[number] for number in range(len(self._ranges))]
        data = self._assemble(coded)
        return Encoded(data=data, report=self._report(data, coded), job=self._job)

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
            self._alignment = StoredAlignment(teacher.record, directions.head(inputs, reach=reach))
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
        if self._alignment is not None and self._vectors is not None:
            rows = self._vectors[self._ranges[number].start : self._ranges[number].stop]
            alignment = aim(self._alignment, rows)
        budget = None
        if self._target is not None:
            budget = (self._target - self._surroundings) * frames / len(self._clip)
        return SegmentTask(
            number=number,
            frames=frames,
            height=info.height,
            width=info.width,
            config=self._config,
            budget_bytes=budget,
            alignment=alignment,
            least_numbers=1 if self._alignment is None else self._alignment.inputs,
        )

    def _pending(self) -> list[SegmentTask]:
        """Take the finished segments from the job; return the tasks of the others."""
        if self._job is not None:
            for task in self._tasks:
                known = self._job.load(task.name)
                if known is not None:
                    self._take(task, known)
        self._coded = self._ranks.from_first(self._coded)
        return [task for task in self._tasks if task.number not in self._coded]

    def _take(self, task: SegmentTask, segment: CodedSegment) -> None:
        self._coded[task.number] = segment
        if self._meter is not None:
            self._meter.finish(task.number, segment.size_bytes)

    def _encode_one_by_one(
        self, tasks: Sequence[SegmentTask], device: str, should_stop: Callable[[], bool] | None
    ) -> None:
        encoder = SegmentEncoder(
            device=device,
            job=self._job,
            on_progress=None if self._meter is None else self._meter.update,
            should_stop=should_stop,
            save_seconds=self._save_seconds,
            ranks=self._ranks,
        )
        arrays = self._clip.iter_segments([self._ranges[task.number] for task in tasks])
        for task in tasks:
            # The array gets no name here: a segment's frames must be gone before the next one's come.
            self._take(task, encoder.encode(task, torch.from_numpy(next(arrays)).permute(0, 3, 1, 2)))

    def _encode_side_by_side(
        self, tasks: Sequence[SegmentTask], devices: Sequence[str], should_stop: Callable[[], bool] | None
    ) -> None:
        setups = [
            WorkerSetup(
                device=device,
                threads=torch.get_num_threads(),
                job=None if self._folder is None else (self._folder, self._key),
                save_seconds=self._save_seconds,
            )
            for device in devices
        ]
        pool = Pool(
            on_coded=self._take,
            on_progress=None if self._meter is None else self._meter.update,
            should_stop=should_stop,
        )
        pool.run(setups, tasks, self._frames_of(tasks))

    def _frames_of(self, tasks: Sequence[SegmentTask]) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        """Decode the frames of some segments in one pass."""
        ranges = [self._ranges[task.number] for task in tasks]
        wanted = {index for frames in ranges for index in frames}
        start, stop = ranges[0].start, ranges[-1].stop
        for index, frame in enumerate(self._clip.iter_frames(start, stop), start):
            if index in wanted:
                yield frame

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

    def _name_job(self) -> str:
        """Name of clip, choices and version; the same for any device of a kind and any number of them."""
        kind = torch.device(self._devices[0]).type
        batch = shared_recipe(RECIPES[self._config.recipe], self._ranks.size).batch_size
        words = f"{__version__} {self._clip.fingerprint} {replace(self._config, device=kind)} {batch}"
        return hashlib.sha256(words.encode()).hexdigest()

    def _assemble(self, segments: Sequence[CodedSegment]) -> bytes:
        options = {
            name: value
            for name, value in asdict(self._config).items()
            if name not in NOT_STORED and value != EncodeConfig.__dataclass_fields__[name].default
        }
        return assemble(
            self._clip,
            self._ranges,
            segments,
            {"nervid": __version__, "options": options},
            alignment=None if self._alignment is None else self._alignment.to_bytes(),
        )

    def _report(self, data: bytes, coded: Sequence[CodedSegment]) -> EncodeReport:
        info = self._clip.info
        counts = np.array([task.frames for task in self._tasks])
        mean_psnr = float(np.average([segment.psnr_db for segment in coded], weights=counts))
        bpp = bits_per_pixel(len(data), len(self._clip), info.height, info.width)
        warnings = [*early_warnings(self._clip, self._config)]
        if self._target is not None and not 0.97 * self._target <= len(data) <= self._target:
            warnings.append(
                f"asked for {self._target} bytes, the file has {len(data)}: the finest or coarsest grids of "
                f"its networks are reached; try other --bits"
            )
        if self._config.psnr is not None and mean_psnr < self._config.psnr:
            warnings.append(
                f"asked for {self._config.psnr:g} dB, reached {mean_psnr:.2f} dB; try --preset best"
            )
        cosine = self._cosine(data)
        if cosine is not None and cosine < LEAST_COSINE:
            warnings.append(
                f"the file's vectors have a mean cosine of {cosine:.2f} with the teacher's, a search may "
                "miss much; ask for more bytes"
            )
        dtype = autocast_dtype(self._config.precision, torch.device(self._devices[0]))
        return EncodeReport(
            size_bytes=len(data),
            bits_per_pixel=bpp,
            psnr_db=mean_psnr,
            frames=len(self._clip),
            width=info.width,
            height=info.height,
            segments=len(self._ranges),
            parameters=sum(segment.parameters for segment in coded),
            seconds=self._seconds_before + time.monotonic() - self._started,
            precision="float32" if dtype is None else "bfloat16",
            alignment_cosine=cosine,
            device=",".join(self._devices) if self._ranks.size == 1 else f"{self._ranks.size} ranks",
            warnings=tuple(warnings),
        )

    def _cosine(self, data: bytes) -> float | None:
        """Mean cosine between the vectors that are read from the file's bytes and the teacher's."""
        if self._vectors is None:
            return None
        with NervFile.open(BytesIO(data)) as file:
            return float((read_vectors(file) * self._vectors).sum(axis=1).mean())


__all__ = ["EncodeProgress", "Interrupted", "encode"]
