"""Which knots frames read: mixed in time, or those of their anchors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervid.models.config.feature_grid import Anchors, MotionGrid, TextureGrid

TWELVE = Anchors(frames=12, span=4)
"""Anchors at frames 0, 3, 7 and 11."""


def texture(anchors: Anchors) -> TextureGrid:
    return TextureGrid(stage=2, shape=(anchors.intervals + 1, 1, 2, 2), anchors=anchors)


def motion(anchors: Anchors, span: int, *, is_forward: bool) -> MotionGrid:
    knots = anchors.intervals * anchors.steps(span)
    return MotionGrid(stage=0, shape=(knots, 2, 1, 1), anchors=anchors, span=span, is_forward=is_forward)


def test_anchors_are_spaced_evenly_and_frames_lie_between_them() -> None:
    assert [TWELVE.frame(anchor) for anchor in range(TWELVE.intervals + 1)] == [0, 3, 7, 11]
    assert [TWELVE.interval(index) for index in range(12)] == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2]
    assert [TWELVE.steps(span) for span in (1, 2, 3, 4)] == [3, 2, 1, 1]


def test_a_frame_reads_the_anchors_around_it_by_nearness() -> None:
    grid = texture(TWELVE)
    assert grid.places(3) == (((1, 1.0),), ((2, 0.0),))
    assert grid.places(4) == (((1, 0.75),), ((2, 0.25),))
    assert grid.places(11) == (((2, 0.0),), ((3, 1.0),))
    assert grid.first_frames == (0, 1, 4, 8)


def test_an_anchor_is_counted_to_the_interval_before_it_on_request() -> None:
    assert texture(TWELVE).places(7, interval=1) == (((1, 0.0),), ((2, 1.0),))
    assert motion(TWELVE, 2, is_forward=False).places(7, interval=1) == (((3, 1.0),),)


@pytest.mark.parametrize(
    ("index", "backward", "forward"),
    [
        # Knots of the interval from 3 to 7: 2 and 3, two and four frames away from the anchor.
        (3, ((2, 0.0),), ((2, 1.0),)),
        (4, ((2, 0.5),), ((3, 0.5), (2, 0.5))),
        (5, ((2, 1.0),), ((3, 1.0),)),
        (6, ((2, 0.5), (3, 0.5)), ((3, 0.5),)),
        (11, ((5, 1.0),), ((5, 0.0),)),
    ],
)
def test_motion_is_mixed_from_knots_and_nothing_at_the_anchor(
    index: int, backward: tuple[tuple[int, float], ...], forward: tuple[tuple[int, float], ...]
) -> None:
    assert motion(TWELVE, 2, is_forward=False).places(index) == (backward,)
    assert motion(TWELVE, 2, is_forward=True).places(index) == (forward,)


def test_knots_of_motion_know_their_frame_and_its_anchor() -> None:
    backward, forward = (motion(TWELVE, 2, is_forward=way) for way in (False, True))
    assert [backward.frame_of(knot) for knot in range(6)] == [(2, 0), (3, 0), (5, 1), (7, 1), (9, 2), (11, 2)]
    assert [forward.frame_of(knot) for knot in range(6)] == [(0, 1), (1, 1), (3, 2), (5, 2), (7, 3), (9, 3)]
    assert backward.first_frames == (1, 3, 4, 6, 8, 10)
    assert forward.first_frames == (1, 1, 4, 4, 8, 8)


@given(frames=st.integers(3, 60), span=st.integers(2, 30), motion_span=st.integers(1, 9), data=st.data())
def test_every_frame_is_drawn_with_knots_that_are_there_by_then(
    frames: int, span: int, motion_span: int, data: st.DataObject
) -> None:
    anchors = Anchors(frames=frames, span=span)
    textures = texture(anchors)
    index = data.draw(st.integers(0, frames - 1))
    interval = anchors.interval(index)
    assert anchors.frame(interval) <= index <= anchors.frame(interval + 1)
    assert anchors.frame(interval + 1) - anchors.frame(interval) <= span
    lengths = [anchors.frame(k + 1) - anchors.frame(k) for k in range(anchors.intervals)]
    assert anchors.steps(motion_span) == -(-(max(lengths) - 1) // motion_span)
    read = textures.places(index)
    assert sum(share for places in read for _, share in places) == pytest.approx(1)
    for way, ((anchor, nearness),) in zip((False, True), read, strict=True):
        grid = motion(anchors, motion_span, is_forward=way)
        assert list(grid.first_frames) == sorted(grid.first_frames)
        (places,) = grid.places(index)
        assert len({knot for knot, _ in places}) == len(places)
        assert all(0 <= knot < grid.shape[0] and 0 <= share <= 1 for knot, share in places)
        # Motion that grows evenly with the distance from the anchor is kept.
        first, last = anchors.frame(interval), anchors.frame(interval + 1)
        steps = [knot % grid.knots_each for knot, _ in places]
        steps = [grid.knots_each - step if way else step + 1 for step in steps]
        reached = sum(share * step * motion_span for step, (_, share) in zip(steps, places, strict=True))
        distance = last - index if way else index - first
        assert reached == pytest.approx(min(distance, grid.knots_each * motion_span))
        for knot, share in places:
            assert not share or grid.frame_of(knot)[1] == anchor
            # What is warped by it has no share either where a knot comes later.
            assert not share * nearness or grid.first_frames[knot] <= index
        assert not nearness or textures.first_frames[anchor] <= index
