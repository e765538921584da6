"""FittedGrid: a feature grid in the course of a fit; a step reads and moves only the knots that it needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nervid.fit.rd.relaxation import Relaxation, laplace_bits, relaxed
from nervid.models.config.nervid import FeatureGrid
from nervid.models.mixing import mix_knots, touched_knots

FIRST_STEP: Final = 0.03
"""Quantization step of a fresh grid: fine, so that nothing is lost before there is something to lose."""
COARSE_STEP: Final = 0.15
"""Quantization step from which on the learning rate grows with it."""
FIRST_SCALE: Final = 0.5
"""Mean magnitude, in steps, that a fresh grid's channels are taken to have."""
BETAS: Final = (0.9, 0.99)
"""Decay rates of Adam's first and second moment, per step that touches a knot."""
EPSILON: Final = 1e-12
SCALE_DECAY: Final = 0.95
"""Decay of the running mean magnitudes that stand for the entropy coder's statistics, per step."""


@dataclass(frozen=True, slots=True, eq=False)
class Touched:
    """What one step reads of a grid."""

    knots: Tensor
    """Indices of the knots, int64."""
    shares: Float[Tensor, "frames knots"]
    """How the step's frames are mixed from them."""
    values: Float[Tensor, "knots channels rows columns"]
    """Their values before quantization; the gradient ends here."""


class FittedGrid:
    """Values, quantization steps and Adam's moments of one feature grid.

    Values are kept beside the network because a step changes few of them: moments of a knot that no frame of
    the batch lies next to stay as they are.

    Args:
        grid: Its shape and span.
        frames: Frames of the segment.
        device: Where it is kept.
    """

    def __init__(self, grid: FeatureGrid, frames: int, device: torch.device) -> None:
        self.grid = grid
        self.values = torch.zeros(grid.shape, device=device)
        self.log_steps = nn.Parameter(torch.full((grid.shape[1],), FIRST_STEP, device=device).log())
        self._mean, self._square = torch.zeros_like(self.values), torch.zeros_like(self.values)
        self._updates = torch.zeros(grid.shape[0], device=device)
        self._scales = torch.full((grid.shape[1],), FIRST_SCALE, device=device)
        self._bits = torch.zeros(grid.shape[0], device=device)
        knots, shares = touched_knots(grid, range(frames))
        self._frames_of = torch.zeros(grid.shape[0], device=device)
        self._frames_of[knots] = (shares > 0).sum(dim=0).to(self._frames_of)
        self._frames = frames

    @property
    def bits(self) -> float:
        """Bits of all knots, each as of the last step that counted it."""
        return float(self._bits.sum())

    def touch(self, indices: Sequence[int]) -> Touched:
        """Return the knots that frames ``indices`` are mixed from."""
        knots, shares = touched_knots(self.grid, indices)
        where = torch.tensor(knots, device=self.values.device)
        return Touched(where, shares.to(self.values), self.values[where].requires_grad_(True))

    def read(
        self, touched: Touched, kind: Relaxation, generator: torch.Generator, *, is_counted: bool
    ) -> tuple[Float[Tensor, "frames numbers"], Tensor | None]:
        """Return the frames' numbers, and the bits of the whole grid as these knots tell them.

        The bits are weighted so that their mean over random batches is that of all knots' bits.

        Args:
            touched: What the step reads.
            kind: How rounding is stood in for.
            generator: Makes noise.
            is_counted: Whether bits are wanted.
        """
        steps = self.log_steps.exp().view(1, -1, 1, 1)
        codes = touched.values / steps
        rounded = relaxed(codes, kind, generator)
        bits = None
        if is_counted:
            with torch.no_grad():
                self._scales.lerp_(codes.abs().mean(dim=(0, 2, 3)), 1 - SCALE_DECAY)
            by_knot = laplace_bits(rounded, self._scales.view(1, -1, 1, 1)).sum(dim=(1, 2, 3))
            self._bits[touched.knots] = by_knot.detach()
            frames = (touched.shares > 0).sum(dim=0) / self._frames_of[touched.knots]
            bits = (by_knot * frames).sum() * (self._frames / len(touched.shares))
        return mix_knots(rounded * steps, touched.shares), bits

    @torch.no_grad()
    def move(self, touched: Touched, rate: float) -> None:
        """Take one step of Adam with the gradient that came to the touched values."""
        gradient, knots = touched.values.grad, touched.knots
        assert gradient is not None
        self._updates[knots] += 1
        mean = self._mean[knots].lerp_(gradient, 1 - BETAS[0])
        square = self._square[knots].mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        self._mean[knots], self._square[knots] = mean, square
        updates = self._updates[knots].view(-1, 1, 1, 1)
        # A rate that is small beside the step would leave rounded numbers where they are.
        rates = rate * (self.log_steps.exp() / COARSE_STEP).clamp(min=1).view(1, -1, 1, 1)
        root = (square / (1 - BETAS[1] ** updates)).sqrt_().add_(EPSILON)
        self.values[knots] -= (rates / (1 - BETAS[0] ** updates)) * mean / root

    def state_tensors(self) -> dict[str, Tensor]:
        """Return all that a resumed fit needs, steps aside."""
        return {
            "values": self.values,
            "mean": self._mean,
            "square": self._square,
            "updates": self._updates,
            "scales": self._scales,
            "bits": self._bits,
        }

    def load_state_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over copies of what :meth:`state_tensors` returned."""
        for name, tensor in self.state_tensors().items():
            tensor.copy_(tensors[name])
