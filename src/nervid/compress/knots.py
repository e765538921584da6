"""The order in which frames need the knots of feature grids."""

from collections.abc import Sequence
from typing import NamedTuple


class KnotPlace(NamedTuple):
    """A knot of one of several feature grids, both counted from 0."""

    grid: int
    knot: int


KnotOrder = Sequence[Sequence[int]]
"""For each grid the first frame that each of its knots is drawn with, never falling."""


def knots_by_need(order: KnotOrder) -> list[KnotPlace]:
    """Return all knots by the first frame that needs each; of equals those of the first grid come first.

    Example:
        >>> [tuple(place) for place in knots_by_need([(0, 1, 3), (0, 1)])]
        [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)]
    """
    places = [KnotPlace(grid, knot) for grid, frames in enumerate(order) for knot in range(len(frames))]
    return sorted(places, key=lambda place: order[place.grid][place.knot])
