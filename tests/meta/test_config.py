"""Choices for learning: how windows grow, and what is refused."""

import pytest

from nervid.errors import InputError
from nervid.meta.config import MetaConfig


def test_windows_have_a_quarter_then_half_then_all_of_their_frames() -> None:
    config = MetaConfig(frames=8, steps=100)
    frames = [config.frames_at(step) for step in range(100)]
    assert frames == [2] * 10 + [4] * 15 + [8] * 75


def test_without_temporal_guidance_windows_have_all_frames_from_the_start() -> None:
    config = MetaConfig(frames=8, steps=100, progressive=False)
    assert {config.frames_at(step) for step in range(100)} == {8}


@pytest.mark.parametrize(("frames", "expected"), [(1, [1, 1, 1]), (2, [1, 1, 2]), (4, [1, 2, 4])])
def test_a_window_never_has_less_than_one_frame(frames: int, expected: list[int]) -> None:
    config = MetaConfig(frames=frames, steps=100)
    assert [config.frames_at(step) for step in (0, 10, 25)] == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 100}, "size must be a multiple of 64 up to 512 pixels, got 100"),
        ({"size": 0}, "size must be a multiple of 64 up to 512 pixels, got 0"),
        ({"size": 576}, "size must be a multiple of 64 up to 512 pixels, got 576"),
        ({"frames": 6}, "frames must be a power of two up to 32, got 6"),
        ({"frames": 0}, "frames must be a power of two up to 32, got 0"),
        ({"frames": 512}, "frames must be a power of two up to 32, got 512"),
        ({"steps": 0}, "steps must be 1 to 100000000, got 0"),
        ({"tasks": 0}, "tasks must be 1 to 4096, got 0"),
        ({"inner_steps": 65}, "inner_steps must be 1 to 64, got 65"),
        ({"parameters": 9_999}, "parameters must be 10000 to 100000000, got 9999"),
        ({"seed": -1}, "seed must be 0 to"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0 and below 10, got 0"),
        ({"rates_learning_rate": float("nan")}, "rates_learning_rate must be above 0"),
        ({"coarse_weight": -0.1}, "coarse_weight must be 0 or more and below 100, got -0.1"),
        ({"every_step_weight": 100.0}, "every_step_weight must be 0 or more and below 100, got 100"),
    ],
)
def test_what_is_out_of_range_is_named_with_its_range(changes: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        MetaConfig(**changes)  # type: ignore[arg-type]
