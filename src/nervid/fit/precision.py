"""Numeric precision and memory allocation of a fit, chosen for the hardware."""

import ctypes
import sys
from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def autocast_dtype(precision: Precision, device: torch.device) -> torch.dtype | None:
    """Return the type in which convolutions run, or None for plain float32.

    "auto" takes bfloat16 where the hardware multiplies it natively (AMX or AVX512-BF16 on the CPU, compute
    capability 8 or newer on CUDA). Weights, their gradients' sums and the optimizer stay float32 either way.
    """
    if precision == "auto":
        precision = "bfloat16" if _has_bfloat16(device) else "float32"
    return torch.bfloat16 if precision == "bfloat16" else None


def reuse_freed_memory() -> bool:
    """Keep freed blocks inside the process instead of returning them to the system.

    Every step allocates the same activations; glibc's default gives large ones back at once and pays page
    faults for them again. Returns whether the C library took the settings (glibc does, others are left as
    they are).
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # torch has no public question for this before 2.9; both private ones exist since 2.4.
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
