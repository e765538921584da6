"""Chooses quantization grids so that the coded network meets a size."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor

from nervid.compress.quantize import Grid, dequantize, fit_grid, quantize
from nervid.compress.streams import QuantizedTensor, estimate_bytes

BIAS_BITS = 8
"""Biases are few and every one shifts a whole channel: they always get the finest grid."""
FINEST, COARSEST = 0.6, 16.0
"""Bounds of the factor on the steps. Below 1 the largest weights are clipped, which fine-tuning repairs."""

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

    The coded size falls steadily with the factor (one bit per value and doubling), so bisection finds it.
    Where even the finest allowed factor stays below the target, that factor is returned: the caller compares
    sizes.
    """
    low, high = FINEST, COARSEST
    if coded_bytes(tensors, _scaled(tensors, grids, low)) <= target_bytes:
        return _scaled(tensors, grids, low)
    for _ in range(14):  # narrows the factor to 0.03 %, far below what moves the size by a promille
        middle = (low * high) ** 0.5
        if coded_bytes(tensors, _scaled(tensors, grids, middle)) > target_bytes:
            low = middle
        else:
            high = middle
    return _scaled(tensors, grids, high)


def coded_bytes(tensors: Tensors, grids: Mapping[str, Grid]) -> float:
    """Return the bytes that the tensors take on these grids, an ideal coder assumed."""
    return estimate_bytes(quantize_all(tensors, grids))


def quantize_all(tensors: Tensors, grids: Mapping[str, Grid]) -> list[QuantizedTensor]:
    """Quantize every tensor on its grid, in the mapping's order."""
    return [
        QuantizedTensor(quantize(tensor.detach(), grids[name]), grids[name])
        for name, tensor in tensors.items()
    ]


def _scaled(tensors: Tensors, grids: Mapping[str, Grid], factor: float) -> dict[str, Grid]:
    return {
        name: grids[name] if tensor.ndim == 1 else grids[name].coarsened(factor)
        for name, tensor in tensors.items()
    }


def _base_grid(name: str, tensor: Tensor, bits: int) -> Grid:
    if name == "embeddings":
        return fit_grid(tensor, bits=bits, centered=True)
    if tensor.ndim == 1:
        return fit_grid(tensor, bits=BIAS_BITS)
    whole, rows = fit_grid(tensor, bits=bits), fit_grid(tensor, bits=bits, axis=0)
    rows = rows.coarsened((_squared_error(tensor, whole) / max(_squared_error(tensor, rows), 1e-30)) ** 0.5)
    return min(whole, rows, key=lambda grid: coded_bytes({name: tensor}, {name: grid}))


def _squared_error(tensor: Tensor, grid: Grid) -> float:
    return float((dequantize(quantize(tensor, grid), grid) - tensor).square().sum())
