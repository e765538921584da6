"""How much of a picture stays, on clips of which that is known."""

import numpy as np
import pytest

from nervid.fit.rd.still import still_share


def test_the_share_is_that_of_the_pixels_that_stay() -> None:
    rng = np.random.default_rng(1)
    clip = np.full((40, 20, 30), 90, dtype=np.uint8)
    clip[:, :, :12] = rng.integers(0, 256, (40, 20, 12))  # two fifths change all the time
    assert still_share(list(clip)) == pytest.approx(0.6)


def test_what_passes_for_a_moment_leaves_a_pixel_still() -> None:
    clip = np.zeros((32, 4, 4), dtype=np.uint8)
    clip[5, 0, 0] = 95  # 2.97 a frame
    clip[5, 1, 1] = 97  # 3.03
    assert still_share(list(clip)) == pytest.approx(15 / 16)


@pytest.mark.parametrize(("deviation", "share"), [(2.0, 1.0), (8.0, 0.0)])
def test_noise_of_a_camera_is_no_motion_until_it_is_strong(deviation: float, share: float) -> None:
    noise = np.random.default_rng(1).normal(0, deviation, (64, 24, 24))
    assert still_share(list((100 + noise).round().astype(np.uint8))) == share


@pytest.mark.parametrize("frames", [1, 2, 31, 32, 33, 240])
def test_clips_of_every_length_are_looked_at_from_end_to_end(frames: int) -> None:
    clip = [np.full((2, 2), 0 if index < frames / 2 else 200, dtype=np.uint8) for index in range(frames)]
    assert still_share(clip) == (1.0 if frames == 1 else 0.0)
