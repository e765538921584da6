"""Quality of a clip as a network or a file draws it, by the papers' definitions."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from nervid.fit.loss import psnr_of
from nervid.metrics.distortion import MS_SSIM_MIN_SIDE, ms_ssim, psnr

LARGEST_PSNR_DB = 100.0
"""What stands for a frame without any error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Means over the frames of a clip."""

    psnr_db: float
    """Of the images that the network draws, nothing rounded: what the papers report."""
    psnr_8bit_db: float
    """Of the uint8 frames that a decoder delivers."""
    ms_ssim: float | None
    """Of the uint8 frames, 0 to 1; None where a side is shorter than MS-SSIM's windows."""


def measure(
    draw: Callable[[int], Float[Tensor, "3 height width"]],
    frames: UInt8[Tensor, "frames 3 height width"],
    delivered: UInt8[Tensor, "frames 3 height width"] | None = None,
) -> Quality:
    """Draw every frame once and compare it.

    Args:
        draw: Gives the image of a frame in [0, 1], on the device of ``frames``.
        frames: The originals.
        delivered: What a decoder made of them, on the same device; else the images are rounded here.
    """
    total_db = 0.0
    rounded = torch.empty_like(frames) if delivered is None else delivered
    with torch.inference_mode():
        for index, frame in enumerate(frames):
            image = draw(index).float()
            total_db += psnr_of(float((image - frame.float() / 255).square().mean(dtype=torch.float64)))
            if delivered is None:
                rounded[index] = (image * 255).round().to(torch.uint8)
    has_structure = min(frames.shape[-2:]) >= MS_SSIM_MIN_SIDE
    return Quality(
        psnr_db=total_db / len(frames),
        psnr_8bit_db=float(psnr(frames, rounded).clamp(max=LARGEST_PSNR_DB).mean()),
        ms_ssim=float(ms_ssim(frames, rounded).mean()) if has_structure else None,
    )
