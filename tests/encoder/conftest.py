"""Tiny clips, and one thread: on frames this small a second thread only waits."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

import nervid


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def tiny_clip(tiny_frames: np.ndarray) -> nervid.Clip:
    return nervid.read(tiny_frames, frame_rate=10)
