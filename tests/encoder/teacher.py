"""A teacher to encode with, that needs no weights."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from nervid.teachers import TeacherRecord

DIMENSION = 12


class Fake:
    """Sees where a frame is bright; counts how often it is asked."""

    def __init__(self, spoil: float = 0.0, dimension: int = DIMENSION) -> None:
        self.record = TeacherRecord(name="fake", revision="1", sha256="0" * 64, dimension=dimension)
        self.asked = 0
        self._spoil = spoil
        self._axes = torch.randn(16 * 24 * 3, dimension, generator=torch.Generator().manual_seed(0))

    def images(self, frames: Tensor) -> Tensor:
        self.asked += 1
        small = torch.nn.functional.adaptive_avg_pool2d(frames.float() / 255, (16, 24)).flatten(1)
        return torch.nn.functional.normalize(small @ self._axes + self._spoil, dim=1)

    def text(self, queries: Sequence[str]) -> Tensor:
        raise AssertionError("an encoding asks nothing")


def unit(rows: np.ndarray) -> np.ndarray:
    """Return float32 rows of length 1."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)
