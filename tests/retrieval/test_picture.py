"""Images are read at any size, thumbnails are small JPEGs of what a screen shows."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from nervid.errors import InputError
from nervid.retrieval.picture import THUMBNAIL_SIDE, read_picture, thumbnail


def gradient(height: int, width: int) -> torch.Tensor:
    rows, columns = np.mgrid[0:height, 0:width]
    pixels = np.stack([columns * 255 / width, rows * 255 / height, np.full_like(rows, 90)])
    return torch.from_numpy(pixels.astype(np.uint8))


def decoded(jpeg: bytes, folder: Path) -> torch.Tensor:
    (folder / "a.jpg").write_bytes(jpeg)
    return read_picture(folder / "a.jpg").int()


def test_a_small_frame_is_its_own_thumbnail(tmp_path: Path) -> None:
    frame = gradient(90, 160)
    shown = decoded(thumbnail(frame), tmp_path)
    assert shown.shape == frame.shape
    assert (shown - frame.int()).abs().max() <= 6


def test_a_large_frame_is_scaled_down(tmp_path: Path) -> None:
    shown = decoded(thumbnail(gradient(900, 1600)), tmp_path)
    assert shown.shape == (3, 180, THUMBNAIL_SIDE)
    assert (shown - gradient(180, 320).int()).abs().max() <= 8


def test_a_thumbnail_has_square_pixels_and_stands_upright(tmp_path: Path) -> None:
    frame = torch.zeros((3, 100, 100), dtype=torch.uint8)
    frame[0, :, 50:] = 250
    shown = decoded(thumbnail(frame, pixel_aspect=Fraction(2), rotation=90), tmp_path)
    # Twice as wide, then a quarter turn counterclockwise: what was on the right is on top.
    assert shown.shape == (3, 200, 100)
    assert shown[0, :90].min() >= 240
    assert shown[0, 110:].max() <= 10
    assert decoded(thumbnail(frame, rotation=30), tmp_path).shape == (3, 100, 100)


def test_an_image_is_read_whatever_its_size(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5000, 3), dtype=np.uint8)
    (tmp_path / "wide.ppm").write_bytes(b"P6 5000 3 255\n" + pixels.tobytes())
    np.testing.assert_array_equal(read_picture(tmp_path / "wide.ppm").permute(1, 2, 0).numpy(), pixels)


def test_what_is_no_image_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.png: no such image"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(InputError, match="no such image"):
        read_picture(tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(InputError, match=r"a\.mp4: wanted an image \(.*\.png.*\), got another file"):
        read_picture(tmp_path / "a.mp4")
    (tmp_path / "bad.png").write_bytes(b"no picture at all")
    with pytest.raises(InputError, match=r"bad\.png: not an image that can be read"):
        read_picture(tmp_path / "bad.png")
