"""The order in which frames need the knots of feature grids."""

from collections.abc import Sequence
from typing import NamedTuple


class KnotPlace(NamedTuple):
    """A knot of one of several feature grids, both counted from 0."""

    grid: int
    knot: int


def first_frame(knot: int, span: int) -> int:
    """Return the first frame that is mixed from a knot, if its grid has several.

    Args:
        knot: Counted from 0.
        span: Frames from one knot to the next.

    Example:
        >>> [first_frame(knot, 8) for knot in range(3)]
        [0, 1, 9]
    """
    return (knot - 1) * span + 1 if knot else 0


def knots_by_need(counts: Sequence[int], spans: Sequence[int]) -> list[KnotPlace]:
    """Return all knots by the first frame that needs each; of equals those of the first grid come first.

    Args:
        counts: Knots of each grid.
        spans: Frames from one knot to the next, for each grid.

    Example:
        >>> [tuple(place) for place in knots_by_need([3, 2], [2, 4])]
        [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)]
    """
    places = [KnotPlace(grid, knot) for grid, count in enumerate(counts) for knot in range(count)]
    return sorted(places, key=lambda place: (first_frame(place.knot, spans[place.grid]), place.grid))
