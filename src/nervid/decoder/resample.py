"""Resample: a frame's colors at another size, by Lanczos' filter."""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

LOBES: Final = 3
"""Zero crossings of the filter on each side."""


def resample(colors: Float[Tensor, "3 _ _"], height: int, width: int) -> Float[Tensor, "3 height width"]:
    """Return colors at another size; the picture's edges stay where they are.

    Where it shrinks, the filter widens so that nothing aliases. Values may leave [0, 1] by a little.

    Args:
        colors: A picture, float.
        height: Rows of the result, 1 or more.
        width: Columns of the result, 1 or more.

    Source:
        C. E. Duchon, "Lanczos Filtering in One and Two Dimensions", J. Appl. Meteor. 18 (1979).
    """
    rows = lanczos(colors.shape[1], height).to(colors)
    columns = lanczos(colors.shape[2], width).to(colors)
    return rows @ colors @ columns.mT


def lanczos(length: int, new_length: int) -> Float[Tensor, "new_length length"]:
    """Return the matrix that resamples a row of pixels; each row of it sums to 1.

    Pixel ``i`` of ``n`` has its centre at ``(i + 0.5) / n``. Beyond the ends there are no pixels: weights
    there are shared out among the others.
    """
    stretch = max(1.0, length / new_length)
    centres = (torch.arange(new_length, dtype=torch.float64) + 0.5) * (length / new_length) - 0.5
    offsets = (torch.arange(length, dtype=torch.float64) - centres[:, None]) / stretch
    weights = torch.sinc(offsets) * torch.sinc(offsets / LOBES)
    weights[offsets.abs() >= LOBES] = 0
    return weights / weights.sum(dim=1, keepdim=True)
