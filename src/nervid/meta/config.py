"""What a user may choose when learning an initialization; imports no torch, so that help stays quick."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

import tyro

from nervid.errors import InputError
from nervid.models.inner import InnerStep

Method = Literal["first-order", "second-order", "reptile"]
"""How the learning step sees the inner steps: see :class:`MetaConfig`."""
RateKind = Literal["layer", "parameter", "fixed"]
"""What has an inner learning rate of its own."""
MetaModel = Literal["nerv", "hnerv"]

MOST_SIZE: Final = 512
MOST_FRAMES: Final = 32
"""Most frames of a window: the largest power of two in a shot."""
STAGE_STEPS: Final = (0.0, 0.1, 0.25)
"""Shares of the steps at which a window's frames double up to all of them; chosen, untuned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaConfig:
    """Choices for learning one initialization over many videos."""

    model: MetaModel = "hnerv"
    """Family of the network whose starting weights are learned."""
    parameters: Annotated[int, tyro.conf.arg(metavar="N")] = 350_000
    """Numbers of the network that is learned, embeddings included; hnerv only: nerv is GradNCP's."""
    size: Annotated[int, tyro.conf.arg(metavar="PIXELS")] = 128
    """Side of the square windows that are fitted: 64, 128, 256 or another multiple of 64."""
    frames: Annotated[int, tyro.conf.arg(metavar="N")] = 8
    """Frames of a window, a power of two up to 32: a shot that it is cut out of has 48."""
    progressive: bool = True
    """Temporal guidance: windows begin with a quarter of their frames, then have half, then all of them."""
    coarse_weight: Annotated[float, tyro.conf.arg(metavar="WEIGHT")] = 0.3
    """Spatial guidance: weight of the loss on the small image of each stage but the last; 0 for none."""
    steps: Annotated[int, tyro.conf.arg(metavar="N")] = 4000
    """Learning steps (outer steps)."""
    tasks: Annotated[int, tyro.conf.arg(metavar="N")] = 2
    """Windows per learning step, over all processes; their gradients are added up one by one."""
    inner_steps: Annotated[int, tyro.conf.arg(metavar="N")] = 3
    """Gradient steps in which a window is fitted."""
    method: Method = "first-order"
    """first-order (FOMAML) takes the inner steps' gradients for constants, second-order (MAML) looks through
    them, reptile moves towards where they lead."""
    inner: InnerStep = "muon"
    """Direction of an inner step: muon makes the gradient of every kernel orthogonal, gradient takes it as it
    is (MAML)."""
    rates: RateKind = "layer"
    """What learns an inner rate of its own: every layer's weights and biases, every single parameter
    (Meta-SGD), or nothing (fixed)."""
    every_step_weight: Annotated[float, tyro.conf.arg(metavar="WEIGHT")] = 0.3
    """Weight of the losses before the last inner step in what is learned; 0 for none."""
    learning_rate: Annotated[float, tyro.conf.arg(metavar="RATE")] = 1e-3
    """Rate of the learning steps (Adam) after the warm-up; it falls along a cosine."""
    rates_learning_rate: Annotated[float, tyro.conf.arg(metavar="RATE")] = 0.03
    """The same for the logarithms of the inner rates."""
    seed: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Same seed, videos, options and machine: same initialization."""
    device: Annotated[str, tyro.conf.arg(metavar="DEVICE")] = "auto"
    """Where to learn: cpu, cuda:1; auto takes CUDA where there is any."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Type of the convolutions; auto takes bfloat16 where the hardware has it."""

    def __post_init__(self) -> None:
        if self.size % 64 or not 64 <= self.size <= MOST_SIZE:
            raise InputError(f"size must be a multiple of 64 up to {MOST_SIZE} pixels, got {self.size}")
        if self.frames < 1 or self.frames & (self.frames - 1) or self.frames > MOST_FRAMES:
            raise InputError(f"frames must be a power of two up to {MOST_FRAMES}, got {self.frames}")
        for name, least, most in (
            ("steps", 1, 10**8),
            ("tasks", 1, 4096),
            ("inner_steps", 1, 64),
            ("parameters", 10_000, 10**8),
            ("seed", 0, 2**63 - 1),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise InputError(f"{name} must be {least} to {most}, got {value}")
        for name in ("learning_rate", "rates_learning_rate"):
            value = getattr(self, name)
            if not 0 < value < 10:
                raise InputError(f"{name} must be above 0 and below 10, got {value:g}")
        for name in ("coarse_weight", "every_step_weight"):
            if not 0 <= getattr(self, name) < 100:
                raise InputError(f"{name} must be 0 or more and below 100, got {getattr(self, name):g}")

    def frames_at(self, step: int) -> int:
        """Return how many frames of its window a task fits at a learning step, counted from 0."""
        if not self.progressive:
            return self.frames
        reached = sum(step >= share * self.steps for share in STAGE_STEPS)
        return max(1, self.frames >> (len(STAGE_STEPS) - reached))
