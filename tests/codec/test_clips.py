"""Clips of the codec benchmark: shape, shrinking, choice."""

from pathlib import Path

import numpy as np
import pytest

import nervid
from benchmarks.codec_bench import Choice
from benchmarks.codec_clips import CLASSES, SOURCES, Shape, Source, chosen, read
from nervid.errors import InputError


@pytest.mark.parametrize(
    ("source", "large", "small"),
    [
        ((1280, 720), (640, 360), (320, 180)),  # bunny
        ((720, 405), (360, 200), (320, 180)),  # city: twice as many rows as it has left would be 204
        ((1768, 994), (640, 360), (320, 180)),  # park
        ((1080, 1920), (360, 640), (180, 320)),  # gym-1
        ((1088, 1920), (360, 636), (180, 320)),  # gym-4
        ((768, 576), (384, 288), (276, 208)),  # vtest
        ((640, 480), (320, 240), (276, 208)),  # cup
        ((640, 360), (320, 180), (320, 180)),  # woman: one size in both classes
    ],
)
def test_clips_shrink_by_two_or_more_and_keep_their_shape(
    source: tuple[int, int], large: tuple[int, int], small: tuple[int, int]
) -> None:
    for wanted, pixels in zip((large, small), CLASSES.values(), strict=True):
        shape = Shape.of(*source, pixels)
        assert (shape.width, shape.height) == wanted
        left, top, right, bottom = shape.box
        assert min(left, top) >= 0
        assert right <= source[0]
        assert bottom <= source[1]
        factor = (right - left) / shape.width
        assert factor >= 2
        assert factor == pytest.approx((bottom - top) / shape.height)


def test_frames_are_averaged_over_areas() -> None:
    frame = np.zeros((16, 24, 3), dtype=np.uint8)
    frame[:2, :2] = [[[10], [20]], [[30], [40]]]
    shrunk = Shape.of(24, 16, 24 * 16).shrunk(frame)
    assert shrunk.shape == (8, 12, 3)
    assert shrunk[0, 0].tolist() == [25, 25, 25]
    assert not shrunk[1:].any()


def test_a_source_of_few_pixels_is_refused() -> None:
    with pytest.raises(InputError, match="8 pixels or more, got 40x6"):
        Shape.of(40, 6, 100)


def test_clips_are_chosen_by_name_in_their_order() -> None:
    assert [source.name for source in chosen(["cup", "city"])] == ["city", "cup"]
    assert chosen([]) == SOURCES
    with pytest.raises(InputError, match=r"wanted clips of bunny .*, got cat"):
        chosen(["city", "cat"])
    assert Choice().has_all_clips
    assert Choice().words == ""
    some = Choice(clips=("cup",), networks=("nervid", "hnerv"), preset="best", epochs=7)
    assert some.words == " --clips cup --networks nervid hnerv --preset best --epochs 7"
    assert not Choice(clips=("cup",)).has_all_clips


def test_a_clip_is_read_up_to_its_frames_or_refused(tmp_path: Path) -> None:
    demo = nervid.demo_clip()
    clip = read(Source(name="demo", file=demo.name, frames=2), "320x180", folder=demo.parent)
    info = nervid.read(demo).info
    shape = Shape.of(info.width, info.height, CLASSES["320x180"])
    assert clip.size == f"{shape.width}x{shape.height}"
    assert clip.frames.shape == (2, shape.height, shape.width, 3)
    assert clip.clip.info.frame_rate == info.frame_rate
    with pytest.raises(InputError, match="wanted 9999 frames, got"):
        read(Source(name="demo", file=demo.name, frames=9999), "320x180", folder=demo.parent)
    with pytest.raises(InputError, match=r"city\.mpg: no such clip; fetch it with make clips"):
        read(SOURCES[1], "320x180", folder=tmp_path)
