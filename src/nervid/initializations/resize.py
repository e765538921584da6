"""Bilinear resizing of a base map's weights, with the same bits on every machine."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def resize_base_map(
    weight: Float[Tensor, "outputs *inputs"], old: tuple[int, int], new: tuple[int, int]
) -> Float[Tensor, "new_outputs *inputs"]:
    """Resize a layer whose outputs are the channels of a map, each with its sites, row by row.

    As ``torch.nn.functional.interpolate(..., mode="bilinear", align_corners=False)`` of the map, but in
    double precision by additions and products of NumPy, one after the other, which IEEE 754 defines to the
    bit; torch's kernels may fuse them.

    Args:
        weight: Weight or bias of the layer, float32; ``outputs`` are channels * rows * columns.
        old: Rows and columns of the map.
        new: Rows and columns wanted; the same ones change nothing.

    Returns:
        The layer for the same channels with the new map, float32.
    """
    if old == new:
        return weight
    maps = weight.detach().cpu().numpy().astype(np.float64).reshape(-1, *old, *weight.shape[1:])
    for axis, size in enumerate(new, start=1):
        maps = _resized(maps, axis, size)
    return torch.from_numpy(maps.reshape(-1, *weight.shape[1:]).astype(np.float32))


def _resized(maps: np.ndarray, axis: int, size: int) -> np.ndarray:
    """One axis resized linearly: site centers lie evenly, nothing is read from beyond the outer ones."""
    length = maps.shape[axis]
    places = np.clip((np.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
    low = np.floor(places).astype(np.int64)
    high = np.minimum(low + 1, length - 1)
    share = (places - low).reshape(-1, *[1] * (maps.ndim - axis - 1))
    lower, upper = (np.take(maps, indices, axis=axis) for indices in (low, high))
    resized: np.ndarray = lower * (1 - share) + upper * share
    return resized
