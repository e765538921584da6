"""Motion that is found before a fit: on clips whose motion is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from nervid.fit.rd.flow import reduction_for
from nervid.fit.rd.motion import (
    LEAST_GAIN_DB,
    LEAST_MOTION_BYTES,
    LEAST_TEXTURE_BYTES,
    LOSS_DB_PER_SIZE,
    MOTION_BYTES,
    ClipMotion,
    find_motion,
)
from nervid.models.config.nervid import MOTION_UNIT
from nervid.models.nervid_sizing import Spans


def moving(
    frames: int, height: int, width: int, *, columns: float = 0.0, rows: float = 0.0, every: int = 40
) -> Tensor:
    """A smooth pattern that goes so many columns to the right and rows down from frame to frame."""
    generator = torch.Generator().manual_seed(1)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    waves = torch.rand(12, 4, generator=generator)
    found = []
    for index in range(frames):
        plane = torch.zeros(height, width)
        for across, down, phase, weight in waves.tolist():
            place = (x - columns * index) * (across - 0.5) + (y - rows * index) * (down - 0.5)
            plane += weight * torch.sin(40 / every * place + 6.3 * phase)
        found.append(plane)
    pattern = torch.stack(found)
    pattern = (pattern - pattern.min()) / (pattern.max() - pattern.min())
    return (255 * pattern).to(torch.uint8)[:, None].expand(-1, 3, -1, -1).contiguous()


def test_a_pattern_that_moves_evenly_is_followed_to_both_anchors() -> None:
    found = find_motion(moving(13, 96, 160, columns=1.5, rows=-0.5))
    assert found.gain_db > 8
    finest = found.choices[0]
    backward, forward = finest.grids
    # One interval, 0 to 12: what is at a frame was 1.5 columns further left a frame before.
    assert backward.frame_of(2) == (6, 0)
    assert forward.frame_of(2) == (4, 1)
    inner = (slice(None), slice(1, -1), slice(2, -2))
    for values, frames in ((finest.values[0][2], -6), (finest.values[1][2], 8)):
        wanted = torch.tensor([1.5, -0.5]) * frames
        found_pixels = values[inner].mean(dim=(1, 2)) * MOTION_UNIT
        torch.testing.assert_close(found_pixels, wanted, rtol=0.05, atol=0.2)


def test_even_motion_need_not_be_said_often() -> None:
    found = find_motion(moving(25, 96, 160, columns=1.0))
    assert [motion.spans.motion for motion in found.choices] == [2, 4, 8]
    assert motion_span(found, 100_000) == 8


def test_anchors_are_far_apart_unless_that_loses_much() -> None:
    slow = find_motion(moving(49, 64, 96, columns=0.05))
    assert slow.choices[0].spans == Spans(48, 2)
    frames = moving(49, 64, 96, columns=0.05)
    # Half way another picture fades in: anchors at both ends know nothing of it.
    other = moving(49, 64, 96, columns=0.05, every=25)
    shares = (1 - (torch.arange(49) - 24).abs() / 24).view(-1, 1, 1, 1)
    turning = torch.lerp(frames.float(), other.float(), shares).to(torch.uint8)
    assert find_motion(turning).choices[0].spans == Spans(24, 2)


@pytest.mark.parametrize(
    "frames", [moving(8, 64, 64), torch.zeros(5, 3, 70, 65, dtype=torch.uint8)], ids=["still", "black"]
)
def test_nothing_is_gained_where_nothing_moves(frames: Tensor) -> None:
    assert find_motion(frames).gain_db == pytest.approx(0, abs=0.1)


def test_noise_has_no_motion_that_is_worth_its_bytes() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (6, 3, 64, 80), dtype=np.uint8)
    assert abs(find_motion(torch.from_numpy(noise)).gain_db) < 1


@pytest.mark.parametrize(("frames", "height", "width"), [(3, 64, 64), (4, 65, 71), (3, 300, 500)])
def test_clips_of_every_size_have_motion_of_their_networks_shape(
    frames: int, height: int, width: int
) -> None:
    found = find_motion(moving(frames, height, width, columns=1))
    for motion in found.choices:
        assert [values.shape for values in motion.values] == [grid.shape for grid in motion.grids]
        assert all(values.isfinite().all() for values in motion.values)


def test_the_same_clip_has_the_same_motion() -> None:
    one, other = (find_motion(moving(9, 96, 128, columns=2.2, rows=1.1)) for _ in range(2))
    for first, second in zip(one.choices, other.choices, strict=True):
        assert all(a.equal(b) for a, b in zip(first.values, second.values, strict=True))


@pytest.mark.parametrize(
    ("pixels", "reduction"), [(270 * 480, 1), (270 * 480 + 1, 2), (720 * 1280, 4), (4096 * 4096, 8)]
)
def test_large_frames_are_looked_at_in_a_part_of_their_size(pixels: int, reduction: int) -> None:
    assert reduction_for(1, pixels) == reduction


@pytest.fixture
def by_hand() -> ClipMotion:
    """Motion of a real clip that loses 0.5 dB with every longer span, as if by hand."""
    finest = find_motion(moving(25, 64, 64, columns=1)).choices
    choices = tuple(replace(motion, error=10 ** (0.05 * step)) for step, motion in enumerate(finest))
    return ClipMotion(choices=choices, gain_db=9.0, still_share=0.1, frames=40)


def motion_span(clip: ClipMotion, size: float) -> int | None:
    motion = clip.for_size(size)
    return None if motion is None else motion.spans.motion


def test_the_larger_a_file_the_more_often_motion_is_said(by_hand: ClipMotion) -> None:
    saved = by_hand.choices[0].numbers - by_hand.choices[1].numbers
    limit = LOSS_DB_PER_SIZE * MOTION_BYTES * saved / 0.5
    assert motion_span(by_hand, limit * 1.01) == 2
    assert motion_span(by_hand, limit * 0.99) == 4


def test_small_files_and_clips_that_stand_still_have_no_textures(by_hand: ClipMotion) -> None:
    # 25 frames of 64x64: two anchors of 3 channels at half of the sides, 3 knots of 2 numbers to each
    # anchor at a 16th.
    assert by_hand.choices[-1].texture_numbers == 2 * 3 * 32 * 32
    assert by_hand.choices[-1].numbers == 2 * 3 * 2 * 4 * 4
    least = LEAST_MOTION_BYTES * 192 + LEAST_TEXTURE_BYTES * 6144
    assert motion_span(by_hand, least * 1.01) == 8
    assert motion_span(by_hand, least * 0.99) is None
    still = replace(by_hand, gain_db=LEAST_GAIN_DB - 0.01)
    assert motion_span(still, 1e6) is None
    assert motion_span(replace(by_hand, gain_db=LEAST_GAIN_DB), 1e6) == 2


def test_a_background_is_for_pictures_of_which_nearly_half_stays(by_hand: ClipMotion) -> None:
    assert not by_hand.is_still
    assert not replace(by_hand, still_share=0.44).is_still
    assert replace(by_hand, still_share=0.46).is_still
    assert not replace(by_hand, still_share=0.46, frames=39).is_still
    room = moving(9, 64, 96, columns=3)
    room[:, :, :, :48] = 90
    assert find_motion(room).still_share == pytest.approx(0.5, abs=0.06)
