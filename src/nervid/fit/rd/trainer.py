"""RateTrainer: steps that lower distortion and rate together."""

import zlib
from collections.abc import Mapping
from typing import Final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.func import functional_call

from nervid.fit.distributed import Ranks
from nervid.fit.guard import DivergenceGuard
from nervid.fit.loss import frame_errors, psnr_of
from nervid.fit.optimizer import Optimizer
from nervid.fit.plan import SegmentPlan
from nervid.fit.rd.clock import Clock
from nervid.fit.rd.grids import FittedGrid
from nervid.fit.rd.multiplier import Multiplier
from nervid.fit.rd.relaxation import Relaxation
from nervid.fit.rd.stored import StoredTensors, stored
from nervid.fit.rd.weights import FittedWeights
from nervid.fit.schedule import learning_rate
from nervid.fit.trainer import Trainer
from nervid.models.nervid import GRIDS, Nervid

GRID_RATE: Final = 0.012
"""Adam's learning rate of feature grids, at the schedule's peak."""
LEAST_GRID_SHARE: Final = 0.02
"""Smallest share of it, at the schedule's end."""
STEP_REACH: Final = 8.0
"""Sum over a fit of Adam's learning rate of the logarithms of quantization steps, as if it stayed at its
peak: long fits move them slowly."""
STRAIGHT_STEPS: Final = 800
"""Last steps that see rounded numbers; those before see noise. Too many of them let numbers gather where they
are rounded up as well as down."""
STRAIGHT_SHARES: Final = (0.1, 0.75)
"""Bounds of their share of all steps."""
RATE_EVERY: Final = 4
"""Bits are counted, with that many times the weight, in one of so many steps (NVRC, arXiv:2409.07414)."""
AIM: Final = 0.985
"""Share of the size that is aimed at: what is a little too large has to be cut, which costs more."""
CORRECTIONS: Final = 24
"""Times in a fit that the size is asked of the entropy coder."""
DISTORTION_SCALE: Final = 1000.0
"""Distortion is counted in thousandths of squared error, so that multipliers are near 1."""
COLLAPSE_FACTOR: Final = 30.0
"""Rise of the distortion that counts as divergence: a rate that is squeezed late may raise it a few times."""


class RateTrainer(Trainer):
    """Fits weights, feature grids and their quantization steps for ``distortion + multiplier * rate``.

    Args:
        network: What is fitted; its feature grids are left alone, see ``grids``.
        frames: The segment, uint8, where it is fitted.
        plan: All choices.
        steps: Steps to take.
        ranks: Processes that share every batch.
    """

    def __init__(
        self,
        network: Nervid,
        frames: UInt8[Tensor, "frames 3 height width"],
        plan: SegmentPlan,
        *,
        steps: int,
        ranks: Ranks,
    ) -> None:
        assert plan.target_bytes is not None
        config = plan.model
        self.grids = {
            f"{GRIDS}.{number}": FittedGrid(grid, len(frames), frames.device)
            for number, grid in enumerate(network.config.feature_grids)
        }
        parameters = dict(network.named_weights())
        self.weights = FittedWeights(parameters)
        self.multiplier = Multiplier(AIM * plan.target_bytes)
        self._corrected = 0
        self._pixels = len(frames) * config.height * config.width
        self._drawing = _Drawing(network)
        self._clock = None if plan.time_limit_seconds is None else Clock(plan.time_limit_seconds)
        log_steps = {"weights": self.weights.log_steps}
        log_steps |= {name: grid.log_steps for name, grid in self.grids.items()}
        self._log_steps = log_steps
        self._step_optimizer = Optimizer(log_steps, kind="adam", betas=(0.9, 0.99))
        super().__init__(
            phase="fit",
            parameters=parameters,
            draw=lambda indices, target: [],
            frames=frames,
            recipe=plan.recipe,
            steps=steps,
            peak_rate=plan.recipe.learning_rate,
            warmup=plan.recipe.warmup,
            seed=plan.seed,
            precision=plan.precision,
            ranks=ranks,
        )
        self.state.guard = DivergenceGuard(collapse_factor=COLLAPSE_FACTOR)

    @property
    def reckoned_bytes(self) -> float:
        """Size of weights and feature grids by the model of their codes."""
        return (self.weights.bits + sum(grid.bits for grid in self.grids.values())) / 8

    def stored(self, dead: float = 0.0, coarser: float = 1.0) -> StoredTensors:
        """Return what a file would store now; see ``nervid.fit.rd.stored.stored`` for the arguments."""
        return stored(self.parameters, self.weights, self.grids, dead=dead, coarser=coarser)

    def state_tensors(self, *, clone: bool = False) -> dict[str, Tensor]:
        """Return everything that is fitted, and the optimizers' states; with ``clone`` as copies."""
        tensors = super().state_tensors()
        for name, grid in self.grids.items():
            tensors |= {f"grid.{name}.{key}": tensor for key, tensor in grid.state_tensors().items()}
        tensors |= {f"steps.{name}": steps.detach() for name, steps in self._log_steps.items()}
        tensors |= {f"step optimizer.{k}": t for k, t in self._step_optimizer.state_tensors().items()}
        if self._clock is not None:
            tensors["seconds"] = torch.tensor(self._clock.seconds, dtype=torch.float64)
        tensors["multiplier"] = self.multiplier.state_tensor()
        tensors["corrected"] = torch.tensor(self._corrected)
        tensors["weight bits"] = torch.tensor(self.weights.bits, dtype=torch.float64)
        return {name: tensor.clone() for name, tensor in tensors.items()} if clone else tensors

    def load_state_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Take everything over from :meth:`state_tensors`."""
        super().load_state_tensors(tensors)
        for name, grid in self.grids.items():
            grid.load_state_tensors(_under(tensors, f"grid.{name}."))
        with torch.no_grad():
            for name, steps in self._log_steps.items():
                steps.copy_(tensors[f"steps.{name}"])
        self._step_optimizer.load_state_tensors(_under(tensors, "step optimizer."))
        self.multiplier.state_tensor().copy_(tensors["multiplier"])
        self.weights.bits = float(tensors["weight bits"])
        self._corrected = int(tensors["corrected"])
        if self._clock is not None:
            # A fit that goes back to a good state has not got the time back.
            self._clock.resume(max(self._clock.seconds, float(tensors["seconds"])))

    def _step(self) -> tuple[float, float]:
        step = self.state.step
        if self._clock is not None:
            self.steps = self._ranks.from_first(self._clock.steps_in_all(step, self.steps))
        share = learning_rate(
            step, steps=self.steps, peak=1.0, warmup=self.warmup, warmup_start=self.recipe.warmup_start
        )
        scale = self.state.rate_scale
        is_counted = step % RATE_EVERY == 0
        if is_counted:
            self._follow_size(step)
        self._optimizer.zero_gradients()
        self._step_optimizer.zero_gradients()
        indices = self._indices(step)
        straight = min(max(STRAIGHT_STEPS / self.steps, STRAIGHT_SHARES[0]), STRAIGHT_SHARES[1])
        kind: Relaxation = "noise" if step < (1 - straight) * self.steps else "straight"
        generator = torch.Generator().manual_seed(zlib.crc32(f"noise {self.seed} {step}".encode()))
        weights, bits = self.weights.read(
            kind, generator, is_counted=is_counted, dtype=self._dtype or torch.float32
        )
        touched = [grid.touch(indices.tolist()) for grid in self.grids.values()]
        parts = []
        for grid, knots in zip(self.grids.values(), touched, strict=True):
            numbers, grid_bits = grid.read(knots, kind, generator, is_counted=is_counted)
            parts.append(numbers)
            bits = None if bits is None or grid_bits is None else bits + grid_bits
        errors = self._errors(weights, torch.cat(parts, dim=1), indices)
        loss = DISTORTION_SCALE * errors.sum() / len(indices)
        distortion = float(loss.detach())
        if bits is not None:
            cost = RATE_EVERY * self.multiplier.value / self._pixels / self._ranks.size
            loss = loss + cost * bits
        loss.backward()  # type: ignore[no-untyped-call]
        psnr = sum(psnr_of(error) for error in errors.tolist())
        moved = [*self.parameters.values(), *self._log_steps.values(), *(part.values for part in touched)]
        distortion, psnr = self._ranks.sum_gradients(moved, (distortion, psnr))
        self._optimizer.step(scale * share * self.peak_rate)
        if is_counted:
            self._step_optimizer.step(scale * share * STEP_REACH * RATE_EVERY / self.steps)
        for grid, knots in zip(self.grids.values(), touched, strict=True):
            grid.move(knots, scale * max(share, LEAST_GRID_SHARE) * GRID_RATE)
        return distortion, psnr / len(indices)

    def _errors(
        self, weights: Mapping[str, Tensor], numbers: Float[Tensor, "batch numbers"], indices: Tensor
    ) -> Float[Tensor, " share"]:
        """Squared error of this rank's share of the frames."""
        if self._ranks.size > 1:
            mine = self._ranks.share(torch.arange(len(indices)))
            numbers, indices = numbers[mine], indices[mine.to(indices.device)]
        drawn = functional_call(
            self._drawing,
            {f"network.{name}": weight for name, weight in weights.items()},
            (numbers,),
            strict=False,
        )
        target = self.frames[indices].to(torch.float32).mul_(1 / 255)
        return frame_errors(drawn.float() + 0.5, target)

    def _follow_size(self, step: int) -> None:
        """Let the multiplier see the size, now and then as the entropy coder has it."""
        reckoned = self.reckoned_bytes
        # Not a multiple of an interval: a clock changes the number of steps as they are taken.
        if step - self._corrected >= self.steps / CORRECTIONS:
            self.multiplier.correct(self.stored().estimate_bytes(), reckoned)
            self._corrected = step
        self.multiplier.follow(reckoned, step=step, steps=self.steps, taken=RATE_EVERY)


class _Drawing(nn.Module):
    """A network's way from numbers to colors, as a module, for ``functional_call``."""

    def __init__(self, network: Nervid) -> None:
        super().__init__()
        self.network = network

    def forward(self, numbers: Float[Tensor, "batch numbers"]) -> Float[Tensor, "batch 3 height width"]:
        return self.network.draw_colors(numbers)


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
