"""How much of a clip's picture stays as it is."""

from typing import Final

import numpy as np

from nervid.fit.rd.flow import Luma

STILL_DIFFERENCE: Final = 3.0
"""Mean difference from the median picture, in steps of luma in [0, 255], below which a pixel stands still;
noise of a deviation of 3 has 2.4."""
MOST_FRAMES: Final = 32
"""Frames that are looked at, evenly spaced."""


def still_share(luma: Luma) -> float:
    """Return the share of pixels, in [0, 1], whose luma stays near that of the median picture.

    Args:
        luma: Of all frames, one or more.
    """
    kept = min(len(luma), MOST_FRAMES)
    frames = np.stack([luma[index * len(luma) // kept] for index in range(kept)])
    differences = np.abs(frames - np.median(frames, axis=0).astype(np.float32)).mean(axis=0)
    return float((differences < STILL_DIFFERENCE).mean())
