"""RateTrainer: steps that lower distortion and rate together."""

from collections.abc import Mapping
from typing import Final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from nervid.fit.distributed import Ranks
from nervid.fit.loss import psnr_of
from nervid.fit.optimizer import Optimizer
from nervid.fit.plan import SegmentPlan
from nervid.fit.precision import autocast_dtype
from nervid.fit.rd.clock import Clock
from nervid.fit.rd.decay import grids_power, weights_power
from nervid.fit.rd.grids import FittedGrids
from nervid.fit.rd.multiplier import Multiplier
from nervid.fit.rd.relaxation import Noise
from nervid.fit.rd.rounding import RoundingSchedule
from nervid.fit.rd.stored import StoredTensors, stored
from nervid.fit.rd.weights import FittedWeights
from nervid.fit.trainer import Trainer
from nervid.models.nervid import Nervid
from nervid.models.nervid_sizing import usual_multiplier

GRID_RATE: Final = 0.012
"""Adam's learning rate of feature grids, at the schedule's peak."""
LEAST_GRID_SHARE: Final = 0.02
"""Smallest share of it, at the schedule's end."""
STEP_REACH: Final = 8.0
"""Sum over a fit of Adam's learning rate of the logarithms of quantization steps, as if it stayed at its
peak: long fits move them slowly."""
RATE_EVERY: Final = 4
"""Bits are counted, with that many times the weight, in one of so many steps (NVRC, arXiv:2409.07414)."""
AIM: Final = 0.985
"""Share of the size that is aimed at: what is a little too large has to be cut, which costs more."""
CORRECTIONS: Final = 24
"""Times in a fit that the size is asked of the entropy coder."""
LAST_CORRECTIONS: Final = 12
"""Times that it is asked in the steps that see rounded numbers: these have other bits than noisy ones, and
soon nothing moves any more."""
DISTORTION_SCALE: Final = 1000.0
"""Distortion is counted in thousandths of squared error, so that multipliers are near 1."""


class RateTrainer(Trainer):
    """Fits weights, feature grids and their quantization steps for ``distortion + multiplier * rate``.

    Args:
        network: What is fitted; its feature grids are left alone, see ``grids``.
        frames: The segment, uint8, where it is fitted.
        plan: All choices.
        steps: Steps to take.
        ranks: Processes that share every batch.
    """

    collapse_factor = 30.0
    """A rate that is squeezed late may raise the distortion a few times."""

    def __init__(
        self,
        network: Nervid,
        frames: UInt8[Tensor, "frames 3 height width"],
        plan: SegmentPlan,
        *,
        steps: int,
        ranks: Ranks,
    ) -> None:
        self.grids = FittedGrids(network.config.feature_grids, len(frames), frames.device)
        if plan.motion is not None:
            for grid, values in zip(self.grids.values()[-2:], plan.motion.values, strict=True):
                grid.copy_(values)
        dtype = autocast_dtype(plan.precision, frames.device) or torch.float32
        # The network's parameters are parts of one row from here on.
        self.weights = FittedWeights(network, dtype)
        super().__init__(
            plan.phase("fit", steps=steps, ranks=ranks),
            parameters=dict(network.named_weights()),
            frames=frames,
        )
        batch = min(plan.recipe.batch_size, len(frames))
        most = max(self.weights.count, self.grids.most_touched(batch))
        self._noise = Noise(most, seed=plan.seed, device=frames.device)
        self._pixels = len(frames) * plan.model.height * plan.model.width
        if plan.multiplier is not None:
            self.multiplier = Multiplier(None, usual=plan.multiplier)
        else:
            assert plan.target_bytes is not None
            usual = usual_multiplier(plan.target_bytes, pixels=self._pixels)
            self.multiplier = Multiplier(AIM * plan.target_bytes, usual=usual)
        self._rounding = RoundingSchedule(self.multiplier.usual)
        self._corrected = 0
        self._rounded_from = -1
        """The first step that saw rounded numbers; -1 before."""
        self._clock = None
        if plan.time_limit_seconds is not None:
            self._clock = Clock(plan.time_limit_seconds)
            self._clock.resume(plan.seconds_before)
        self._log_steps = {"weights": self.weights.log_steps, "grids": self.grids.log_steps}
        self._step_optimizer = Optimizer(self._log_steps, kind="adam", betas=(0.9, 0.99))

    @property
    def reckoned_bytes(self) -> float:
        """Size of weights and feature grids by the model of their codes."""
        return (self.weights.bits + self.grids.bits) / 8

    @property
    def size_bytes(self) -> float:
        """Size of weights and feature grids as the entropy coder would have it, by its last count."""
        return self.multiplier.coded_share * self.reckoned_bytes

    def stored(self, dead: float = 0.0, coarser: float = 1.0) -> StoredTensors:
        """Return what a file would store now; see ``nervid.fit.rd.stored.stored`` for the arguments."""
        return stored(self.parameters, self.weights, self.grids, dead=dead, coarser=coarser)

    def state_tensors(self, *, clone: bool = False) -> dict[str, Tensor]:
        """Return everything that is fitted, and the optimizers' states; with ``clone`` as copies."""
        tensors = super().state_tensors()
        tensors |= {f"grids.{key}": tensor for key, tensor in self.grids.state_tensors().items()}
        tensors |= {f"steps.{name}": steps.detach() for name, steps in self._log_steps.items()}
        tensors |= {f"step optimizer.{k}": t for k, t in self._step_optimizer.state_tensors().items()}
        if self._clock is not None:
            tensors["seconds"] = torch.tensor(self._clock.seconds, dtype=torch.float64)
        tensors["multiplier"] = self.multiplier.state_tensor()
        tensors["corrected"] = torch.tensor(self._corrected)
        tensors["rounded from"] = torch.tensor(self._rounded_from)
        tensors["weight bits"] = torch.tensor(self.weights.bits, dtype=torch.float64)
        return {name: tensor.clone() for name, tensor in tensors.items()} if clone else tensors

    def load_state_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Take everything over from :meth:`state_tensors`."""
        super().load_state_tensors(tensors)
        self.grids.load_state_tensors(_under(tensors, "grids."))
        with torch.no_grad():
            for name, steps in self._log_steps.items():
                steps.copy_(tensors[f"steps.{name}"])
        self._steps_moved()
        self._step_optimizer.load_state_tensors(_under(tensors, "step optimizer."))
        self.multiplier.state_tensor().copy_(tensors["multiplier"])
        self.weights.bits = float(tensors["weight bits"])
        self._corrected = int(tensors["corrected"])
        self._rounded_from = int(tensors["rounded from"])
        if self._clock is not None:
            # A fit that goes back to a good state has not got the time back.
            self._clock.resume(max(self._clock.seconds, float(tensors["seconds"])))

    def _steps_moved(self) -> None:
        self.weights.steps_moved()
        self.grids.steps_moved()

    def _step(self) -> tuple[float, float]:
        step = self.state.step
        if self._clock is not None:
            self.steps = self._ranks.from_first(self._clock.steps_in_all(step, self.steps))
        weights_share = self.phase.rate_share(step, steps=self.steps, power=weights_power(self.steps))
        grids_share = self.phase.rate_share(
            step, steps=self.steps, power=grids_power(self.steps, self.multiplier.usual)
        )
        scale = self.state.rate_scale
        kind, softness = self._rounding.at(step, self.steps)
        if kind == "noise":
            self._rounded_from = -1
        elif self._rounded_from < 0:
            self._rounded_from = step
        is_counted = step % RATE_EVERY == 0
        if is_counted:
            self._follow_size(step)
        self._optimizer.zero_gradients()
        self._step_optimizer.zero_gradients()
        indices = self._indices(step)
        noise = self._noise
        self.weights.relax(kind, noise.at(step, self.weights.count), is_counted=is_counted)
        numbers = self.grids.relax(
            indices.tolist(), kind, noise, step, softness=softness, is_counted=is_counted
        )
        errors = self._draw(numbers, indices)
        cost = RATE_EVERY * self.multiplier.value / self._pixels / self._ranks.size
        self.weights.collect(cost)
        self.grids.collect(cost)
        distortion = DISTORTION_SCALE * sum(errors) / len(indices)
        psnr = sum(psnr_of(error) for error in errors)
        moved = [*self.parameters.values(), *self._log_steps.values(), self.grids.touched]
        distortion, psnr = self._ranks.sum_gradients(moved, (distortion, psnr))
        self._optimizer.step(scale * weights_share * self.phase.peak_rate)
        if is_counted:
            self._step_optimizer.step(scale * grids_share * STEP_REACH * RATE_EVERY / self.steps)
            self._steps_moved()
        self.grids.move(scale * max(grids_share, LEAST_GRID_SHARE) * GRID_RATE)
        return distortion, psnr / len(indices)

    def _draw(self, numbers: Float[Tensor, "batch numbers"], indices: Tensor) -> list[float]:
        """Draw this rank's share of the frames, send the gradient back, return the mean squared errors."""
        frames = len(indices)
        if self._ranks.size > 1:
            mine = self._ranks.share(torch.arange(frames))
            numbers, indices = numbers[mine], indices[mine.to(indices.device)]
        drawn = self.weights.drawing.draw_colors(numbers)
        with torch.no_grad():
            targets = torch.empty_like(drawn, dtype=torch.float32)
            for target, index in zip(targets, indices.tolist(), strict=True):
                target.copy_(self.frames[index])
            difference = drawn.to(torch.float32, copy=True).add_(0.5).add_(targets, alpha=-1 / 255)
            per_frame = max(difference.numel() // max(len(difference), 1), 1)
            norms = torch.linalg.vector_norm(difference, dim=(1, 2, 3))
            slope = difference.mul_(2 * DISTORTION_SCALE / (per_frame * frames)).to(drawn.dtype)
        drawn.backward(slope)  # type: ignore[no-untyped-call]
        return [norm**2 / per_frame for norm in norms.tolist()]

    def _follow_size(self, step: int) -> None:
        """Let the multiplier see the size, now and then as the entropy coder has it."""
        reckoned, is_rounded = self.reckoned_bytes, self._rounded_from >= 0
        # Not a multiple of an interval: a clock changes the number of steps as they are taken.
        every = self.steps / CORRECTIONS
        if is_rounded:
            is_first = self._corrected < self._rounded_from
            every = 0 if is_first else (self.steps - self._rounded_from) / LAST_CORRECTIONS
        if step - self._corrected >= every:
            self.multiplier.correct(self.stored().estimate_bytes(), reckoned)
            self._corrected = step
            if is_rounded:
                # What is reckoned falls or rises until all knots have been counted again.
                self.multiplier.forget_trend()
        self.multiplier.follow(reckoned, step=step, steps=self.steps, taken=RATE_EVERY)


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
