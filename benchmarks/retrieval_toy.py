"""Toys that the retrieval benchmark is tried on: items, a teacher without weights, and a classifier."""

import hashlib
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from benchmarks.retrieval_items import Item
from nervid.teachers import TeacherRecord

NAME: Final = "toy"
PHRASES: Final = '[[group]]\nitems = ["toy-0"]\nphrases = ["a red square"]\n'
"""Queries in TOML."""
COLORS: Final = ("red", "green", "blue")
_DIMENSION: Final = 16


class ToyTeacher:
    """Colors instead of meanings, for trying the benchmark without weights."""

    def __init__(self) -> None:
        self.record = TeacherRecord(name=NAME, revision="1", sha256="0" * 64, dimension=_DIMENSION)

    def images(self, frames: UInt8[Tensor, "frames 3 height width"]) -> Float[Tensor, "frames dimension"]:
        """Mix fixed directions by the frame's mean colors in 4 x 4 fields."""
        axes = torch.randn(48, _DIMENSION, generator=torch.Generator().manual_seed(0))
        fields = torch.nn.functional.adaptive_avg_pool2d(frames.float() / 255, (4, 4)).flatten(1)
        return torch.nn.functional.normalize(fields @ axes, dim=1)

    def text(self, queries: Sequence[str]) -> Float[Tensor, "queries dimension"]:
        """Draw a direction for each text."""
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") for text in queries]
        rows = [torch.randn(_DIMENSION, generator=torch.Generator().manual_seed(s)) for s in seeds]
        return torch.nn.functional.normalize(torch.stack(rows), dim=1)


def toy_labels(frames: Sequence[Tensor]) -> list[str]:
    """Name the color of which each frame has most."""
    return [COLORS[int(frame.float().mean(dim=(1, 2)).argmax())] for frame in frames]


def toy_items() -> list[Item]:
    """Return four items of 16 frames of 32x48: a red, a green, a blue and another red one."""
    rows, columns = np.mgrid[0:32, 0:48]
    items = []
    for number, channel in enumerate((0, 1, 2, 0)):
        frames = np.stack([np.stack([rows + i, columns + 9 * number, rows * 0], -1) for i in range(16)])
        frames[..., channel] += 120
        items.append(Item(name=f"toy-{number}", frames=frames.astype(np.uint8), frame_rate=Fraction(12)))
    return items
