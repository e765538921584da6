"""Scores become moments by the rule that the module states, whatever the frames' times."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervid.errors import InputError
from nervid.retrieval.moment import (
    GAP_SECONDS,
    FrameTimes,
    Moment,
    best_moments,
    find_moments,
    own_threshold,
    smooth,
)


def even(frames: int, rate: float) -> FrameTimes:
    return FrameTimes(starts=np.arange(frames) / rate, end_seconds=frames / rate)


def spans(moments: list[Moment]) -> list[tuple[float, float]]:
    return [(moment.start_seconds, moment.end_seconds) for moment in moments]


def test_a_score_is_the_mean_cosine_of_a_quarter_of_a_second() -> None:
    # At 10 frames a second the neighbors 0.1 s away lie in the window, those 0.2 s away do not.
    cosines = np.array([0.0, 0.0, 0.9, 0.0, 0.0, 0.6])
    np.testing.assert_allclose(smooth(cosines, even(6, 10)), [0, 0.3, 0.3, 0.3, 0.2, 0.3], atol=1e-9)


def test_a_window_holds_frames_by_their_times() -> None:
    # 24 frames a second: three frames, exactly 0.125 s, to either side.
    cosines = np.zeros(240)
    cosines[100] = 0.7
    scores = smooth(cosines, even(240, 24))
    np.testing.assert_array_equal(np.flatnonzero(scores), range(97, 104))
    np.testing.assert_allclose(scores[97:104], 0.1)
    uneven = FrameTimes(starts=np.array([0.0, 0.1, 1.0, 5.0]), end_seconds=5.1)
    np.testing.assert_allclose(smooth(np.array([0.2, 0.4, 0.6, 0.8]), uneven), [0.3, 0.3, 0.6, 0.8])


def test_a_files_own_threshold_lies_halfway_from_its_background_to_its_peak() -> None:
    assert own_threshold(np.array([0.2, 0.2, 0.2, 0.2, 0.3])) == pytest.approx(0.25)
    assert own_threshold(np.array([0.2, 0.3, 0.2, 0.3, 0.3])) == pytest.approx(0.25)
    assert own_threshold(np.array([-0.4, -0.4, -0.2])) == pytest.approx(-0.3)


def test_a_file_that_fits_from_end_to_end_is_one_moment() -> None:
    scores = np.array([0.28, 0.3, 0.275, 0.29, 0.28])
    assert own_threshold(scores) == pytest.approx(0.27)
    assert spans(find_moments("a", scores, even(5, 1))) == [(0.0, 5.0)]


def test_neighboring_frames_at_the_threshold_are_one_moment_until_the_last_one_leaves() -> None:
    scores = np.array([0.1, 0.5, 0.7, 0.7, 0.1, 0.1, 0.6])
    assert find_moments("a.nerv", scores, even(7, 2), threshold=0.5) == [
        Moment(path="a.nerv", start_seconds=0.5, end_seconds=2.0, best_seconds=1.0, score=0.7),
        Moment(path="a.nerv", start_seconds=3.0, end_seconds=3.5, best_seconds=3.0, score=0.6),
    ]


@pytest.mark.parametrize(("gap", "merged"), [(4, True), (5, False), (6, False)])
def test_gaps_below_half_a_second_are_bridged(gap: int, merged: bool) -> None:
    scores = np.array([1.0] * 10 + [0.0] * gap + [1.0] * 10)
    found = spans(find_moments("a", scores, even(len(scores), 10), threshold=0.5))
    end = (20 + gap) / 10
    expected = [(0.0, end)] if merged else [(0.0, 1.0), (1 + gap / 10, end)]
    assert found == [pytest.approx(span) for span in expected]


def test_no_frame_at_the_threshold_is_no_moment() -> None:
    assert find_moments("a", np.array([0.1, 0.2]), even(2, 1), threshold=0.3) == []


def test_a_file_of_one_frame_is_a_moment_as_long_as_the_frame() -> None:
    assert spans(find_moments("a", np.array([-0.2]), even(1, 4))) == [(0.0, 0.25)]


@given(
    cosines=st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=60),
    steps=st.lists(st.integers(1, 900), min_size=60, max_size=60),
    threshold=st.none() | st.floats(-1, 1),
)
def test_moments_are_the_frames_at_the_threshold_and_short_gaps(
    cosines: list[float], steps: list[int], threshold: float | None
) -> None:
    frames = len(cosines)
    milliseconds = np.cumsum(steps)[:frames]
    times = FrameTimes(starts=milliseconds / 1000, end_seconds=(int(milliseconds[-1]) + 40) / 1000)
    scores = smooth(np.array(cosines), times)
    limit = own_threshold(scores) if threshold is None else threshold
    moments = find_moments("a", scores, times, threshold=threshold)
    inside = np.zeros(frames, dtype=bool)
    for moment in moments:
        within = (times.starts >= moment.start_seconds) & (times.starts < moment.end_seconds)
        assert not (inside & within).any()
        inside |= within
        assert moment.score == scores[within].max() >= limit
        assert scores[times.starts == moment.best_seconds] == [moment.score]
        assert scores[within][0] >= limit
        assert scores[within][-1] >= limit
    assert set(np.flatnonzero(scores >= limit)) <= set(np.flatnonzero(inside))
    for before, after in pairwise(moments):
        assert after.start_seconds - before.end_seconds > GAP_SECONDS - 1e-5
    if threshold is None:
        assert max(moment.score for moment in moments) == scores.max()
    ends = np.append(times.starts[1:], times.end_seconds)
    for moment in moments:
        index = np.flatnonzero((times.starts >= moment.start_seconds) & (times.starts < moment.end_seconds))
        taken = index[scores[index] >= limit]
        assert all(times.starts[b] - ends[a] < GAP_SECONDS for a, b in pairwise(taken))


def test_the_best_come_first_and_equals_keep_their_order() -> None:
    def moment(path: str, score: float) -> Moment:
        return Moment(path=path, start_seconds=0, end_seconds=1, best_seconds=0, score=score)

    moments = [moment("a", 0.1), moment("b", 0.3), moment("c", 0.1), moment("d", 0.2)]
    assert [found.path for found in best_moments(moments, 3)] == ["b", "d", "a"]
    assert [found.path for found in best_moments(moments, 9)] == ["b", "d", "a", "c"]
    with pytest.raises(InputError, match="top must be at least 1, got 0"):
        best_moments(moments, 0)
