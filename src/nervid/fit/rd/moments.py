"""KnotMoments: Adam for numbers of which a step moves few, in whole knots."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

BETAS: Final = (0.9, 0.99)
"""Decay rates of Adam's first and second moment, per step that touches a knot."""
EPSILON: Final = 1e-12


class Place(NamedTuple):
    """Where a knot lies in a row of numbers."""

    knot: int
    """Its number among the knots of all grids."""
    first: int
    """The first of its numbers."""
    size: int
    """How many it has."""


class KnotMoments:
    """Adam's two moments of every number (Kingma and Ba, ICLR 2015).

    Deviates from Adam: moments and number of updates of a knot that a step does not touch stay as they are.

    Args:
        numbers: How many numbers all knots have.
        knots: How many knots there are.
        device: Where moments are kept.
    """

    def __init__(self, numbers: int, knots: int, device: torch.device) -> None:
        self._mean = torch.zeros(numbers, device=device)
        self._square = torch.zeros(numbers, device=device)
        self._updates: Int64[Tensor, " knots"] = torch.zeros(knots, dtype=torch.int64)

    def move(
        self,
        row: Float[Tensor, " numbers"],
        places: Sequence[Place],
        gradient: Float[Tensor, " touched"],
        rates: Float[Tensor, " touched"],
        rate: float,
    ) -> None:
        """Take one step of Adam.

        Args:
            row: All numbers; those of the touched knots are moved.
            places: The touched knots.
            gradient: By their numbers, in the same order.
            rates: Learning rate of each as a multiple of ``rate``.
            rate: Learning rate.
        """
        sizes = [place.size for place in places]
        means, squares = (
            [moments[place.first : place.first + place.size] for place in places]
            for moments in (self._mean, self._square)
        )
        mean = torch.cat(means).lerp_(gradient, 1 - BETAS[0])
        square = torch.cat(squares).mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        moved = (square.sqrt().add_(EPSILON)).reciprocal_().mul_(mean).mul_(rates)
        knots = [place.knot for place in places]
        self._updates[knots] += 1
        pieces = zip(
            places,
            self._updates[knots].tolist(),
            *(torch.split(each, sizes) for each in (moved, mean, square)),
            strict=True,
        )
        for (_, first, size), updates, change, new_mean, new_square in pieces:
            # Moments that begin at zero are too small by these at first.
            bias = (1 - BETAS[1] ** updates) ** 0.5 / (1 - BETAS[0] ** updates)
            row[first : first + size].add_(change, alpha=-rate * bias)
            self._mean[first : first + size] = new_mean
            self._square[first : first + size] = new_square

    def tensors(self) -> dict[str, Tensor]:
        """Return all that there is; a change of these is a change of the moments."""
        return {"mean": self._mean, "square": self._square, "updates": self._updates}
