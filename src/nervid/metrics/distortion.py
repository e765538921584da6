"""PSNR and MS-SSIM of each frame, on the uint8 frames a decoder returns."""

import torch
from jaxtyping import Float64, UInt8
from pytorch_msssim import ms_ssim as _ms_ssim
from torch import Tensor

from nervid.errors import InputError

MS_SSIM_MIN_SIDE = 161
"""Smallest height and width, in pixels, of an MS-SSIM: an 11-tap window must fit after halving 4 times."""

_MS_SSIM_BATCH = 2
"""Frames measured at once; bounds memory (a 1280x720 frame takes some 300 MB at work). Chosen, untuned."""


def psnr(
    reference: UInt8[Tensor, "frames 3 height width"],
    frames: UInt8[Tensor, "_ 3 _ _"],
) -> Float64[Tensor, " frames"]:
    """Measure the peak signal-to-noise ratio of every frame.

    For one frame, over its pixels and three channels,

        mse  = mean((reference - frame)**2)
        psnr = 10 * log10(255**2 / mse)

    The squared errors are summed as integers, so the result does not depend on the batch or the device.
    A clip's PSNR is the mean of these values; it is never computed from the mean of ``mse``.

    Args:
        reference: Original frames, RGB, 0 to 255.
        frames: Decoded frames, same shape and range, on the same device.

    Returns:
        Decibels per frame; infinity where a frame is equal to its reference.

    Raises:
        InputError: If the shapes differ.

    Example:
        >>> black = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
        >>> round(psnr(black, black + 1).item(), 4)
        48.1308
    """
    _require_same_shape(reference, frames)
    # One frame at a time: int32 copies of a whole batch would take eight times its memory.
    squared = [
        (original.int() - decoded.int()).square().sum(dtype=torch.int64)
        for original, decoded in zip(reference, frames, strict=True)
    ]
    if not squared:
        return torch.zeros(0, dtype=torch.float64)
    mse = torch.stack(squared).double() / reference[0].numel()
    return 10.0 * torch.log10(255.0**2 / mse)


def ms_ssim(
    reference: UInt8[Tensor, "frames 3 height width"],
    frames: UInt8[Tensor, "_ 3 _ _"],
) -> Float64[Tensor, " frames"]:
    """Measure the multi-scale structural similarity of every frame.

    Five scales, 11x11 Gaussian windows of deviation 1.5, data range 255, mean over the three channels.

    Args:
        reference: Original frames, RGB, 0 to 255, at least ``MS_SSIM_MIN_SIDE`` high and wide.
        frames: Decoded frames, same shape and range, on the same device.

    Returns:
        Similarity per frame, 0 to 1; computed in float32, returned as float64 like `psnr`.

    Raises:
        InputError: If the shapes differ or a side is shorter than ``MS_SSIM_MIN_SIDE``.

    Source:
        Wang, Simoncelli and Bovik, Asilomar 2003, with the weights published there, as computed by
        pytorch-msssim, which the NeRV and HNeRV reference code calls with frames and data range scaled
        to 1: the same number.
    """
    _require_same_shape(reference, frames)
    height, width = reference.shape[-2:]
    if min(height, width) < MS_SSIM_MIN_SIDE:
        raise InputError(
            f"MS-SSIM needs frames of at least {MS_SSIM_MIN_SIDE} pixels a side, got {width}x{height}; "
            "report PSNR alone"
        )
    scores = [
        _ms_ssim(
            reference[first : first + _MS_SSIM_BATCH].float(),
            frames[first : first + _MS_SSIM_BATCH].float(),
            data_range=255,
            size_average=False,
        ).double()
        for first in range(0, len(reference), _MS_SSIM_BATCH)
    ]
    return torch.cat(scores) if scores else torch.zeros(0, dtype=torch.float64)


def _require_same_shape(reference: Tensor, frames: Tensor) -> None:
    """Refuse what broadcasting would silently accept."""
    if reference.shape != frames.shape:
        raise InputError(
            f"the reference is {tuple(reference.shape)} and the frames are {tuple(frames.shape)}, "
            "both as (frames, 3, height, width); measure the same frames at the same size"
        )
