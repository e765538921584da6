"""Sites of a feature grid's knot: in which order they are coded, and sums of their neighbors."""

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32

MAX_HALVINGS = 2
_MARGIN = 2


class Kind(IntEnum):
    """Which neighbors in the same knot are known."""

    BASE = 0
    """None."""
    DIAGONAL = 1
    """The four at the corners."""
    DIRECT = 2
    """The four beside, above and below."""


class Lattice(NamedTuple):
    """Every ``stride``-th site of a plane in both directions, from ``row`` and ``column`` on."""

    row: int
    column: int
    stride: int


@dataclass(frozen=True, slots=True)
class Pass:
    """Sites of a knot that are coded at once, in all channels."""

    kind: Kind
    lattices: tuple[Lattice, ...]
    distance: int
    """How far the known neighbors are, in sites; 0 where there are none."""


@lru_cache(maxsize=MAX_HALVINGS + 1)
def passes(halvings: int) -> tuple[Pass, ...]:
    """Return the passes over a knot: a coarse lattice, then the sites between, ``halvings`` times.

    Example:
        >>> [(one.kind.name, len(one.lattices), one.distance) for one in passes(1)]
        [('BASE', 1, 0), ('DIAGONAL', 1, 1), ('DIRECT', 2, 1)]
    """
    stride = 1 << halvings
    steps = [Pass(Kind.BASE, (Lattice(0, 0, stride),), 0)]
    while stride > 1:
        half = stride // 2
        steps.append(Pass(Kind.DIAGONAL, (Lattice(half, half, stride),), half))
        steps.append(Pass(Kind.DIRECT, (Lattice(0, half, stride), Lattice(half, 0, stride)), half))
        stride = half
    return tuple(steps)


class Plane:
    """A number for every channel and site of a knot, with a margin that repeats the border.

    Example:
        >>> plane = Plane(1, 2, 2)
        >>> plane.set(Lattice(0, 0, 1), np.array([[[1, 2], [3, 4]]], dtype=np.int32))
        >>> plane.extend()
        >>> plane.at(Lattice(0, 0, 1), 1, 1).tolist()
        [[[4, 4], [4, 4]]]
    """

    def __init__(self, channels: int, rows: int, columns: int) -> None:
        """Start with zeros."""
        self.rows, self.columns = rows, columns
        self._padded = np.zeros((channels, rows + 2 * _MARGIN, columns + 2 * _MARGIN), dtype=np.int32)
        self._views: dict[tuple[Lattice, int, int], Int32[np.ndarray, "channels rows columns"]] = {}

    def at(
        self, lattice: Lattice, down: int = 0, right: int = 0
    ) -> Int32[np.ndarray, "channels rows columns"]:
        """Return a view of the numbers ``down`` and ``right``, at most 2, of each site of a lattice."""
        key = (lattice, down, right)
        if key not in self._views:
            top, left = _MARGIN + down, _MARGIN + right
            self._views[key] = self._padded[
                :,
                top + lattice.row : top + self.rows : lattice.stride,
                left + lattice.column : left + self.columns : lattice.stride,
            ]
        return self._views[key]

    def beside(self, lattice: Lattice, distance: int = 1) -> Int32[np.ndarray, "channels rows columns"]:
        """Return the sum of the numbers left and right of each site."""
        both: np.ndarray = self.at(lattice, 0, -distance) + self.at(lattice, 0, distance)
        return both

    def above(self, lattice: Lattice, distance: int = 1) -> Int32[np.ndarray, "channels rows columns"]:
        """Return the sum of the numbers above and below each site."""
        both: np.ndarray = self.at(lattice, -distance, 0) + self.at(lattice, distance, 0)
        return both

    def corners(self, lattice: Lattice, distance: int = 1) -> Int32[np.ndarray, "channels rows columns"]:
        """Return the sum of the four numbers diagonal to each site."""
        falling: np.ndarray = self.at(lattice, -distance, -distance) + self.at(lattice, distance, distance)
        falling += self.at(lattice, -distance, distance)
        falling += self.at(lattice, distance, -distance)
        return falling

    def set(self, lattice: Lattice, values: Int32[np.ndarray, "channels rows columns"]) -> None:
        """Replace the numbers of a lattice; `extend` makes the margin follow."""
        self.at(lattice)[:] = values

    def extend(self) -> None:
        """Repeat the outermost rows and columns in the margin."""
        padded, bottom, right = self._padded, _MARGIN + self.rows, _MARGIN + self.columns
        padded[:, :_MARGIN] = padded[:, _MARGIN : _MARGIN + 1]
        padded[:, bottom:] = padded[:, bottom - 1 : bottom]
        padded[:, :, :_MARGIN] = padded[:, :, _MARGIN : _MARGIN + 1]
        padded[:, :, right:] = padded[:, :, right - 1 : right]

    def copy_from(self, other: "Plane") -> None:
        """Take the numbers of a plane of the same size, margin included."""
        self._padded[:] = other._padded

    def add_opposite(self, other: "Plane", *, down: int = 0, right: int = 0) -> None:
        """Become the sums of the two numbers of ``other``, ``down`` and ``right`` of a site and opposite.

        Args:
            other: A plane of the same size, or sums of one, to the left and right of its sites.
            down: 0 or 1.
            right: 0 or 1; not both are 1.

        All sums are taken in one run over memory. Those to the left and right of a site are right in the
        margin's nearer rows, too; the rest of the margin means nothing.
        """
        reach = down * self._padded.shape[2] + right
        flat = other._padded.reshape(-1)
        np.add(flat[: -2 * reach], flat[2 * reach :], out=self._padded.reshape(-1)[reach:-reach])

    def add(self, other: "Plane", factor: int = 1) -> None:
        """Add ``factor`` times the numbers of a plane of the same size, margin included."""
        self._padded += other._padded if factor == 1 else np.int32(factor) * other._padded

    def values(self) -> Int32[np.ndarray, "channels rows columns"]:
        """Return a view of the numbers, without the margin."""
        return self._padded[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN]

    def known(self, step: Pass, lattice: Lattice) -> list[Int32[np.ndarray, "channels rows columns"]]:
        """Return the sums of the neighbors that a pass knows: none, `corners`, or `beside` and `above`."""
        if step.kind == Kind.DIAGONAL:
            return [self.corners(lattice, step.distance)]
        if step.kind == Kind.DIRECT:
            return [self.beside(lattice, step.distance), self.above(lattice, step.distance)]
        return []
