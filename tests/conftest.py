"""What all tests share: one tiny set of frames, and the rules for slow and GPU tests."""

import os
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray

from tests import typechecker

# Before torch is loaded, here and in the processes that tests start: on frames this small a second thread
# only waits for the first.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Before nervid is loaded: its functions are decorated on import.
typechecker.check_some_calls()

# A slow or busy machine must not fail a property test by the clock.
settings.register_profile("nervid", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("nervid")


@pytest.fixture(scope="session")
def shared_frames() -> NDArray[np.uint8]:
    """Frames with a bright square that moves over a gradient, uint8 [8, 3, 32, 48], 0 to 255.

    For fixtures that many tests share; nobody writes into them.
    """
    rows, columns = np.mgrid[0:32, 0:48]
    gradient = np.stack([columns * 4, rows * 6, 255 - columns * 4]).astype(np.uint8)
    frames = np.repeat(gradient[None], 8, axis=0)
    for index in range(8):
        frames[index, :, 8 + index : 16 + index, 4 * index : 4 * index + 10] = 240
    return frames


@pytest.fixture
def tiny_frames(shared_frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the test's own copy of ``shared_frames``."""
    return shared_frames.copy()


def pytest_runtest_setup() -> None:
    """Check the first calls of every function in every test."""
    typechecker.begin_test()


def pytest_collection_modifyitems(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Skip slow tests unless -m asks for them, and GPU tests where there is no CUDA device.

    With REQUIRE_GPU=1 the GPU tests run, and fail, without one: for the machine that must have it.
    """
    if not config.getoption("markexpr"):
        slow = pytest.mark.skip(reason="slow; run with -m slow")
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(slow)
    needs_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if needs_gpu and os.environ.get("REQUIRE_GPU") != "1":
        import torch

        if not torch.cuda.is_available():
            for item in needs_gpu:
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
