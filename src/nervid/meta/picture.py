"""Sizes of a picture: how small it is made, and what is cut off when it is too long."""

from typing import Final

import numpy as np
from jaxtyping import UInt8

LARGEST_ASPECT: Final = 2
"""Long over short side at most; what is beyond is cut off, so that memory is bounded."""


def shrunk(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Return width and height in proportion, the shorter side at most ``short_side``; never larger."""
    factor = min(1.0, short_side / min(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def trimmed(pixels: UInt8[np.ndarray, "_ _ 3"], share: float) -> UInt8[np.ndarray, "_ _ 3"]:
    """Cut a picture off to ``LARGEST_ASPECT``; the part ``share`` of what goes, 0 to 1, is left or above."""
    height, width = pixels.shape[:2]
    rows, columns = min(height, LARGEST_ASPECT * width), min(width, LARGEST_ASPECT * height)
    top, left = round(share * (height - rows)), round(share * (width - columns))
    return pixels[top : top + rows, left : left + columns]
