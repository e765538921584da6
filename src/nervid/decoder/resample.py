"""Resample: a frame's colors at another size, by Lanczos' filter."""

from functools import lru_cache
from math import ceil, floor
from typing import Final, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

LOBES: Final = 3
"""Zero crossings of the filter on each side."""
PIXELS_AT_ONCE: Final = 32
"""Pixels of a result that share a matrix: few enough that most of what it reads is of use to each."""


class Band(NamedTuple):
    """How some neighboring pixels of a result come from neighboring pixels of a row."""

    first: int
    """The first pixel that is read."""
    weights: Float[Tensor, "new_pixels pixels"]
    """Of each of the pixels read in each of the result, float32; each row sums to 1."""


def resample(
    colors: Float[Tensor, "3 _ _"], height: int, width: int, *, covered: tuple[float, float] | None = None
) -> Float[Tensor, "3 height width"]:
    """Return colors at another size; the picture's edges stay where they are.

    Where it shrinks, the filter widens so that nothing aliases. Values may leave [0, 1] by a little. At its
    own size a picture comes back as it is.

    Args:
        colors: A picture, float.
        height: Rows of the result, 1 or more.
        width: Columns of the result, 1 or more.
        covered: Rows and columns that the picture covers, where its last row or column lies in it only in
            part: 4.25 rows of a picture of 5. None for all.

    Source:
        C. E. Duchon, "Lanczos Filtering in One and Two Dimensions", J. Appl. Meteor. 18 (1979).
    """
    tall, wide = colors.shape[1:] if covered is None else covered
    if (height, width) == (tall, wide):
        return colors
    rows = _resample_rows(colors, height, tall)
    return _resample_rows(rows.mT, width, wide).mT


@lru_cache(maxsize=8)
def lanczos(length: int, new_length: int, *, covered: float | None = None) -> tuple[Band, ...]:
    """Return what resamples a row of pixels, ``PIXELS_AT_ONCE`` of the result at a time.

    Pixel ``i`` of ``n`` has its centre at ``(i + 0.5) / n``. Beyond the ends there are no pixels: weights
    there are shared out among the others.

    Args:
        length: Pixels of the row.
        new_length: Pixels of the result.
        covered: How many of them the row covers, at most ``length``; None for all. The result covers as much.
    """
    scale = (length if covered is None else covered) / new_length
    stretch = max(1.0, scale)
    bands = []
    for start in range(0, new_length, PIXELS_AT_ONCE):
        stop = min(start + PIXELS_AT_ONCE, new_length)
        centres = (torch.arange(start, stop, dtype=torch.float64) + 0.5) * scale - 0.5
        first = max(0, floor(float(centres[0]) - LOBES * stretch))
        end = min(length, ceil(float(centres[-1]) + LOBES * stretch) + 1)
        offsets = (torch.arange(first, end, dtype=torch.float64) - centres[:, None]) / stretch
        weights = torch.sinc(offsets) * torch.sinc(offsets / LOBES)
        weights[offsets.abs() >= LOBES] = 0
        bands.append(Band(first, (weights / weights.sum(dim=1, keepdim=True)).to(torch.float32)))
    return tuple(bands)


def _resample_rows(
    colors: Float[Tensor, "3 rows columns"], new_rows: int, covered: float
) -> Float[Tensor, "3 new_rows columns"]:
    parts = []
    for first, weights in lanczos(colors.shape[1], new_rows, covered=covered):
        parts.append(weights.to(colors) @ colors[:, first : first + weights.shape[1]])
    return torch.cat(parts, dim=1)
