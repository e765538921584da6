"""Timestamps made strictly increasing."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64


def repair_timestamps(
    found: Sequence[int | None], frame_ticks: int
) -> tuple[Int64[np.ndarray, " frames"], int]:
    """Give every frame a timestamp above that of the frame before.

    Frames come from a decoder in the order they are shown in. So timestamps that are out of order are
    sorted (AVI stores decoding times in their place), a missing one is ``frame_ticks`` after its
    predecessor, and a repeated one is moved up by a tick.

    Args:
        found: Timestamps in ticks as decoded, None where the file has none.
        frame_ticks: Usual distance of two frames, 1 or more.

    Returns:
        The timestamps, and how many of them differ from what was found.
    """
    filled: list[int] = []
    for value in found:
        filled.append((filled[-1] + frame_ticks if filled else 0) if value is None else value)
    repaired = sorted(filled)
    for index in range(1, len(repaired)):
        repaired[index] = max(repaired[index], repaired[index - 1] + 1)
    changed = sum(before != after for before, after in zip(found, repaired, strict=True))
    return np.array(repaired, dtype=np.int64), changed
