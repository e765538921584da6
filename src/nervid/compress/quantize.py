"""Uniform quantization of weights and embeddings, exact zeros included, with straight-through gradients."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nervid.errors import InputError

FEWEST_BITS, MOST_BITS = 2, 8
"""Bits per value that a grid may have."""
SMALLEST_STEP = 2.0**-24
"""The smallest positive float16; a step never rounds to zero."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The values that a quantized tensor may take: ``offset + step * code``.

    Codes are integers in [-2**(bits-1), 2**(bits-1) - 1], which is ``2**bits`` levels. With offset 0
    (weights) zero is always one of the levels, so pruned weights stay exactly zero.
    """

    bits: int
    """Bits per value before entropy coding, 2 to 8."""
    step: Float[Tensor, "*broadcast"]
    """Distance of neighboring levels, > 0, float32 holding float16 values. One number, or one per channel of
    ``axis`` shaped to broadcast against the tensor."""
    offset: Float[Tensor, "*broadcast"]
    """Value of code 0, shaped like ``step``; all zeros for weights."""
    axis: int | None
    """The tensor axis that has a step for each index, or None for one step in all."""

    def __post_init__(self) -> None:
        if not FEWEST_BITS <= self.bits <= MOST_BITS:
            raise InputError(f"bits must be 2 to 8, got {self.bits}")

    @property
    def lowest_code(self) -> int:
        """The smallest code, -2**(bits-1)."""
        return -(1 << self.bits - 1)

    @property
    def highest_code(self) -> int:
        """The largest code, 2**(bits-1) - 1."""
        return (1 << self.bits - 1) - 1

    def to(self, device: torch.device) -> "Grid":
        """Return this grid with its tensors on ``device``."""
        return replace(self, step=self.step.to(device), offset=self.offset.to(device))

    def coarsened(self, factor: float) -> "Grid":
        """Return this grid with every step multiplied by ``factor`` (> 0) and rounded to float16."""
        return replace(self, step=_as_float16(self.step * factor))


def fit_grid(
    values: Float[Tensor, "*shape"], *, bits: int, axis: int | None = None, centered: bool = False
) -> Grid:
    """Choose the finest grid that reaches every value.

    The step is the smallest float16 for which the lowest level is at or below the minimum and the highest
    level at or above the maximum::

        step = max(max(values - offset) / (2**(bits-1) - 1), -min(values - offset) / 2**(bits-1))

    Args:
        values: Weights or embeddings, any shape, finite.
        bits: Bits per value before entropy coding, 2 to 8.
        axis: Give each index along this axis its own step; None gives one step in all.
        centered: Put the offset into the middle of the values instead of at zero (embeddings).

    Returns:
        The grid. A constant tensor is fine: all zeros get an arbitrary step, another constant (not centered)
        gets a step that hits it within float16 rounding.

    Raises:
        InputError: If ``bits`` is outside 2 to 8, or a value is NaN, infinite or beyond float16's range.

    Notes:
        NeRV's reference code divides the range by ``2**bits``, one level more than the bits it bills, and
        HNeRV's yields NaN for a constant tensor. Both are avoided here.

    Source:
        NeRV (Chen et al., NeurIPS 2021, arXiv:2110.13903), model quantization; symmetric instead of min-max.
    """
    if values.numel() and not bool(torch.isfinite(values).all() and values.abs().max() < 32768):
        raise InputError(
            "weights to quantize must be finite and below 32768; the fit diverged, lower its rate"
        )
    lows, highs = _extremes(values, axis)
    offset = _as_float16((lows + highs) / 2, smallest=None) if centered else torch.zeros_like(lows)
    step = torch.maximum((highs - offset) / (2 ** (bits - 1) - 1), (offset - lows) / 2 ** (bits - 1))
    # Rounding to float16 may fall short of the extremes by half a unit in its last place: that much more
    # reaches them. Below 2**-14 the units are all of one size.
    reaching = torch.maximum(step * (1 + 2.0**-11), step + SMALLEST_STEP / 2)
    return Grid(bits=bits, step=_as_float16(reaching), offset=offset, axis=axis)


def quantize(values: Float[Tensor, "*shape"], grid: Grid) -> Int[Tensor, "*shape"]:
    """Return the code of the level nearest to each value, clamped to the grid's ends (int16, same shape)."""
    codes = torch.round((values - grid.offset) / grid.step)
    return codes.clamp(grid.lowest_code, grid.highest_code).to(torch.int16)


def dequantize(codes: Int[Tensor, "*shape"], grid: Grid) -> Float[Tensor, "*shape"]:
    """Return ``offset + step * code`` in float32, the same bits on every IEEE machine."""
    return codes.to(torch.float32) * grid.step + grid.offset


def straight_through(values: Float[Tensor, "*shape"], grid: Grid) -> Float[Tensor, "*shape"]:
    """Return the dequantized values; the gradient is the identity's inside the grid and zero beyond it.

    Source:
        Straight-through estimator (Bengio et al., 2013, arXiv:1308.3432).
    """
    inside = values.clamp(
        grid.lowest_code * grid.step + grid.offset, grid.highest_code * grid.step + grid.offset
    )
    return inside + (dequantize(quantize(values, grid), grid) - inside).detach()


def _extremes(values: Tensor, axis: int | None) -> tuple[Tensor, Tensor]:
    """Minimum and maximum with zero-size tensors counted as zero, shaped to broadcast against ``values``."""
    if values.numel() == 0:
        return torch.zeros(()), torch.zeros(())
    if axis is None:
        return values.min().reshape(()), values.max().reshape(())
    others = [dim for dim in range(values.ndim) if dim != axis]
    if not others:  # of no dimension torch takes the extremes over all
        return values, values
    return values.amin(dim=others, keepdim=True), values.amax(dim=others, keepdim=True)


def _as_float16(values: Tensor, *, smallest: float | None = SMALLEST_STEP) -> Tensor:
    rounded = values.to(torch.float16).to(torch.float32)
    return rounded if smallest is None else rounded.clamp(min=smallest)
