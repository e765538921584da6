"""Differences in time come back exact, wrap around, and are codes themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from nervid.compress.differences import from_differences, to_differences


@given(data=st.data(), bits=st.integers(2, 8), shape=array_shapes(min_dims=1, max_dims=4, max_side=9))
def test_adding_up_undoes_differences(data: st.DataObject, bits: int, shape: tuple[int, ...]) -> None:
    half = 1 << bits - 1
    codes = data.draw(arrays(np.int16, shape, elements=st.integers(-half, half - 1)))
    first, later = to_differences(codes, bits)
    assert first.shape == (1, *shape[1:])
    assert later.shape == (shape[0] - 1, *shape[1:])
    np.testing.assert_array_equal(from_differences(first, later, bits), codes)
    plain = np.diff(codes.astype(int), axis=0)
    np.testing.assert_array_equal((later - plain) % (1 << bits), 0)
    assert later.size == 0 or (later.min() >= -half and later.max() < half)


@pytest.mark.parametrize(
    ("bits", "codes", "wrapped"),
    [
        (2, [-2, 1, -2, 0], [-1, 1, -2]),
        (4, [3, 4, -8, 7, -1], [1, 4, -1, -8]),
        (8, [-128, 127, 0, 127], [-1, -127, 127]),
    ],
)
def test_a_difference_beyond_the_codes_wraps_around(bits: int, codes: list[int], wrapped: list[int]) -> None:
    first, later = to_differences(np.array(codes), bits)
    assert first.tolist() == codes[:1]
    assert later.tolist() == wrapped


def test_any_differences_add_up_to_codes() -> None:
    """What a damaged file holds leads to codes of its bits, not beyond."""
    first, later = np.full((1, 2), 31, dtype=np.int8), np.full((300, 2), 31, dtype=np.int8)
    added = from_differences(first, later, 6)
    assert added[:4, 0].tolist() == [31, -2, 29, -4]
    assert (added.min(), added.max()) == (-32, 31)


@pytest.mark.parametrize("frames", [0, 1])
def test_too_few_frames_have_no_differences(frames: int) -> None:
    codes = np.full((frames, 3), 5, dtype=np.int16)
    first, later = to_differences(codes, 4)
    assert (len(first), len(later)) == (frames, 0)
    np.testing.assert_array_equal(from_differences(first, later, 4), codes)


def test_the_arguments_are_left_as_they_were() -> None:
    first, later = np.ones((1, 2), dtype=np.int8), np.ones((3, 2), dtype=np.int8)
    from_differences(first, later, 4)
    assert first.tolist() == [[1, 1]]
    assert later.tolist() == [[1, 1]] * 3
