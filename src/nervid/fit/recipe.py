"""The papers' training recipes and the effort presets, as data."""

from dataclasses import dataclass, replace
from typing import Final, Literal

from nervid.errors import InputError

RecipeName = Literal["quick", "nerv", "hnerv"]
OptimizerName = Literal["adam", "muon"]
PresetName = Literal["ultrafast", "fast", "balanced", "best"]


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
    """Rate at the end of the warm-up."""
    optimizer: OptimizerName = "adam"
    """What moves the kernels; biases and embeddings are always Adam's."""
    betas: tuple[float, float]
    """Adam's decay rates of the first and second moment."""
    batch_size: int
    """Frames per step."""
    warmup: float
    """Share of all steps in which the rate rises linearly from ``warmup_start`` times the full rate."""
    warmup_start: float = 0.1
    """Rate of the first step as a share of the full rate."""
    float_share: float = 1.0
    """Share of the epochs that are fitted in float weights, HNeRV's encoder along; the rest joins the
    fine-tuning, which needs no encoder and so takes half the time per step or less."""
    finetune_rate: float = 0.3
    """Learning rate at the start of the fine-tuning as a share of the full rate."""


RECIPES: Final[dict[RecipeName, Recipe]] = {
    # Ours, measured against the published ones at equal time in docs/log.md.
    "quick": Recipe(
        l1=0.0,
        l2=1.0,
        ssim=0.0,
        learning_rate=8e-3,
        optimizer="muon",
        betas=(0.9, 0.99),
        batch_size=2,
        warmup=0.1,
        float_share=0.4,
        finetune_rate=1.0,
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

RATE_DISTORTION: Final = Recipe(
    l1=0.0,
    l2=1.0,
    ssim=0.0,
    learning_rate=8e-3,
    optimizer="muon",
    betas=(0.9, 0.99),
    batch_size=2,
    warmup=0.05,
    warmup_start=0.0,
)
"""Ours, for the network that is fitted for its rate as well; ``nervid.fit.rd`` has its other numbers."""


FINETUNE_SHARE: Final = 0.25
"""Steps of fine-tuning that follow on every schedule, as a share of its epochs' steps; chosen, untuned. (NeRV
fine-tunes pruned networks for 50 epochs after 1200.)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long a segment is fitted."""

    epochs: int
    """Passes over the frames, both papers report 300 and 1200; a quarter as many follow as fine-tuning."""
    minimum_steps: int
    """Steps that short clips get at least, whatever the epochs; a quarter as many follow too."""

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.minimum_steps < 1:
            raise InputError(f"epochs and steps must be at least 1, got {self}")

    def steps(self, frames: int, recipe: Recipe) -> tuple[int, int]:
        """Return the steps in float weights and the quantization-aware steps after them, each at least 1."""
        steps = max(self.epochs * -(-frames // recipe.batch_size), self.minimum_steps)
        in_float = max(1, round(steps * recipe.float_share))
        return in_float, max(1, round(steps * (1 + FINETUNE_SHARE)) - in_float)


PRESETS: Final[dict[PresetName, Effort]] = {
    "ultrafast": Effort(epochs=30, minimum_steps=300),
    "fast": Effort(epochs=100, minimum_steps=1000),
    "balanced": Effort(epochs=300, minimum_steps=3000),
    "best": Effort(epochs=1200, minimum_steps=10_000),
}

RATE_DISTORTION_PRESETS: Final[dict[PresetName, Effort]] = {
    "ultrafast": Effort(epochs=20, minimum_steps=200),
    "fast": Effort(epochs=64, minimum_steps=640),
    "balanced": Effort(epochs=200, minimum_steps=2000),
    "best": Effort(epochs=1200, minimum_steps=10_000),
}
"""For our own network, whose fit takes a quarter more steps than these in one go. Large frames get
``LARGE_SHARE`` of the epochs, so that 132 frames of 640x360 take about 1, 3 and 10 minutes of two cores, and
an hour (docs/log.md)."""
LARGE_SHARE: Final = 0.6
"""Share of those epochs that large frames get, of which a step takes longer."""


def rate_distortion_effort(preset: PresetName, *, is_large: bool) -> Effort:
    """Return how long our own network is fitted.

    Args:
        preset: How much effort is asked for.
        is_large: Whether frames have ``nervid.models.nervid_sizing.LARGE_PIXELS`` or more.
    """
    effort = RATE_DISTORTION_PRESETS[preset]
    return replace(effort, epochs=max(1, round(LARGE_SHARE * effort.epochs))) if is_large else effort
