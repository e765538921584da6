"""Distortion between drawn frames and the clip's frames, by honest names."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from pytorch_msssim import ssim
from torch import Tensor
from torch.nn import functional

from nervid.fit.recipe import Recipe

SSIM_WINDOW = 11
"""Side of SSIM's Gaussian window, in pixels."""


def frame_errors(
    drawn: Float[Tensor, "batch 3 height width"], target: Float[Tensor, "batch 3 height width"]
) -> Float[Tensor, " batch"]:
    """Return each frame's mean squared error, pixels in [0, 1]; differentiable by ``drawn``.

    It reads and writes the images three times forward and backward; the same in PyTorch's own operations
    takes eight times.
    """
    errors: Tensor = _FrameErrors.apply(drawn, target)  # type: ignore[no-untyped-call]
    return errors


def distortion(
    drawn: Float[Tensor, "batch 3 height width"],
    target: Float[Tensor, "batch 3 height width"],
    recipe: Recipe,
) -> tuple[Float[Tensor, ""], Float[Tensor, " batch"]]:
    """Return ``l1 * mean|d| + l2 * mean(d**2) + ssim * (1 - SSIM)`` with d = drawn - target.

    Args:
        drawn: Network output, in [0, 1].
        target: The clip's frames, in [0, 1].
        recipe: Gives the three weights; a term of weight 0 is not computed.

    Returns:
        The loss, and each frame's mean squared error.
    """
    errors = frame_errors(drawn, target)
    loss = recipe.l2 * errors.mean() if recipe.l2 else drawn.new_zeros(())
    if recipe.l1:
        loss = loss + recipe.l1 * functional.l1_loss(drawn, target)
    if recipe.ssim:
        loss = loss + recipe.ssim * (1 - ssim(drawn, target, data_range=1.0, size_average=True))
    return loss, errors.detach()


def multi_resolution_distortion(
    drawn: Sequence[Float[Tensor, "batch 3 _ _"]],
    target: Float[Tensor, "batch 3 height width"],
    recipe: Recipe,
    *,
    coarse_weight: float = 1.0,
) -> tuple[Float[Tensor, ""], Float[Tensor, " batch"]]:
    """Return the distortion of the finest image plus ``coarse_weight`` times that of every coarser one.

    A coarser image is compared with the target averaged over areas to its size.

    Args:
        drawn: Images from coarse to fine, the last of full size.
        target: The clip's frames, in [0, 1].
        recipe: Loss weights.
        coarse_weight: Weight of each image but the last (``--lw`` of NeRV's published code, default 1).

    Returns:
        The loss, and each frame's mean squared error at full size.

    Source:
        NeRV's published code, multi-resolution heads.
    """
    loss, errors = distortion(drawn[-1], target, recipe)
    without_ssim = replace(recipe, ssim=0.0)
    for image in drawn[:-1]:
        small = functional.adaptive_avg_pool2d(target, (image.shape[-2], image.shape[-1]))
        # SSIM's window does not fit into the smallest images; there the pixel terms stand alone.
        fits = min(image.shape[-2:]) >= SSIM_WINDOW
        loss = loss + coarse_weight * distortion(image, small, recipe if fits else without_ssim)[0]
    return loss, errors


def psnr_of(mean_squared_error: float) -> float:
    """Return ``-10 log10(mse)`` in dB for pixels in [0, 1]; 100 dB for an error below 1e-10."""
    return -10 * math.log10(max(mean_squared_error, 1e-10))


class _FrameErrors(torch.autograd.Function):
    """Mean squared error per frame; keeps the difference, which is its own gradient but for a factor."""

    @staticmethod
    def forward(ctx: Any, drawn: Tensor, target: Tensor) -> Tensor:  # noqa: ANN401
        difference = drawn - target
        ctx.save_for_backward(difference)
        ctx.numbers = difference[0].numel()
        norms: Tensor = torch.linalg.vector_norm(difference, dim=(1, 2, 3), dtype=torch.float64)
        return norms.square().div_(ctx.numbers).to(drawn.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        """Return ``2 * difference / numbers`` times the gradient of each frame's error."""
        (difference,) = ctx.saved_tensors
        scale = gradients[0] * (2 / ctx.numbers)
        return difference * scale[:, None, None, None], None
