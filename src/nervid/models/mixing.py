"""Mixing in time: which knots of a feature grid some frames need, and the frames' own values."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from nervid.models.config.feature_grid import FeatureGrid


def touched_knots(
    grid: FeatureGrid, indices: Sequence[int], interval: int | None = None
) -> tuple[list[int], Float[Tensor, "planes knots"]]:
    """Return the knots that frames are mixed from, in order, and the share of each in each plane they read.

    Args:
        grid: Which knots there are.
        indices: Frames, each in [0, frames).
        interval: As for ``FeatureGrid.places``.

    Returns:
        The knots, and as many rows for each frame as it reads planes, frame by frame.
    """
    rows = [places for index in indices for places in grid.places(index, interval)]
    knots = sorted({knot for row in rows for knot, _ in row})
    column = {knot: place for place, knot in enumerate(knots)}
    shares = torch.zeros(len(rows), len(knots))
    for number, row in enumerate(rows):
        for knot, share in row:
            shares[number, column[knot]] = share
    return knots, shares


def mix_knots(
    values: Float[Tensor, "knots *numbers"], shares: Float[Tensor, "planes knots"], reads: int = 1
) -> Float[Tensor, "frames numbers"]:
    """Return each frame's values, mixed linearly from knots: planes, channels and sites side by side.

    Args:
        values: Of the knots.
        shares: From :func:`touched_knots`.
        reads: Planes that a frame reads.
    """
    mixed = shares.to(values) @ values.flatten(1)
    return mixed.view(len(mixed) // reads, -1)
