"""Effort: how many steps a preset makes of a clip."""

import pytest

from nervid.fit.recipe import RATE_DISTORTION, Effort, PresetName, rate_distortion_effort


@pytest.mark.parametrize(
    ("preset", "epochs", "large"),
    [("ultrafast", 20, 12), ("fast", 64, 38), ("balanced", 200, 120), ("best", 1200, 720)],
)
def test_large_frames_get_three_fifths_of_the_epochs(preset: PresetName, epochs: int, large: int) -> None:
    found = [rate_distortion_effort(preset, is_large=is_large) for is_large in (False, True)]
    assert [effort.epochs for effort in found] == [epochs, large]
    assert found[0].minimum_steps == found[1].minimum_steps


def test_a_quarter_more_steps_follow_and_short_clips_get_the_least() -> None:
    effort = Effort(epochs=20, minimum_steps=200)
    assert sum(effort.steps(132, RATE_DISTORTION)) == 1650  # 20 * 66, and a quarter
    assert sum(effort.steps(7, RATE_DISTORTION)) == 250
