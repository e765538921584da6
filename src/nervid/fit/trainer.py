"""Steps an optimizer over the frames of one segment, guarded against divergence, resumable at any step."""

import time
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Int, UInt8
from torch import Tensor, nn

from nervid.errors import InputError
from nervid.fit.guard import COLLAPSE_FACTOR, DivergenceGuard
from nervid.fit.optimizer import Optimizer
from nervid.fit.phase import Phase
from nervid.fit.precision import autocast_dtype
from nervid.models.representation import EMBEDDINGS

SNAPSHOT_STEPS = 200
"""A healthy state is kept every so many steps, for the divergence guard."""
MOST_RESTARTS = 10
"""Restarts after which a fit is given up: by then the rate is a thousandth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitProgress:
    """What a fit reports after a step."""

    phase: str
    """"fit" or "finetune"; an encoder's reports also have "teach"."""
    step: int
    """Steps taken in this phase."""
    steps: int
    """Steps of this phase in all."""
    psnr_db: float
    """Running mean over about one epoch of the drawn frames' PSNR, float images, in dB."""
    frames_per_second: float
    """Frames fitted per second since the phase began or was resumed."""
    restarts: int
    """Times the divergence guard went back to a good state."""
    size_bytes: float | None = None
    """What weights and embeddings would take now, in bytes, where the fit counts them."""


class Interrupted(BaseException):
    """The fit was asked to stop; its state is saved."""


@dataclass(slots=True, kw_only=True)
class TrainerState:
    """Everything that decides the next step, beside parameters and optimizer."""

    guard: DivergenceGuard
    step: int = 0
    rate_scale: float = 1.0
    restarts: int = 0
    psnr_db: float = 0.0


class Trainer(ABC):
    """One phase of a fit, whatever a step is.

    The order of frames and the learning rate are functions of the seed and the step alone, so a phase that is
    resumed from ``state_tensors`` and ``state`` goes on exactly as it would have without the break.

    Args:
        phase: How its steps are taken.
        parameters: What the optimizer changes, by name.
        frames: The segment, uint8 [frames, 3, height, width] in [0, 255]; channels-last memory is fastest.
    """

    collapse_factor: ClassVar[float] = COLLAPSE_FACTOR
    """Rise of what ``_step`` returns that counts as divergence."""

    def __init__(
        self,
        phase: Phase,
        *,
        parameters: Mapping[str, nn.Parameter],
        frames: UInt8[Tensor, "frames 3 height width"],
    ) -> None:
        self.phase, self.parameters, self.frames = phase, dict(parameters), frames
        self.steps = phase.steps
        """Steps in all; a clock may change them."""
        self.state = TrainerState(guard=self._fresh_guard())
        self._ranks = phase.ranks
        self._dtype = autocast_dtype(phase.precision, frames.device)
        self._optimizer = Optimizer(
            self.parameters,
            kind=phase.recipe.optimizer,
            betas=phase.recipe.betas,
            adam_only=[name for name in self.parameters if name.rpartition(".")[2] == EMBEDDINGS],
            dtype=self._dtype or torch.float32,
        )
        self._order: tuple[int, Tensor] = (-1, torch.empty(0, dtype=torch.int64))
        self._good: tuple[dict[str, Tensor], int] | None = None

    def run(
        self,
        *,
        on_step: Callable[[FitProgress], None] | None = None,
        before_step: Callable[[int], None] | None = None,
        save: Callable[[], None] | None = None,
        save_seconds: float = 20.0,
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        """Take the remaining steps.

        Args:
            on_step: Called after every step.
            before_step: Called with the number of each step before it is taken.
            save: Called every ``save_seconds`` and before stopping early, between steps.
            save_seconds: Time between saves, in seconds.
            should_stop: Asked before every step.

        Raises:
            Interrupted: When ``should_stop`` says so, on any rank, after saving.
            InputError: When the fit diverges again and again.
            ElsewhereError: When another rank has ended.
        """
        started, saved, first = time.monotonic(), time.monotonic(), self.state.step
        while self.state.step < self.steps:
            if self._ranks.any(should_stop is not None and should_stop()):
                if save is not None:
                    save()
                self._ranks.wait()  # the first to end would take the one that saves along
                raise Interrupted
            if save is not None and time.monotonic() - saved > save_seconds:
                save()
                saved = time.monotonic()
            if before_step is not None:
                before_step(self.state.step)
            self._guarded_step()
            if on_step is not None:
                seconds = max(time.monotonic() - started, 1e-9)
                fitted = max(self.state.step - first, 0) * min(self.phase.recipe.batch_size, len(self.frames))
                on_step(
                    FitProgress(
                        phase=self.phase.name,
                        step=self.state.step,
                        steps=self.steps,
                        psnr_db=self.state.psnr_db,
                        frames_per_second=fitted / seconds,
                        restarts=self.state.restarts,
                        size_bytes=self.size_bytes,
                    )
                )

    def state_tensors(self, *, clone: bool = False) -> dict[str, Tensor]:
        """Return parameters and the optimizer's state by name; with ``clone`` as copies."""
        tensors = {f"parameter.{name}": parameter.detach() for name, parameter in self.parameters.items()}
        tensors |= {f"optimizer.{key}": value for key, value in self._optimizer.state_tensors().items()}
        return {name: tensor.clone() for name, tensor in tensors.items()} if clone else tensors

    def load_state_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Take parameters and the optimizer's state over from :meth:`state_tensors`."""
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(tensors[f"parameter.{name}"])
        prefix = "optimizer."
        self._optimizer.load_state_tensors(
            {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}
        )

    @property
    def size_bytes(self) -> float | None:
        """What would be stored now, in bytes, where a fit counts it."""
        return None

    @property
    def good(self) -> tuple[dict[str, Tensor], int]:
        """The last healthy state, tensors and step; a checkpoint keeps it, so that a resumed guard agrees.

        Before the first step it is the one that there is.
        """
        if self._good is None:
            self._good = (self.state_tensors(clone=True), 0)
        return self._good

    @good.setter
    def good(self, value: tuple[dict[str, Tensor], int]) -> None:
        self._good = value

    def _guarded_step(self) -> None:
        tensors, step = self.good
        loss, psnr = self._step()
        if self.state.guard.is_healthy(loss):
            self.state.step += 1
            share = min(1.0, self.phase.recipe.batch_size / len(self.frames))
            self.state.psnr_db += (psnr - self.state.psnr_db) * max(share, 1 / self.state.step)
            if self.state.step % SNAPSHOT_STEPS == 0:
                self._good = (self.state_tensors(clone=True), self.state.step)
            return
        if self.state.restarts == MOST_RESTARTS:
            raise InputError(
                f"the fit diverged {MOST_RESTARTS} times at ever lower learning rates; try another --seed"
            )
        self.load_state_tensors(tensors)
        self.state = TrainerState(
            step=step,
            rate_scale=self.state.rate_scale / 2,
            restarts=self.state.restarts + 1,
            psnr_db=self.state.psnr_db if step else 0.0,
            guard=self._fresh_guard(),
        )

    def _fresh_guard(self) -> DivergenceGuard:
        return DivergenceGuard(collapse_factor=self.collapse_factor)

    @abstractmethod
    def _step(self) -> tuple[float, float]:
        """Take the step that ``state`` names.

        Returns:
            What the guard follows, and the mean PSNR of the step's frames in dB.
        """

    def _indices(self, step: int) -> Int[Tensor, " batch"]:
        """The frames of one step: each epoch is a fresh permutation, its last batch may be smaller."""
        per_epoch = -(-len(self.frames) // self.phase.recipe.batch_size)
        epoch, batch = divmod(step, per_epoch)
        if self._order[0] != epoch:
            seed = zlib.crc32(f"{self.phase.name} {self.phase.seed} {epoch}".encode())
            generator = torch.Generator().manual_seed(seed)
            self._order = (epoch, torch.randperm(len(self.frames), generator=generator))
        first = batch * self.phase.recipe.batch_size
        return self._order[1][first : first + self.phase.recipe.batch_size].to(self.frames.device)
