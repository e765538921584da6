"""Numeric precision of a fit, chosen for the hardware."""

from typing import Literal

import torch

from nervid.hardware import has_bfloat16

Precision = Literal["auto", "float32", "bfloat16"]


def autocast_dtype(precision: Precision, device: torch.device) -> torch.dtype | None:
    """Return the type in which convolutions run, or None for plain float32.

    "auto" takes bfloat16 where the hardware multiplies it natively. Weights, their gradients' sums and the
    optimizer stay float32 either way.
    """
    if precision == "auto":
        precision = "bfloat16" if has_bfloat16(device) else "float32"
    return torch.bfloat16 if precision == "bfloat16" else None
