"""Segments cover the clip, respect cuts and a maximum length."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervid.errors import InputError
from nervid.video import read
from nervid.video.scenes import split_at_cuts


@given(st.integers(1, 500), st.sets(st.integers(1, 500)), st.integers(1, 200))
def test_segments_cover_every_frame_once_and_keep_to_the_maximum(
    frames: int, cuts: set[int], longest: int
) -> None:
    segments = split_at_cuts(frames, sorted(cut for cut in cuts if cut < frames), longest)
    assert [frame for segment in segments for frame in segment] == list(range(frames))
    assert max(len(segment) for segment in segments) <= longest
    if longest >= 15:
        assert min(len(segment) for segment in segments) >= min(8, frames)


def test_a_long_scene_is_divided_into_equal_parts() -> None:
    assert split_at_cuts(100, [40], 25) == [
        range(20), range(20, 40), range(40, 60), range(60, 80), range(80, 100),
    ]  # fmt: skip


def test_cuts_close_to_another_or_to_an_end_are_passed_over() -> None:
    assert split_at_cuts(40, [3, 20, 24, 36], 100) == [range(20), range(20, 40)]


def test_a_maximum_below_one_is_refused() -> None:
    with pytest.raises(InputError, match="max_frames must be 1 or more, got 0"):
        split_at_cuts(10, [], 0)


def test_a_cut_is_found_at_its_frame(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    frames = np.empty((40, 32, 48, 3), dtype=np.uint8)
    frames[:17] = (200, 40, 40)
    frames[17:] = (30, 60, 220)
    frames += rng.integers(0, 8, frames.shape, dtype=np.uint8)
    clip = read(frames)
    assert clip.segments(100) == [range(17), range(17, 40)]
    assert clip.segments(12) == [range(8), range(8, 17), range(17, 28), range(28, 40)]


def test_a_clip_without_cuts_is_one_segment() -> None:
    assert read(np.full((20, 3, 16, 16), 90, dtype=np.uint8)).segments(30) == [range(20)]
