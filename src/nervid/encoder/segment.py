"""One segment of a clip to its sections: fit, code, measure; by its task alone."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import UInt8
from torch import Tensor

from nervid.compress.feature_sections import join_latents
from nervid.container import canonical_json
from nervid.decoder.half import find_half_from, first_half_block, run_in_half
from nervid.decoder.network import draw_frame, load_network, model_to_json
from nervid.encoder.budget import (
    Attempt,
    bytes_for_quality,
    least_size,
    multiplier_of,
    next_size,
    plan_network,
    stored_count,
)
from nervid.encoder.config import DEFAULT_BITS_PER_PIXEL
from nervid.encoder.job import CodedSegment, Job
from nervid.encoder.start import choose_start
from nervid.encoder.task import SegmentTask
from nervid.fit.distributed import ALONE, Ranks, shared_recipe
from nervid.fit.rd.motion import ClipMotion, find_motion
from nervid.fit.recipe import PRESETS, RATE_DISTORTION, RECIPES, rate_distortion_effort
from nervid.fit.segment import FittedSegment, Hooks, SegmentPlan, fit_segment
from nervid.fit.trainer import FitProgress
from nervid.initializations import Initialization
from nervid.metrics.distortion import psnr
from nervid.models.config import NervidConfig
from nervid.models.config.nervid import LEAST_ANCHORED
from nervid.models.nervid_sizing import LARGE_PIXELS

MODL_BYTES = 400
"""Bytes set aside for a segment's MODL before its network is chosen; real ones take 230 to 380."""
LEAST_MOVING_PIXELS = 64
"""Shortest side of frames whose motion is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentProgress:
    """Where the work on one segment stands, after a step."""

    number: int
    """Which segment, from 0."""
    attempt: int
    """Fit of this segment, from 0; only a quality asks for more than one."""
    share_done: float
    """Share of the running fit's steps that are taken, in (0, 1]."""
    budget_bytes: float
    """Size that the running fit is heading for; where it is free, the one that it has now."""
    fit: FitProgress
    """The running fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentEncoder:
    """Encodes segments, one after the other, on one device.

    Args:
        device: Where: "cpu", "cuda:1".
        job: Keeps finished fits and the running one's state, if there is one.
        on_progress: Called after every step.
        should_stop: Asked before every step; True saves the state and raises ``Interrupted``.
        save_seconds: Time between two saves of the state, in seconds.
        ranks: Processes that share every batch; the first one alone has a job.
    """

    device: str
    job: Job | None = None
    on_progress: Callable[[SegmentProgress], None] | None = None
    should_stop: Callable[[], bool] | None = None
    save_seconds: float = 20.0
    ranks: Ranks = ALONE

    def encode(self, task: SegmentTask, frames: UInt8[Tensor, "frames 3 height width"]) -> CodedSegment:
        """Return the segment as it goes into the file.

        Raises:
            Interrupted: When asked to stop; the state is saved.
            InputError: If the fit keeps diverging.
            OutputError: If the work folder cannot be written.
        """
        begun = time.monotonic()
        motion = self.ranks.by_first(lambda: _motion_of(task, frames))
        if task.budget_bytes is not None:
            segment = self._fit(task, 0, frames, motion, task.budget_bytes, begun)
        elif task.config.quality is not None:
            budget = _expected_bytes(task, task.config.quality)
            segment = self._fit(task, 0, frames, motion, budget, begun)
        else:
            assert task.config.psnr is not None
            segment = self._fit_for_psnr(task, frames, motion, task.config.psnr)
        if self.job is not None:
            self.job.store(task.name, segment)
        return segment

    def _fit_for_psnr(
        self, task: SegmentTask, frames: Tensor, motion: ClipMotion | None, target_db: float
    ) -> CodedSegment:
        """Fit networks of several sizes; return the smallest that reaches the PSNR, else the best."""
        attempts: list[Attempt] = []
        segments: list[CodedSegment] = []
        first_bytes = int(DEFAULT_BITS_PER_PIXEL * task.frames * task.height * task.width / 8)
        least = least_size(
            task.config,
            frames=task.frames,
            height=task.height,
            width=task.width,
            least_numbers=task.least_numbers,
            like=task.like,
        )
        least += MODL_BYTES + task.latents_bytes
        while (size := next_size(attempts, target_db, first_bytes, least_bytes=least)) is not None:
            segment = self._fit(task, len(attempts), frames, motion, size, time.monotonic())
            segments.append(segment)
            attempts.append(Attempt(segment.size_bytes, segment.psnr_db))
        enough = [segment for segment in segments if segment.psnr_db >= target_db]
        if enough:
            return min(enough, key=lambda segment: segment.size_bytes)
        return max(segments, key=lambda segment: segment.psnr_db)

    def _fit(
        self,
        task: SegmentTask,
        attempt: int,
        frames: Tensor,
        motion: ClipMotion | None,
        budget: float,
        begun: float,
    ) -> CodedSegment:
        """Fit and code one network for ``budget`` bytes, MODL included, and measure what it decodes to.

        What was taken since ``begun``, on the monotonic clock, counts against a time limit.
        """
        name = f"{task.name}-fit{attempt}"
        known = self.ranks.from_first(None if self.job is None else self.job.load(name))
        if known is not None:
            return known
        plan = plan_segment(task, budget, device=self.device, ranks=self.ranks, motion=motion)
        start = choose_start(task, plan, frames, should_stop=self.should_stop, ranks=self.ranks)
        plan = replace(plan, start=start, seconds_before=time.monotonic() - begun)
        hooks = Hooks(
            on_step=self._reporter(task, attempt, plan, budget),
            should_stop=self.should_stop,
            checkpoint=None if self.job is None else self.job.checkpoint(name),
            save_seconds=self.save_seconds,
            ranks=self.ranks,
        )
        fitted = fit_segment(frames, plan, hooks)
        segment = self.ranks.by_first(
            lambda: code(
                fitted,
                frames,
                device=self.device,
                initialization=task.stored_from,
                latents=task.latents,
            )
        )
        if self.job is not None:
            self.job.store(name, segment)
        return segment

    def _reporter(
        self, task: SegmentTask, attempt: int, plan: SegmentPlan, budget: float
    ) -> Callable[[FitProgress], None] | None:
        tell = self.on_progress
        if tell is None:
            return None
        in_float, quantized = plan.effort.steps(task.frames, plan.recipe)

        def report(fit: FitProgress) -> None:
            steps = fit.step + (in_float if fit.phase == "finetune" else 0)
            in_all = fit.steps if plan.time_limit_seconds is not None else in_float + quantized
            tell(
                SegmentProgress(
                    number=task.number,
                    attempt=attempt,
                    share_done=steps / in_all,
                    budget_bytes=fit.size_bytes if plan.target_bytes is None and fit.size_bytes else budget,
                    fit=fit,
                )
            )

        return report


def _motion_of(task: SegmentTask, frames: UInt8[Tensor, "frames 3 height width"]) -> ClipMotion | None:
    """Return the segment's motion to its anchors; None for what has no use for it, whatever it were."""
    if task.config.model != "nervid" or task.frames < LEAST_ANCHORED:
        return None
    if min(task.height, task.width) < LEAST_MOVING_PIXELS:
        return None
    return find_motion(frames)


def plan_segment(
    task: SegmentTask, budget: float, *, device: str, ranks: Ranks = ALONE, motion: ClipMotion | None = None
) -> SegmentPlan:
    """Choose the network for ``budget`` bytes, MODL and latents included, and how it is fitted.

    Where the fit starts is left open: see ``nervid.encoder.start``.

    Args:
        task: The segment.
        budget: What it may take.
        device: Where it is fitted.
        ranks: Processes that share every batch.
        motion: Of the segment; the network has textures or a background where that says so.

    Raises:
        InputError: If even the smallest network cannot be coded so small.
    """
    config = task.config
    chosen = None if motion is None else motion.for_size(budget)
    model = plan_network(
        config,
        frames=task.frames,
        height=task.height,
        width=task.width,
        budget_bytes=budget - MODL_BYTES - task.latents_bytes,
        least_numbers=task.least_numbers,
        like=task.like,
        spans=None if chosen is None else chosen.spans,
        has_background=motion is not None and chosen is None and motion.is_still,
    )
    if isinstance(model, NervidConfig) and task.latents:
        model = replace(model, latents=task.least_numbers)
    target = int(budget) - len(canonical_json(model_to_json(model))) - task.latents_bytes
    if isinstance(model, NervidConfig):
        is_large = task.height * task.width >= LARGE_PIXELS
        recipe, effort = RATE_DISTORTION, rate_distortion_effort(config.preset, is_large=is_large)
    else:
        recipe, effort = RECIPES[config.recipe], PRESETS[config.preset]
    if config.epochs is not None:
        effort = replace(effort, epochs=config.epochs, minimum_steps=1)
    recipe = shared_recipe(recipe, ranks.size)
    if config.optimizer != "auto":
        recipe = replace(recipe, optimizer=config.optimizer)
    return SegmentPlan(
        model=model,
        recipe=recipe,
        effort=effort,
        bits=config.bits,
        sparsity=config.sparsity,
        target_bytes=None if config.quality is not None else target,
        multiplier=None if config.quality is None else multiplier_of(config.quality),
        seed=config.seed,
        precision=config.precision,
        device=device,
        compiled=config.compile,
        alignment=task.alignment,
        time_limit_seconds=task.time_limit_seconds,
        motion=chosen,
    )


def _expected_bytes(task: SegmentTask, quality: float) -> float:
    """About what a segment takes, for choosing its network: nothing holds it to that."""
    size = bytes_for_quality(quality, frames=task.frames, height=task.height, width=task.width)
    return size + MODL_BYTES + task.latents_bytes


def code(
    fitted: FittedSegment,
    frames: UInt8[Tensor, "frames 3 height width"],
    *,
    device: str,
    initialization: Initialization | None = None,
    latents: bytes = b"",
) -> CodedSegment:
    """Code the tensors, decode them again from the bytes alone, and measure the frames that come out.

    The MODL that is stored names the blocks that may run in bfloat16; without it it has the same length.

    Args:
        fitted: What is stored.
        frames: The segment, values in [0, 255].
        device: Where frames are drawn.
        initialization: That from which the weights are stored as changes, if they are.
        latents: Coded latents of a network that stores any beside its feature grids.
    """
    where = torch.device(device)
    wght, embd = fitted.sections()
    embd = join_latents(latents, embd) if embd is not None else None
    modl = canonical_json(model_to_json(fitted.config))
    network = load_network(modl, wght, embd, frames=len(frames), initialization=initialization).to(where)
    half = find_half_from(network, range(len(frames)))
    modl = canonical_json(model_to_json(fitted.config, half))
    run_in_half(network, first_half_block("auto", half, where))
    values = [
        psnr(frames[index : index + 1], draw_frame(network, index).cpu()[None])
        for index in range(len(frames))
    ]
    # Lossless frames would make the mean infinite; 100 dB stands for them.
    mean_psnr = float(torch.cat(values).clamp(max=100).mean())
    return CodedSegment(
        modl=modl, wght=wght, embd=embd, psnr_db=mean_psnr, parameters=stored_count(fitted.config)
    )
