"""Tiny clips."""

import numpy as np
import pytest

import nervid


@pytest.fixture
def tiny_clip(tiny_frames: np.ndarray) -> nervid.Clip:
    return nervid.read(tiny_frames, frame_rate=10)
