"""A tiny clip, and players of it that stand in for decoded .nerv files."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Self

import numpy as np
import pytest
import torch
from jaxtyping import UInt8
from torch import Tensor

from nervid.video import VideoInfo


class FakeClip:
    """Frames in memory behind the attributes of a clip."""

    def __init__(self, frames: np.ndarray, source_bits_per_pixel: float | None = None) -> None:
        self.frames = frames
        self.source_bits_per_pixel = source_bits_per_pixel
        height, width = frames.shape[1:3]
        self.info = VideoInfo(width=width, height=height, time_base=Fraction(1, 25), frame_rate=Fraction(25))

    def __len__(self) -> int:
        return len(self.frames)

    def iter_frames(self) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        return iter(self.frames)

    def tensor(self) -> UInt8[Tensor, "frames 3 height width"]:
        return torch.from_numpy(self.frames).permute(0, 3, 1, 2)


class FakeDecoder:
    """Plays given frames as a decoder would."""

    def __init__(self, frames: Tensor, *, track_bytes: int = 0) -> None:
        self.frames = frames
        self.metadata = SimpleNamespace(track_bytes=track_bytes)

    def __len__(self) -> int:
        return len(self.frames)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def batches(self, size: int) -> Iterator[Tensor]:
        return in_batches(self.frames, size)


def in_batches(frames: Tensor, size: int) -> Iterator[Tensor]:
    """Cut frames into batches, the last one perhaps smaller."""
    return (frames[first : first + size] for first in range(0, len(frames), size))


def moving_frames(frames: int, height: int, width: int) -> np.ndarray:
    """A smooth pattern that drifts, uint8 [frames, height, width, 3]."""
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin((rows + 2 * i) / 7) * np.cos((columns - 3 * i) / 9) for i in range(frames)]
    gray = 127.5 + 90 * np.stack(waves)
    return np.stack([gray, 255 - gray, gray * 0.5 + 60], axis=-1).astype(np.uint8)


@pytest.fixture
def clip() -> FakeClip:
    return FakeClip(moving_frames(6, 64, 64), source_bits_per_pixel=0.5)


@pytest.fixture
def players(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeDecoder]:
    """What opening a file name gives, to be filled by the test."""
    table: dict[str, FakeDecoder] = {}
    monkeypatch.setattr("nervid.compare.comparison.open_nerv", lambda path: table[Path(path).name])
    return table
