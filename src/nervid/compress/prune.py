"""Global magnitude pruning: the smallest weights of all prunable tensors together become exact zeros."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nervid.errors import InputError


def magnitude_masks(
    weights: Mapping[str, Float[Tensor, "..."]], *, sparsity: float
) -> dict[str, Bool[Tensor, "..."]]:
    """Mark the weights that survive when the share ``sparsity`` of smallest magnitude is removed.

    Matrices and convolution kernels compete together; biases (tensors with one axis) are never pruned, as in
    the papers' code.

    Args:
        weights: Named tensors.
        sparsity: Share of the prunable weights to remove, in [0, 1).

    Returns:
        A mask for each prunable tensor, True where the weight stays. Exactly ``floor(sparsity * count)``
        entries are False; equal magnitudes go in the order of the mapping.

    Raises:
        InputError: If ``sparsity`` is outside [0, 1).

    Source:
        NeRV (arXiv:2110.13903), model pruning. The reference code's ``prune_ratio`` is the share that is
        *kept*; this argument is the share removed, as the paper's text has it.
    """
    if not 0 <= sparsity < 1:
        raise InputError(f"sparsity must be in [0, 1), got {sparsity}")
    prunable = {name: weight for name, weight in weights.items() if weight.ndim > 1}
    if not prunable:
        return {}
    magnitudes = torch.cat([weight.detach().abs().flatten() for weight in prunable.values()])
    keep = torch.ones(magnitudes.numel(), dtype=torch.bool, device=magnitudes.device)
    keep[torch.argsort(magnitudes, stable=True)[: int(sparsity * magnitudes.numel())]] = False
    parts = torch.split(keep, [weight.numel() for weight in prunable.values()])
    return {name: part.reshape(prunable[name].shape) for name, part in zip(prunable, parts, strict=True)}


def sparsity_of(weights: Mapping[str, Float[Tensor, "..."]]) -> float:
    """Return the share of exact zeros among matrices and kernels, in [0, 1]; 0 if there are none."""
    prunable = [weight for weight in weights.values() if weight.ndim > 1]
    count = sum(weight.numel() for weight in prunable)
    return sum(int((weight == 0).sum()) for weight in prunable) / count if count else 0.0
