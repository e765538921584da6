"""Infos refuse what no video can be, and the package stays free of torch."""

import subprocess
import sys
from fractions import Fraction

import pytest

from nervid import video
from nervid.errors import InputError
from nervid.video import Color, VideoInfo


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 15}, "got 15x32"),
        ({"height": 4097}, "got 48x4097"),
        ({"time_base": Fraction(0)}, "time_base must be above 0"),
        ({"frame_rate": Fraction(-1)}, "frame_rate must be above 0"),
        ({"pixel_aspect": Fraction(0)}, "pixel_aspect must be above 0"),
        ({"rotation": 360}, "rotation must be -359 to 359"),
        ({"bit_depth": 33}, "bit_depth must be 1 to 32"),
    ],
)
def test_values_out_of_range_are_refused(changes: dict[str, int], message: str) -> None:
    good = {"width": 48, "height": 32, "time_base": Fraction(1, 25), "frame_rate": Fraction(25)}
    with pytest.raises(InputError, match=message):
        VideoInfo(**{**good, **changes})  # type: ignore[arg-type]


def test_unknown_code_points_are_refused() -> None:
    with pytest.raises(InputError, match="color matrix must be a code point 0 to 255, got 256"):
        Color(matrix=256)
    with pytest.raises(InputError, match="color range must be 0, 1 or 2, got 3"):
        Color(range=3)


def test_the_usual_duration_of_a_frame_is_in_ticks() -> None:
    info = VideoInfo(width=48, height=32, time_base=Fraction(1, 12800), frame_rate=Fraction(25))
    assert info.frame_ticks == 512


def test_all_public_names_are_sorted_and_there() -> None:
    assert video.__all__ == sorted(video.__all__)
    assert all(hasattr(video, name) for name in video.__all__)


def test_importing_loads_neither_torch_nor_the_scene_detector() -> None:
    code = "import sys, nervid.video; print('torch' in sys.modules, 'cv2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
