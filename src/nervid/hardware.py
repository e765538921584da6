"""What the machine offers: native bfloat16, huge pages, and an allocator that keeps what it was given."""

import ctypes
import sys
from functools import cache

import torch

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_NEVER = -1
_MADV_HUGEPAGE = 14
_HUGE_PAGE_BYTES = 2**21
_RESERVED_BYTES = 3 * 2**29
"""Address space at the heap's end that is asked to lie on huge pages; it takes no memory until it is used."""


def has_bfloat16(device: torch.device) -> bool:
    """Return whether the hardware multiplies bfloat16 natively.

    That is AMX or AVX512-BF16 on the CPU, compute capability 8 or newer on CUDA.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # torch has no public question for this before 2.9; both private ones exist since 2.4.
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


@cache
def reuse_freed_memory() -> bool:
    """Keep freed blocks inside the process instead of returning them to the system.

    A fit's every step, and every frame drawn, allocates the same activations; glibc's default gives large
    ones back at once and pays page faults for them again. Its settings for this are environment variables
    that have to be there when the process starts; ``mallopt`` does the same from inside.

    The settings hold for the whole process; a second call changes nothing.

    Returns:
        Whether the C library took the settings; glibc does, others are left as they are.
    """
    c = _glibc()
    return c is not None and bool(c.mallopt(_M_MMAP_MAX, 0)) and bool(c.mallopt(_M_TRIM_THRESHOLD, _NEVER))


@cache
def grow_on_huge_pages() -> None:
    """Ask for huge pages under the memory that the process takes from now on; freed memory is kept, too.

    One large block, taken, marked and freed untouched, makes the heap grow into marked address space. Where
    the kernel has no huge pages nothing changes. Worth it where memory is used for minutes: a huge page
    comes slower than the small pages of what is used of it, so a first frame would wait
    (``docs/log.md``).
    """
    c = _glibc()
    if c is None or not reuse_freed_memory():
        return
    c.malloc.restype, c.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    c.free.argtypes = [ctypes.c_void_p]
    c.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    block = c.malloc(_RESERVED_BYTES)
    if block is None:
        return
    first = -(-block // _HUGE_PAGE_BYTES) * _HUGE_PAGE_BYTES
    c.madvise(first, _RESERVED_BYTES - (first - block), _MADV_HUGEPAGE)
    c.free(block)


def _glibc() -> ctypes.CDLL | None:
    """The C library of this process, if it is glibc."""
    if not sys.platform.startswith("linux"):
        return None
    c = ctypes.CDLL(None)
    return c if hasattr(c, "mallopt") else None
