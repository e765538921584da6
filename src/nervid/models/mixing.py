"""Mixing in time: which knots of a feature grid some frames need, and the frames' own values."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from nervid.models.config.nervid import FeatureGrid


def touched_knots(
    grid: FeatureGrid, indices: Sequence[int]
) -> tuple[list[int], Float[Tensor, "frames knots"]]:
    """Return the knots that frames are mixed from, in order, and each frame's share of each.

    Args:
        grid: Which knots there are.
        indices: Frames, each in [0, frames).
    """
    rows = [grid.places(index) for index in indices]
    knots = sorted({knot for row in rows for knot, _ in row})
    column = {knot: place for place, knot in enumerate(knots)}
    shares = torch.zeros(len(rows), len(knots))
    for number, row in enumerate(rows):
        for knot, share in row:
            shares[number, column[knot]] = share
    return knots, shares


def mix_knots(
    values: Float[Tensor, "knots *numbers"], shares: Float[Tensor, "frames knots"]
) -> Float[Tensor, "frames numbers"]:
    """Return each frame's values, mixed linearly from knots, all channels and sites side by side."""
    return shares.to(values) @ values.flatten(1)
