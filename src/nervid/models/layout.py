"""Layout: how a base map and a row of strides reach a frame's size."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement
from math import log2, prod
from typing import Final

from nervid.errors import InputError

MIN_SIDE_PIXELS: Final = 16
"""Smallest height or width of a frame."""
MAX_SIDE_PIXELS: Final = 4096
"""Largest height or width of a frame."""
HNERV_BASE_AREA: Final = 8
"""Sites of HNeRV's base map, 2x4 for the papers' 2:1 crops (HNeRV, arXiv:2304.02633, Table 11)."""
NERV_BASE_AREA: Final = 144
"""Sites of NeRV's base map, 9x16 at 720p and 1080p (NeRV, arXiv:2110.13903, section 4.1)."""

_FACTORS: Final = (2, 3, 4, 5)
_MOST_STAGES: Final = 5
_EXACT_AREAS: Final = range(2, 257)
_SMALLEST_EXACT_STRIDE: Final = 80  # NeRV's at 720p; below it the papers give no layouts
_AREA_WEIGHT: Final = 0.04  # doubling the base map costs as much as 4 % of padding; docs/log.md


@dataclass(frozen=True, slots=True)
class Layout:
    """A base map and the strides that enlarge it to at least the frame's size."""

    base_height: int
    """Rows of the map that enters the first block."""
    base_width: int
    """Columns of the map that enters the first block."""
    strides: tuple[int, ...]
    """Upsampling factor of each block, first block first, each 2 to 5."""

    @property
    def padded_height(self) -> int:
        """Rows that the network draws; the rows beyond the frame's height are cropped off."""
        return self.base_height * prod(self.strides)

    @property
    def padded_width(self) -> int:
        """Columns that the network draws; the columns beyond the frame's width are cropped off."""
        return self.base_width * prod(self.strides)


def find_layout(height: int, width: int, *, base_area: int, few_stages: bool = False) -> Layout:
    """Choose strides and a base map for frames of any size.

    The total stride ``S`` is a product of at most five factors 2, 3, 4, 5. Among the ``S`` from 80 up that
    divide both sides and leave a base map of 2 to 256 sites, the one whose map is nearest to ``base_area``
    by ratio wins: these are the papers' sizes, and ``S`` is split as in the papers, into as many factors as
    possible. For any other size the frame may be padded, and the ``S`` with the least

        padded_pixels / pixels - 1 + 0.04 * abs(log2(sites / base_area))

    wins, split into as many or, with ``few_stages``, into as few factors as possible. On a tie the larger
    ``S`` wins. Factors are the most even ones, largest first.

    Args:
        height: Rows of a frame, 16 to 4096.
        width: Columns of a frame, 16 to 4096.
        base_area: Wanted number of sites of the base map, at least 1; 8 for HNeRV, 144 for NeRV.
        few_stages: Prefer few large strides where the papers give no layout; HNeRV's kernels grow with the
            stage, and on small frames three stages beat five in speed and quality (docs/log.md).

    Returns:
        A layout that draws at least ``height`` x ``width`` pixels, with less than one site to spare on
        each side.

    Raises:
        InputError: If a side is outside 16 to 4096, or ``base_area`` is below 1.

    Source:
        Strides of NeRV (arXiv:2110.13903, section 4.1) and HNeRV (arXiv:2304.02633), which this rule
        reproduces at their sizes; the rule itself is ours.

    Example:
        >>> find_layout(640, 1280, base_area=8)
        Layout(base_height=2, base_width=4, strides=(5, 4, 4, 2, 2))
    """
    for side, pixels in (("height", height), ("width", width)):
        if not MIN_SIDE_PIXELS <= pixels <= MAX_SIDE_PIXELS:
            raise InputError(
                f"{side} must be {MIN_SIDE_PIXELS} to {MAX_SIDE_PIXELS} pixels, got {pixels}; "
                "resize the video"
            )
    if base_area < 1:
        raise InputError(f"base_area must be at least 1, got {base_area}; use 8 for HNeRV, 144 for NeRV")
    exact = [
        layout
        for layout in _layouts(height, width, few_stages=False)
        if prod(layout.strides) >= _SMALLEST_EXACT_STRIDE
        and (layout.padded_height, layout.padded_width) == (height, width)
        and layout.base_height * layout.base_width in _EXACT_AREAS
    ]
    if exact:
        return min(exact, key=lambda layout: (_area_ratio(layout, base_area), -prod(layout.strides)))

    def cost(layout: Layout) -> tuple[float, int]:
        overhead = layout.padded_height * layout.padded_width / (height * width) - 1
        return overhead + _AREA_WEIGHT * log2(_area_ratio(layout, base_area)), -prod(layout.strides)

    return min(_layouts(height, width, few_stages=few_stages), key=cost)


def _layouts(height: int, width: int, *, few_stages: bool) -> Iterator[Layout]:
    """The layout of every total stride, with the smallest base map that covers the frame."""
    for total, strides in _splits(few_stages).items():
        yield Layout(-(-height // total), -(-width // total), strides)


def _area_ratio(layout: Layout, base_area: int) -> float:
    """How many times the base map is larger or smaller than wanted, at least 1."""
    area = layout.base_height * layout.base_width
    return max(area, base_area) / min(area, base_area)


@cache
def _splits(few_stages: bool) -> dict[int, tuple[int, ...]]:
    """Every reachable total stride with its strides: most or fewest, then the most even, largest first."""
    splits: dict[int, tuple[int, ...]] = {}
    stage_counts = range(1, _MOST_STAGES + 1)
    for stages in reversed(stage_counts) if few_stages else stage_counts:
        for factors in combinations_with_replacement(reversed(_FACTORS), stages):
            total = prod(factors)
            known = splits.get(total)
            # At equal product and count, the smallest sum is the most even split.
            if known is None or len(known) != stages or sum(factors) < sum(known):
                splits[total] = factors
    return splits
