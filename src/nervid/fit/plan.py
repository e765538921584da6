"""What is asked of a segment's fit: all choices that decide it, and what its caller wants to be told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nervid.compress.quantize import Grid
from nervid.fit.alignment import Alignment
from nervid.fit.checkpoint import save_checkpoint
from nervid.fit.distributed import ALONE, Ranks
from nervid.fit.phase import Phase
from nervid.fit.precision import Precision
from nervid.fit.rd.motion import Motion
from nervid.fit.recipe import Effort, Recipe
from nervid.fit.start import Start
from nervid.fit.trainer import FitProgress, Trainer
from nervid.models.config import ModelConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentPlan:
    """All choices that, with the frames, determine a fitted segment to the last bit on one machine."""

    model: ModelConfig
    """The network to fit."""
    recipe: Recipe
    """How it is fitted."""
    effort: Effort
    """How long it is fitted."""
    bits: int
    """Bits per weight and embedding value before entropy coding, 2 to 8."""
    sparsity: float
    """Share of the weights pruned to zero before fine-tuning, in [0, 1)."""
    target_bytes: int | None
    """Size that weights and embeddings may take, or None to keep the finest grids."""
    seed: int
    """Seeds initialization and the order of frames."""
    precision: Precision
    """Type of the convolutions while fitting."""
    device: str
    """Where to fit: "cpu", "cuda", "cuda:1"."""
    time_limit_seconds: float | None = None
    """Time that the steps may take instead of the effort's number of them; only for a rate-distortion fit."""
    compiled: bool = False
    """Whether networks run compiled (torch.compile); meant for CUDA, on the CPU it loses."""
    multiplier: float | None = None
    """Cost of a bit per pixel, in thousandths of mean squared error, instead of a size; only for a
    rate-distortion fit."""
    alignment: Alignment | None = None
    """What pulls the embeddings towards a teacher; only for networks that store embeddings."""
    start: Start | None = None
    """Learned weights to begin with; None begins with weights drawn at random from ``seed``."""
    motion: Motion | None = None
    """What a network with textures begins with; None begins with none."""
    seconds_before: float = field(default=0.0, repr=False)
    """Time that was taken before the first step and counts against the limit."""

    def phase(self, name: str, *, steps: int, ranks: Ranks) -> Phase:
        """Return how the recipe takes the steps of a phase that begins afresh.

        Args:
            name: Of the phase.
            steps: Its steps.
            ranks: Processes that share every batch.
        """
        return Phase(
            name=name,
            recipe=self.recipe,
            steps=steps,
            peak_rate=self.recipe.learning_rate,
            warmup=self.recipe.warmup,
            seed=self.seed,
            precision=self.precision,
            ranks=ranks,
        )

    def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the same function, compiled for every shape it meets, if the plan says so."""
        return torch.compile(function, dynamic=False) if self.compiled else function


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What a caller wants to be told and may ask for while a segment is fitted."""

    on_step: Callable[[FitProgress], None] | None = None
    """Called after every step."""
    should_stop: Callable[[], bool] | None = None
    """Asked before every step; True saves the state and raises Interrupted."""
    checkpoint: Path | None = None
    """File that keeps the resumable state; None keeps none."""
    save_seconds: float = 20.0
    """Time between two saves of it, in seconds."""
    ranks: Ranks = ALONE
    """Processes that share every batch: all have the same frames and plan, the first alone a checkpoint."""

    def saver(
        self, trainer: Trainer, key: str, grids: Mapping[str, Grid], masks: Mapping[str, Tensor]
    ) -> Callable[[], None] | None:
        """Return what writes the trainer's state into the checkpoint; None without one.

        Args:
            trainer: The running phase.
            key: Names clip and plan.
            grids: Quantization grids in force; read anew at every save.
            masks: Pruning masks in force.
        """
        path = self.checkpoint
        if path is None:
            return None
        return lambda: save_checkpoint(path, trainer, key=key, grids=grids, masks=masks)
