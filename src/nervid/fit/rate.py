"""Chooses quantization grids so that the coded network meets a size."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor

from nervid.compress.quantize import Grid, dequantize, fit_grid, quantize
from nervid.compress.streams import QuantizedTensor, estimate_bytes
from nervid.models.representation import EMBEDDINGS

BIAS_BITS = 8
"""Biases are few and every one shifts a whole channel: they always get the finest grid."""
FINEST, COARSEST = 0.6, 16.0
"""Bounds of the factor on the steps. Below 1 the largest weights are clipped, which fine-tuning repairs."""

CLOSE, MOST_TRIES = 0.995, 12
"""Share of the target that is near enough, and tries to come there."""

Tensors = Mapping[str, Float[Tensor, "..."]]


def base_grids(tensors: Tensors, *, bits: int) -> dict[str, Grid]:
    """Return for each tensor the finest grid of ``bits`` that reaches all its values.

    Embeddings (the tensor named "embeddings", [frames, channels, height, width]) get a centered grid.
    Kernels and matrices get one step per tensor or one per output channel, whichever codes smaller at equal
    squared error, the steps' own bytes included. Biases get ``BIAS_BITS``.
    """
    return {name: _base_grid(name, tensor.detach(), bits) for name, tensor in tensors.items()}


def solve_grids(tensors: Tensors, grids: Mapping[str, Grid], *, target_bytes: float) -> dict[str, Grid]:
    """Scale all steps but the biases' by one factor so that the tensors code to at most ``target_bytes``.

    Each doubling of the steps saves nearly one bit per value, so Newton's steps on the factor's logarithm,
    kept between the factors known to be too fine and coarse enough, come within ``CLOSE`` of the target in a
    few tries.

    Returns:
        The scaled grids. Where even the finest allowed factor stays below the target, or the coarsest above
        it, the grids of that factor: the caller compares sizes.
    """
    values = sum(tensor.numel() for tensor in tensors.values() if tensor.ndim > 1)
    too_fine, coarse_enough, factor = FINEST, COARSEST, 1.0
    for _ in range(MOST_TRIES):
        size = coded_bytes(tensors, _scaled(tensors, grids, factor))
        if size > target_bytes:
            too_fine = factor
        else:
            coarse_enough = factor
            if factor == FINEST or size >= CLOSE * target_bytes:
                break
        doublings = 8 * (size - (1 + CLOSE) / 2 * target_bytes) / max(values, 1)
        factor = factor * 2.0 ** min(max(doublings, -8.0), 8.0)
        if factor <= FINEST and too_fine == FINEST:
            factor = FINEST
        elif not too_fine < factor < coarse_enough:
            factor = (too_fine * coarse_enough) ** 0.5
    return _scaled(tensors, grids, coarse_enough)


def coded_bytes(tensors: Tensors, grids: Mapping[str, Grid]) -> float:
    """Return the bytes that the tensors take on these grids, an ideal coder assumed."""
    return estimate_bytes(quantize_all(tensors, grids))


def quantize_all(tensors: Tensors, grids: Mapping[str, Grid]) -> list[QuantizedTensor]:
    """Quantize every tensor on its grid, in the mapping's order; embeddings may be predicted in time."""
    return [
        QuantizedTensor(quantize(tensor.detach(), grids[name]), grids[name], in_time=name == EMBEDDINGS)
        for name, tensor in tensors.items()
    ]


def _scaled(tensors: Tensors, grids: Mapping[str, Grid], factor: float) -> dict[str, Grid]:
    return {
        name: grids[name] if tensor.ndim == 1 else grids[name].coarsened(factor)
        for name, tensor in tensors.items()
    }


def _base_grid(name: str, tensor: Tensor, bits: int) -> Grid:
    if name == EMBEDDINGS:
        return fit_grid(tensor, bits=bits, centered=True)
    if tensor.ndim == 1:
        return fit_grid(tensor, bits=BIAS_BITS)
    whole, rows = fit_grid(tensor, bits=bits), fit_grid(tensor, bits=bits, axis=0)
    rows = rows.coarsened((_squared_error(tensor, whole) / max(_squared_error(tensor, rows), 1e-30)) ** 0.5)
    return min(whole, rows, key=lambda grid: coded_bytes({name: tensor}, {name: grid}))


def _squared_error(tensor: Tensor, grid: Grid) -> float:
    return float((dequantize(quantize(tensor, grid), grid) - tensor).square().sum())
