"""FittedGrids: feature grids in the course of a fit; a step reads and moves only the knots that it needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf, prod
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nervid.fit.rd.moments import KnotMoments, Place
from nervid.fit.rd.relaxation import Noise, Relaxation, bits_and_slope, soft_round
from nervid.models.config.feature_grid import FeatureGrid
from nervid.models.mixing import mix_knots, touched_knots

FIRST_STEP: Final = 0.03
"""Quantization step of a fresh grid: fine, so that nothing is lost before there is something to lose."""
COARSE_STEP: Final = 0.15
"""Quantization step from which on the learning rate grows with it."""
FIRST_SCALE: Final = 0.5
"""Mean magnitude, in steps, that a fresh grid's channels are taken to have."""
SCALE_DECAY: Final = 0.95
"""Decay of the running mean magnitudes that stand for the entropy coder's statistics, per step."""


@dataclass(frozen=True, slots=True, eq=False)
class TouchedKnots:
    """The knots of one grid that a step reads."""

    number: int
    """The grid, from 0."""
    knots: list[int]
    shares: Float[Tensor, "planes knots"]
    """How the planes that the step's frames read are mixed from them."""


class FittedGrids:
    """Values and quantization steps of a network's feature grids, values in one row.

    They are kept beside the network because a step changes few of them: a knot that no frame of the batch
    lies next to stays as it is. Gradients are brought back by hand; a step is
    ``relax``, drawing and its backward pass, ``collect``, ``move``, and ``steps_moved`` once ``log_steps``
    has changed.

    Args:
        grids: Their shapes and spans.
        frames: Frames of the segment.
        device: Where they are kept.
    """

    def __init__(self, grids: Sequence[FeatureGrid], frames: int, device: torch.device) -> None:
        self._grids, self._frames, self._device = tuple(grids), frames, device
        self._sizes = [prod(grid.shape[1:]) for grid in grids]
        counts = [prod(grid.shape) for grid in grids]
        self._firsts = [0, *accumulate(counts)][:-1]
        knots = [grid.shape[0] for grid in grids]
        self._first_knots = [0, *accumulate(knots)][:-1]
        self._channels = [grid.shape[1] for grid in grids]
        self._row = torch.zeros(sum(counts), device=device)
        self._moments = KnotMoments(sum(counts), sum(knots), device)
        self.log_steps = nn.Parameter(torch.full((sum(self._channels),), FIRST_STEP, device=device).log())
        self._scales = torch.full((sum(self._channels),), FIRST_SCALE, device=device)
        self._bits = torch.zeros(sum(knots), device=device)
        self._frames_of = torch.cat([_frames_of(grid, frames).to(device) for grid in grids])
        self._step_maps: list[Tensor] = []
        self._rate_maps: list[Tensor] = []
        # What a step keeps from one call to the next.
        self.touched = torch.empty(0)
        """Values before quantization of the knots that the last :meth:`relax` read, and their gradient."""
        self._touched: list[TouchedKnots] = []
        self._places: list[Place] = []
        self._steps = self._codes = self._relaxed = self._numbers = torch.empty(0)
        self._slope: Tensor | None = None
        self._bend: Tensor | None = None
        self.steps_moved()

    @property
    def bits(self) -> float:
        """Bits of all knots, each as of the last step that counted it."""
        return float(self._bits.sum())

    def values(self) -> list[Float[Tensor, "knots channels rows columns"]]:
        """Return the grids before quantization; they share memory with what is fitted."""
        ends = [first + prod(grid.shape) for first, grid in zip(self._firsts, self._grids, strict=True)]
        return [
            self._row[first:end].view(grid.shape)
            for first, end, grid in zip(self._firsts, ends, self._grids, strict=True)
        ]

    def steps(self) -> list[Float[Tensor, " channels"]]:
        """Return each grid's quantization steps."""
        return list(torch.split(self.log_steps.detach().exp(), self._channels))

    def steps_moved(self) -> None:
        """Take note that ``log_steps`` has changed."""
        sites = [grid.shape[2] * grid.shape[3] for grid in self._grids]
        self._step_maps = [
            steps.repeat_interleave(count) for steps, count in zip(self.steps(), sites, strict=True)
        ]
        # A rate that is small beside the step would leave rounded numbers where they are.
        self._rate_maps = [(steps / COARSE_STEP).clamp(min=1) for steps in self._step_maps]

    def most_touched(self, batch: int) -> int:
        """Return the most numbers that a step of so many frames reads."""
        return sum(
            size * min(2 * batch, grid.shape[0]) for size, grid in zip(self._sizes, self._grids, strict=True)
        )

    @torch.no_grad()
    def relax(
        self,
        indices: Sequence[int],
        kind: Relaxation,
        noise: Noise,
        step: int,
        *,
        softness: float,
        is_counted: bool,
    ) -> Float[Tensor, "frames numbers"]:
        """Return the numbers of frames ``indices`` with rounding stood in for; gradients end there.

        Args:
            indices: Frames of this step.
            kind: How.
            noise: Source of noise.
            step: Names the step.
            softness: Of the roundings before and after noise, above 0; infinite for noise alone.
            is_counted: Whether bits are counted and :meth:`collect` is to find gradients of steps.
        """
        self._touch(indices)
        parts = [self._row[first : first + size] for _, first, size in self._places]
        self.touched = torch.cat(parts).requires_grad_(True)
        self._steps = torch.cat([self._step_maps[each.number] for each in self._touched for _ in each.knots])
        self._codes = codes = self.touched / self._steps
        self._slope, self._bend = None, None
        if kind == "straight":
            relaxed = codes.round()
        elif softness == inf:
            relaxed = codes + noise.at(step, len(codes))
        else:
            before, bend = soft_round(codes, softness)
            relaxed, slopes = soft_round(before.add_(noise.at(step, len(codes))), softness)
            self._bend = bend.mul_(slopes)
        self._relaxed = relaxed
        if is_counted:
            self._slope = self._count(codes, relaxed, len(indices))
        values = self._by_grid(relaxed * self._steps)
        mixed = [
            mix_knots(part, each.shares, grid.reads)
            for part, each, grid in zip(values, self._touched, self._grids, strict=True)
        ]
        self._numbers = torch.cat(mixed, dim=1).requires_grad_(True)
        return self._numbers

    @torch.no_grad()
    def collect(self, cost: float) -> None:
        """Set the gradient of ``touched``, and where bits were counted that of steps.

        With the relaxed code ``r(v / s)`` a number is ``s r``; its derivatives are ``r'`` by the value ``v``
        and ``s (r - r' v / s)`` by the logarithm of the step ``s``. Of rounding ``r'`` is taken to be 1.

        Args:
            cost: Of one bit.
        """
        assert self._numbers.grad is not None
        wide = [grid.reads * size for grid, size in zip(self._grids, self._sizes, strict=True)]
        parts = torch.split(self._numbers.grad, wide, dim=1)
        gradient = torch.cat(
            [
                (each.shares.T @ part.reshape(len(each.shares), -1)).flatten()
                for each, part in zip(self._touched, parts, strict=True)
            ]
        )
        if self._slope is None:
            self.touched.grad = gradient if self._bend is None else gradient.mul_(self._bend)
            return
        by_relaxed = torch.addcmul(self._slope * cost, gradient, self._steps)
        by_code = by_relaxed if self._bend is None else by_relaxed * self._bend
        by_step = (gradient * self._relaxed).mul_(self._steps).addcmul_(by_code, self._codes, value=-1)
        self.log_steps.grad = torch.cat([part.sum(dim=(0, 2)) for part in self._by_channel(by_step)])
        self.touched.grad = by_code / self._steps

    @torch.no_grad()
    def move(self, rate: float) -> None:
        """Take one step of Adam with the gradient of ``touched``."""
        gradient = self.touched.grad
        assert gradient is not None
        rates = torch.cat([self._rate_maps[each.number] for each in self._touched for _ in each.knots])
        self._moments.move(self._row, self._places, gradient, rates, rate)

    def state_tensors(self) -> dict[str, Tensor]:
        """Return all that a resumed fit needs, steps aside."""
        return {
            "values": self._row,
            "scales": self._scales,
            "bits": self._bits,
            **self._moments.tensors(),
        }

    def load_state_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over copies of what :meth:`state_tensors` returned."""
        for name, tensor in self.state_tensors().items():
            tensor.copy_(tensors[name])

    def _touch(self, indices: Sequence[int]) -> None:
        self._touched, self._places = [], []
        for number, grid in enumerate(self._grids):
            knots, shares = touched_knots(grid, indices)
            self._touched.append(TouchedKnots(number, knots, shares.to(self._device)))
            first_knot, first, size = self._first_knots[number], self._firsts[number], self._sizes[number]
            self._places += [Place(first_knot + knot, first + knot * size, size) for knot in knots]

    def _by_grid(self, row: Float[Tensor, " touched"]) -> list[Float[Tensor, "knots numbers"]]:
        counts = [len(each.knots) for each in self._touched]
        totals = [count * size for count, size in zip(counts, self._sizes, strict=True)]
        return [part.view(count, -1) for part, count in zip(torch.split(row, totals), counts, strict=True)]

    def _by_channel(self, row: Float[Tensor, " touched"]) -> list[Float[Tensor, "knots channels sites"]]:
        return [
            part.view(len(part), channels, -1)
            for part, channels in zip(self._by_grid(row), self._channels, strict=True)
        ]

    def _count(
        self, codes: Float[Tensor, " touched"], relaxed: Float[Tensor, " touched"], frames: int
    ) -> Float[Tensor, " touched"]:
        """Count the bits of relaxed codes and return the derivative of all grids' bits by these.

        It is weighted so that its mean over random batches is that of all knots' bits.
        """
        by_channel = self._by_channel(codes)
        self._scales.lerp_(torch.cat([part.abs().mean(dim=(0, 2)) for part in by_channel]), 1 - SCALE_DECAY)
        slopes = []
        for part, each, scales in zip(
            self._by_channel(relaxed),
            self._touched,
            torch.split(self._scales, self._channels),
            strict=True,
        ):
            bits, slope = bits_and_slope(part, scales[:, None])
            where = [self._first_knots[each.number] + knot for knot in each.knots]
            self._bits[where] = bits.sum(dim=(1, 2))
            share = (each.shares > 0).sum(dim=0) / self._frames_of[where] * (self._frames / frames)
            slopes.append((slope * share[:, None, None]).flatten())
        return torch.cat(slopes)


def _frames_of(grid: FeatureGrid, frames: int) -> Float[Tensor, " knots"]:
    """Return how many frames are mixed from each knot, at least 1."""
    knots, shares = touched_knots(grid, range(frames))
    found = torch.zeros(grid.shape[0])
    found[knots] = (shares > 0).sum(dim=0).to(found)
    return found.clamp(min=1)
