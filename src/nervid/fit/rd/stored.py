"""What a file stores of a fit: weights and feature grids on their quantization steps."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from nervid.compress.feature_sections import QuantizedFeatureGrid, estimate_feature_bytes
from nervid.compress.prediction import LARGEST_CODE
from nervid.compress.quantize import MOST_BITS, SMALLEST_STEP, Grid, quantize
from nervid.compress.streams import QuantizedTensor, estimate_bytes
from nervid.fit.rd.grids import FittedGrids
from nervid.fit.rd.weights import FittedWeights


@dataclass(frozen=True, slots=True, eq=False)
class StoredTensors:
    """Quantized weights and feature grids of one segment, in the network's order."""

    weights: list[QuantizedTensor]
    grids: list[QuantizedFeatureGrid]

    def estimate_bytes(self) -> float:
        """Return the size of both sections with an ideal coder, in bytes."""
        return estimate_bytes(self.weights) + estimate_feature_bytes(self.grids)


@torch.no_grad()
def stored(
    parameters: Mapping[str, Tensor],
    weights: FittedWeights,
    grids: FittedGrids,
    *,
    dead: float = 0.0,
    coarser: float = 1.0,
) -> StoredTensors:
    """Quantize a fit as it stands.

    Args:
        parameters: Kernels and biases by name.
        weights: Has their steps.
        grids: Feature grids.
        dead: By how much of a step the numbers of feature grids have to lie beyond half a step to be rounded
            away from zero: from -0.5, where all are, to 0.5, where none is.
        coarser: Multiplies the steps of kernels and feature grids.
    """
    steps = weights.steps()
    return StoredTensors(
        [
            _weight(parameter.detach().cpu(), steps[name] * (coarser if parameter.dim() > 1 else 1.0))
            for name, parameter in parameters.items()
        ],
        [
            _feature_grid(values.cpu(), grid_steps.cpu() * coarser, dead)
            for values, grid_steps in zip(grids.values(), grids.steps(), strict=True)
        ],
    )


def _weight(values: Tensor, step: float) -> QuantizedTensor:
    """Quantize a tensor on the given step, or on the finest that reaches all values, with no bit to spare."""
    most = (1 << MOST_BITS - 1) - 1
    step = max(step, float(values.abs().max()) / most)
    size = torch.tensor(step).to(torch.float16).to(torch.float32).clamp(min=SMALLEST_STEP)
    widest = Grid(bits=MOST_BITS, step=size, offset=torch.zeros(()), axis=None)
    codes = quantize(values, widest)
    largest = int(torch.maximum(codes, -codes - 1).max())
    bits = max(2, largest.bit_length() + 1)
    return QuantizedTensor(codes, Grid(bits=bits, step=size, offset=torch.zeros(()), axis=None))


def _feature_grid(values: Tensor, steps: Tensor, dead: float) -> QuantizedFeatureGrid:
    least = values.abs().amax(dim=(0, 2, 3)) / LARGEST_CODE
    steps = torch.maximum(steps, least)
    steps = steps.to(torch.float16).to(torch.float32).clamp(min=SMALLEST_STEP)
    codes = values / steps.view(1, -1, 1, 1)
    if dead:
        codes = codes.sign() * torch.floor(codes.abs() + 0.5 - dead)
    codes = codes.round().clamp(-LARGEST_CODE, LARGEST_CODE)
    return QuantizedFeatureGrid(codes.to(torch.int16), steps)
