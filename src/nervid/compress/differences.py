"""Codes of frames <-> the first frame's codes and the differences from frame to frame, exact."""

import numpy as np
from jaxtyping import Int, Int8


def to_differences(
    codes: Int[np.ndarray, "frames *numbers"], bits: int
) -> tuple[Int8[np.ndarray, "first *numbers"], Int8[np.ndarray, "later *numbers"]]:
    """Split codes into those of the first frame and each later frame's difference from the one before.

        difference = (code - code before + 2**(bits - 1)) modulo 2**bits, less 2**(bits - 1)

    So a difference is itself a code of ``bits`` bits, and small when a number hardly changes.

    Args:
        codes: In [-2**(bits - 1), 2**(bits - 1) - 1]; at least one axis.
        bits: Bits per code, 2 to 8.

    Returns:
        The first frame's codes (none if there are no frames) and one difference fewer than frames.

    Example:
        >>> first, later = to_differences(np.array([[3], [4], [-8], [7]]), 4)
        >>> first.tolist(), later.tolist()
        ([[3]], [[1], [4], [-1]])
    """
    # uint8 arithmetic wraps at 256, of which 2**bits is a divisor.
    wrapped = codes.astype(np.uint8)
    return codes[:1].astype(np.int8), _as_codes(wrapped[1:] - wrapped[:-1], bits)


def from_differences(
    first: Int8[np.ndarray, "first *numbers"], later: Int8[np.ndarray, "later *numbers"], bits: int
) -> Int8[np.ndarray, "frames *numbers"]:
    """Undo `to_differences`: add the differences up, modulo ``2**bits``."""
    rows = np.concatenate([first, later]).view(np.uint8)
    return _as_codes(np.cumsum(rows, axis=0, dtype=np.uint8), bits)


def _as_codes(wrapped: np.ndarray, bits: int) -> Int8[np.ndarray, "frames *numbers"]:
    """Return the codes of ``bits`` bits that are equal to ``wrapped`` (uint8) modulo ``2**bits``."""
    half = np.uint8(1 << bits - 1)
    codes: np.ndarray = ((wrapped + half) & np.uint8((1 << bits) - 1)) - half
    return codes.view(np.int8)
