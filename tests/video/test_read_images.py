"""Images and arrays as clips."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from nervid.errors import InputError
from nervid.video import open_writer, read
from nervid.video.info import SRGB, VideoInfo

from .samples import picture, seconds


def _write_images(folder: Path, count: int, width: int = 48, height: int = 32) -> None:
    info = VideoInfo(width=width, height=height, time_base=Fraction(1, 25), frame_rate=Fraction(25))
    with open_writer(folder, info) as writer:
        for index in range(count):
            writer.write(picture(index, width, height), index)


def test_a_folder_of_images_is_read_in_natural_order(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    _write_images(folder, 12, 47, 33)
    for path in folder.iterdir():
        path.rename(folder / f"shot{int(path.stem)}.png")
    (folder / "notes.txt").write_text("not an image")
    clip = read(folder, frame_rate=10)
    assert np.array_equal(clip.load(), np.stack([picture(index, 47, 33) for index in range(12)]))
    assert clip.info.frame_rate == 10
    assert seconds(clip) == [Fraction(n, 10) for n in range(12)]
    assert clip.info.color == SRGB
    assert clip.source_bits_per_pixel is None


def test_a_glob_and_a_single_image_are_read(tmp_path: Path) -> None:
    _write_images(tmp_path / "frames", 12)
    assert len(read(str(tmp_path / "frames" / "00000*.png"))) == 10
    one = read(tmp_path / "frames" / "000003.png")
    assert np.array_equal(one.load()[0], picture(3))


def test_images_of_different_sizes_are_refused(tmp_path: Path) -> None:
    _write_images(tmp_path / "frames", 2)
    _write_images(tmp_path / "more", 1, 32, 32)
    (tmp_path / "more" / "000000.png").rename(tmp_path / "frames" / "9.png")
    with pytest.raises(InputError, match="all images must have one size") as caught:
        read(tmp_path / "frames")
    assert "9.png" in str(caught.value) or "32x32" in str(caught.value)


def test_a_folder_without_images_or_with_a_broken_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images found"):
        read(tmp_path)
    (tmp_path / "1.png").write_text("no picture")
    with pytest.raises(InputError, match="not an image that can be read"):
        read(tmp_path)


def test_arrays_are_read_in_both_orders_of_axes() -> None:
    frames = np.stack([picture(index) for index in range(5)])
    last, first = read(frames), read(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))
    assert np.array_equal(last.load(), frames)
    assert np.array_equal(first.load(), frames)
    assert last.fingerprint == first.fingerprint
    assert last.info.frame_rate == 25
    assert seconds(last)[1] == Fraction(1, 25)
    assert read(frames, frame_rate=30000 / 1001).info.frame_rate == Fraction("29.97002997002997")


def test_anything_that_becomes_an_array_is_read() -> None:
    class Duck:
        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            return np.zeros((2, 3, 16, 20), dtype=np.uint8)

    assert read(Duck()).load().shape == (2, 16, 20, 3)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.zeros((2, 3, 16, 16), dtype=np.float32), "must be uint8"),
        (np.zeros((2, 16, 16), dtype=np.uint8), "must be uint8"),
        (np.zeros((0, 3, 16, 16), dtype=np.uint8), "holds no frames"),
        (np.zeros((1, 3, 8, 16), dtype=np.uint8), "got 16x8"),
        (42, "must be a path, a glob or an array, got int"),
    ],
)
def test_other_arrays_are_refused(source: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(source)
