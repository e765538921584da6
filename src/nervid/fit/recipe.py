"""The papers' training recipes and the effort presets, as data."""

from dataclasses import dataclass
from typing import Final, Literal

from nervid.errors import InputError

RecipeName = Literal["quick", "nerv", "hnerv"]
PresetName = Literal["fast", "balanced", "best"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a network is fitted to frames: loss weights, optimizer and learning-rate schedule."""

    l1: float
    """Weight of the mean absolute error, pixels in [0, 1]."""
    l2: float
    """Weight of the mean squared error, pixels in [0, 1]."""
    ssim: float
    """Weight of 1 - SSIM (Gaussian window 11, data range 1)."""
    learning_rate: float
    """Adam's rate at the end of the warm-up."""
    betas: tuple[float, float]
    """Adam's decay rates of the first and second moment."""
    batch_size: int
    """Frames per step."""
    warmup: float
    """Share of all steps in which the rate rises linearly from ``warmup_start`` times the full rate."""
    warmup_start: float = 0.1
    """Rate of the first step as a share of the full rate."""


RECIPES: Final[dict[RecipeName, Recipe]] = {
    # Ours, measured against the published ones at equal time in docs/log.md.
    "quick": Recipe(
        l1=0.0, l2=1.0, ssim=0.0, learning_rate=4e-3, betas=(0.9, 0.99), batch_size=1, warmup=0.1
    ),
    # NeRV section 4.1 and its published code: 0.7 L1 + 0.3 (1 - SSIM), batch 1, warm-up over 20 %.
    "nerv": Recipe(
        l1=0.7, l2=0.0, ssim=0.3, learning_rate=5e-4, betas=(0.5, 0.999), batch_size=1, warmup=0.2
    ),
    # HNeRV section 4.1 and its published code: L2, batch 2, warm-up over 10 %.
    "hnerv": Recipe(
        l1=0.0, l2=1.0, ssim=0.0, learning_rate=1e-3, betas=(0.9, 0.999), batch_size=2, warmup=0.1
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long a segment is fitted."""

    epochs: int
    """Passes over the frames before quantization; both papers report 300 and 1200."""
    minimum_steps: int
    """Steps before quantization that short clips get at least, whatever the epochs."""
    finetune_share: float = 0.25
    """Quantization-aware steps after that, as a share of the steps before."""

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.minimum_steps < 1 or not 0 < self.finetune_share <= 1:
            raise InputError(f"epochs and steps must be at least 1 and the share in (0, 1], got {self}")

    def steps(self, frames: int, batch_size: int) -> tuple[int, int]:
        """Return the steps before quantization and the quantization-aware steps after it."""
        before = max(self.epochs * -(-frames // batch_size), self.minimum_steps)
        return before, max(1, round(before * self.finetune_share))


PRESETS: Final[dict[PresetName, Effort]] = {
    "fast": Effort(epochs=100, minimum_steps=1000),
    "balanced": Effort(epochs=300, minimum_steps=3000),
    "best": Effort(epochs=1200, minimum_steps=10_000),
}
