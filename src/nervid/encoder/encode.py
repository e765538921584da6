"""Clip to .nerv: segment by segment, fit, code, measure, assemble."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from nervid._version import __version__
from nervid.compress.streams import encode_tensors
from nervid.container import canonical_json
from nervid.decoder.half import find_half_from, first_half_block, run_in_half
from nervid.decoder.network import draw_frame, load_network, model_to_json
from nervid.encoder.assemble import EMPTY_SEGMENT, assemble
from nervid.encoder.budget import Attempt, least_size, next_size, plan_network, stored_count
from nervid.encoder.config import DEFAULT_BITS_PER_PIXEL, EncodeConfig
from nervid.encoder.job import CodedSegment, Job
from nervid.encoder.progress import EncodeProgress, ProgressMeter
from nervid.encoder.result import Encoded, EncodeReport
from nervid.errors import InputError
from nervid.fit.precision import autocast_dtype
from nervid.fit.recipe import PRESETS, RECIPES
from nervid.fit.segment import FittedSegment, Hooks, SegmentPlan, fit_segment
from nervid.fit.trainer import FitProgress, Interrupted
from nervid.hardware import reuse_freed_memory
from nervid.metrics.distortion import psnr
from nervid.metrics.rate import bits_per_pixel, rate_warning
from nervid.video import Clip

MODL_BYTES = 400
"""Bytes set aside for a segment's MODL before its network is chosen; real ones take 230 to 330."""


def encode(
    clip: Clip,
    config: EncodeConfig | None = None,
    *,
    workdir: str | Path | None = None,
    on_progress: Callable[[EncodeProgress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    save_seconds: float = 20.0,
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
        **options: Fields of :class:`EncodeConfig`, in place of those in ``config``.

    Returns:
        The file's bytes and what was measured.

    Raises:
        InputError: If the asked size is too small, or an option is out of range.
        OutputError: If the work folder cannot be written.
        Interrupted: When ``should_stop`` said so.
    """
    config = replace(config or EncodeConfig(), **options)
    return _Encoding(clip, config, workdir, on_progress, should_stop, save_seconds).run()


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
    """One call of :func:`encode`."""

    def __init__(
        self,
        clip: Clip,
        config: EncodeConfig,
        workdir: str | Path | None,
        on_progress: Callable[[EncodeProgress], None] | None,
        should_stop: Callable[[], bool] | None,
        save_seconds: float,
    ) -> None:
        self._clip, self._config = clip, config
        self._should_stop, self._save_seconds = should_stop, save_seconds
        self._device = _device(config.device)
        self._started = time.monotonic()
        self._ranges = clip.segments(config.max_segment_frames)
        self._pixels = len(clip) * clip.info.height * clip.info.width
        self._target = config.target_bytes(self._pixels)
        self._surroundings = len(self._assemble([EMPTY_SEGMENT] * len(self._ranges)))
        self._coded: list[CodedSegment] = []
        if self._target is not None:
            self._check_target(self._target)
        key = hashlib.sha256(f"{__version__} {clip.fingerprint} {config} {self._device}".encode()).hexdigest()
        self._job = None if workdir is None else Job(Path(workdir), key)
        self._seconds_before = 0.0 if self._job is None else self._job.seconds
        self._meter = None
        if on_progress is not None:
            self._meter = ProgressMeter(
                on_progress, segments=len(self._ranges), seconds_before=self._seconds_before
            )

    def run(self) -> Encoded:
        reuse_freed_memory()
        try:
            for number, frames in self._pending_segments():
                self._coded.append(self._encode_segment(number, frames))
                del frames  # or the next segment would be decoded beside this one
        finally:
            if self._job is not None:
                self._job.add_seconds(time.monotonic() - self._started)
        data = self._assemble(self._coded)
        return Encoded(data=data, report=self._report(data), job=self._job)

    def _pending_segments(self) -> Iterator[tuple[int, UInt8[Tensor, "frames 3 height width"]]]:
        """Segments that are not finished yet, one at a time, after taking the finished ones from the job."""
        while self._job is not None and len(self._coded) < len(self._ranges):
            known = self._job.load(_segment_name(len(self._coded)))
            if known is None:
                break
            self._coded.append(known)
        first = len(self._coded)
        arrays = self._clip.iter_segments(self._ranges, first)
        for number in range(first, len(self._ranges)):
            # The array gets no name here: a segment's frames must be gone before the next one's come.
            yield number, torch.from_numpy(next(arrays)).permute(0, 3, 1, 2)

    def _encode_segment(self, number: int, frames: UInt8[Tensor, "frames 3 height width"]) -> CodedSegment:
        if self._config.psnr is None:
            segment = self._fit(number, 0, frames, self._segment_budget(number))
        else:
            segment = self._fit_for_quality(number, frames, self._config.psnr)
        if self._job is not None:
            self._job.store(_segment_name(number), segment)
        return segment

    def _fit_for_quality(self, number: int, frames: Tensor, target_db: float) -> CodedSegment:
        """Fit networks of several sizes; return the smallest that reaches the quality, else the best."""
        attempts: list[Attempt] = []
        segments: list[CodedSegment] = []
        first_bytes = int(DEFAULT_BITS_PER_PIXEL * self._segment_pixels(number) / 8)
        if self._coded:
            share = len(self._ranges[number]) / len(self._ranges[number - 1])
            first_bytes = int(self._coded[-1].size_bytes * share)
        info = self._clip.info
        least = MODL_BYTES + least_size(
            self._config, frames=len(frames), height=info.height, width=info.width
        )
        while (size := next_size(attempts, target_db, first_bytes, least_bytes=least)) is not None:
            segment = self._fit(number, len(attempts), frames, size)
            segments.append(segment)
            attempts.append(Attempt(segment.size_bytes, segment.psnr_db))
        enough = [segment for segment in segments if segment.psnr_db >= target_db]
        if enough:
            return min(enough, key=lambda segment: segment.size_bytes)
        return max(segments, key=lambda segment: segment.psnr_db)

    def _fit(self, number: int, attempt: int, frames: Tensor, budget: float) -> CodedSegment:
        """Fit and code one network for ``budget`` bytes, MODL included, and measure what it decodes to."""
        name = f"{_segment_name(number)}-fit{attempt}"
        known = None if self._job is None else self._job.load(name)
        if known is not None:
            return known
        info = self._clip.info
        model = plan_network(
            self._config,
            frames=len(frames),
            height=info.height,
            width=info.width,
            budget_bytes=budget - MODL_BYTES,
        )
        modl = canonical_json(model_to_json(model))
        effort = PRESETS[self._config.preset]
        if self._config.epochs is not None:
            effort = replace(effort, epochs=self._config.epochs, minimum_steps=1)
        plan = SegmentPlan(
            model=model,
            recipe=RECIPES[self._config.recipe],
            effort=effort,
            bits=self._config.bits,
            sparsity=self._config.sparsity,
            target_bytes=int(budget) - len(modl),
            seed=self._config.seed,
            precision=self._config.precision,
            device=str(self._device),
        )
        hooks = Hooks(
            on_step=self._reporter(number, attempt, plan, budget),
            should_stop=self._should_stop,
            checkpoint=None if self._job is None else self._job.checkpoint(name),
            save_seconds=self._save_seconds,
        )
        segment = _code(modl, fit_segment(frames, plan, hooks), frames, self._device)
        if self._job is not None:
            self._job.store(name, segment)
        return segment

    def _reporter(
        self, number: int, attempt: int, plan: SegmentPlan, budget: float
    ) -> Callable[[FitProgress], None] | None:
        if self._meter is None:
            return None
        frames = self._ranges[number]
        coded = sum(segment.size_bytes for segment in self._coded)
        return self._meter.reporter(
            segment=number,
            attempt=attempt,
            share_before=frames.start / len(self._clip),
            share_of_segment=len(frames) / len(self._clip),
            phase_steps=plan.effort.steps(len(frames), plan.recipe),
            projected_bytes=self._target or int(self._surroundings + coded + budget),
        )

    def _segment_budget(self, number: int) -> float:
        """Bytes for a segment: its share, by frames, of what the finished ones have left."""
        assert self._target is not None
        left = self._target - self._surroundings - sum(segment.size_bytes for segment in self._coded)
        frames_left = len(self._clip) - self._ranges[number].start
        return left * len(self._ranges[number]) / frames_left

    def _check_target(self, target: int) -> None:
        """Refuse a size that cannot be met before anything is fitted."""
        tracks = sum(len(track.to_bytes()) for track in self._clip.tracks)
        if target <= self._surroundings:
            advice = "; leave them out (--no-tracks) or ask for more" if tracks else "; ask for more"
            raise InputError(
                f"asked for {target} bytes, but header, timestamps and copied tracks alone take "
                f"{self._surroundings} ({tracks} of them sound and subtitles){advice}"
            )
        info = self._clip.info
        for number, frames in enumerate(self._ranges):
            budget = (target - self._surroundings) * len(self._ranges[number]) / len(self._clip)
            plan_network(
                self._config,
                frames=len(frames),
                height=info.height,
                width=info.width,
                budget_bytes=budget - MODL_BYTES,
            )

    def _segment_pixels(self, number: int) -> int:
        return len(self._ranges[number]) * self._clip.info.height * self._clip.info.width

    def _assemble(self, segments: Sequence[CodedSegment]) -> bytes:
        options = {
            name: value
            for name, value in asdict(self._config).items()
            if value != EncodeConfig.__dataclass_fields__[name].default
        }
        return assemble(self._clip, self._ranges, segments, {"nervid": __version__, "options": options})

    def _report(self, data: bytes) -> EncodeReport:
        info = self._clip.info
        counts = np.array([len(frames) for frames in self._ranges])
        mean_psnr = float(np.average([segment.psnr_db for segment in self._coded], weights=counts))
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
        dtype = autocast_dtype(self._config.precision, self._device)
        return EncodeReport(
            size_bytes=len(data),
            bits_per_pixel=bpp,
            psnr_db=mean_psnr,
            frames=len(self._clip),
            width=info.width,
            height=info.height,
            segments=len(self._ranges),
            parameters=sum(segment.parameters for segment in self._coded),
            seconds=self._seconds_before + time.monotonic() - self._started,
            precision="float32" if dtype is None else "bfloat16",
            device=str(self._device),
            warnings=tuple(warnings),
        )


def _code(modl: bytes, fitted: FittedSegment, frames: Tensor, device: torch.device) -> CodedSegment:
    """Code the tensors, decode them again from the bytes alone, and measure the frames that come out.

    The MODL that is stored is ``modl`` with the blocks that may run in bfloat16, of the same length.
    """
    wght = encode_tensors(fitted.weights)
    embd = encode_tensors(fitted.embeddings) if fitted.embeddings else None
    network = load_network(modl, wght, embd, frames=len(frames)).to(device)
    half = find_half_from(network, range(len(frames)))
    modl = canonical_json(model_to_json(fitted.config, half))
    run_in_half(network, first_half_block("auto", half, device))
    values = [
        psnr(frames[index : index + 1], draw_frame(network, index).cpu()[None])
        for index in range(len(frames))
    ]
    # Lossless frames would make the mean infinite; 100 dB stands for them.
    mean_psnr = float(torch.cat(values).clamp(max=100).mean())
    return CodedSegment(
        modl=modl, wght=wght, embd=embd, psnr_db=mean_psnr, parameters=stored_count(fitted.config)
    )


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"device {name} was asked for, but no CUDA device is there; use cpu or auto")
    if name != "cpu" and not name.startswith("cuda"):
        raise InputError(f"device must be auto, cpu or cuda, got {name!r}")
    return torch.device(name)


def _segment_name(number: int) -> str:
    return f"segment{number:05d}"


__all__ = ["EncodeProgress", "Interrupted", "encode"]
