"""Pictures: right size, written in one step, clear errors."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from nervid.compare import CodecCurve, CodecPoint, Comparison, FileResult, Quality
from nervid.compare.plot import plot_comparison, side_by_side
from nervid.errors import InputError, OutputError

from .conftest import moving_frames


def read_png(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def comparison(*, ms_ssim: bool, files: int = 1) -> Comparison:
    quality = Quality(psnr_db=(30.0, 31.0), ms_ssim=(0.9, 0.92) if ms_ssim else None)
    point = CodecPoint(
        crf=30.0, size_bytes=100, bits_per_pixel=0.1, quality=quality, encode_seconds=1.0, decode_seconds=1.0,
        matches=("0.nerv",),
    )  # fmt: skip
    curve = CodecCurve(
        codec="x264",
        preset="medium",
        setting="crf",
        points=(point,),
        bd_rate_percent=None,
        bd_rate_missing="",
    )
    return Comparison(
        width=64, height=64, frames=2, frame_rate=Fraction(25), source_bits_per_pixel=0.2,
        files=tuple(
            FileResult(
                path=f"{i}.nerv", size_bytes=100, bits_per_pixel=0.2 * (i + 1), picture_bytes=50,
                picture_bits_per_pixel=0.1 * (i + 1), quality=quality, decode_seconds=1.0,
            )
            for i in range(files)
        ),
        codecs=(curve,), warnings=(),
    )  # fmt: skip


@pytest.mark.parametrize("ms_ssim", [True, False])
def test_a_comparison_becomes_a_png_1200_pixels_wide(ms_ssim: bool, tmp_path: Path) -> None:
    plot_comparison(comparison(ms_ssim=ms_ssim, files=1 + ms_ssim), tmp_path / "out.png")
    assert read_png(tmp_path / "out.png").shape == (750, 1200, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]


def test_side_by_side_shows_original_decoded_and_amplified_difference(tmp_path: Path) -> None:
    original = np.full((90, 160, 3), 40, np.uint8)
    decoded = original + np.uint8(10)
    side_by_side(original, decoded, tmp_path / "out.png", bpp=0.05, psnr_db=28.13, title="gray")
    picture = read_png(tmp_path / "out.png")
    assert picture.shape[1] == 1200
    middle = picture.shape[0] // 2
    # 10 * 16 is the largest power of two times 10 that does not clip.
    assert [picture[middle, column].tolist() for column in (200, 600, 1000)] == [
        [40] * 3,
        [50] * 3,
        [160] * 3,
    ]


def test_equal_frames_have_a_black_difference(tmp_path: Path) -> None:
    frame = moving_frames(1, 48, 64)[0]
    side_by_side(frame, frame, tmp_path / "out.png", bpp=0.05, psnr_db=float("inf"), title="same")
    picture = read_png(tmp_path / "out.png")
    assert not picture[100:200, 850:1150].any()


def test_frames_of_two_sizes_are_refused(tmp_path: Path) -> None:
    small, large = moving_frames(1, 32, 48)[0], moving_frames(1, 64, 48)[0]
    with pytest.raises(InputError, match="two frames of one size, got 48x32 and 48x64"):
        side_by_side(small, large, tmp_path / "out.png", bpp=1.0, psnr_db=1.0, title="")


def test_an_unwritable_place_is_one_clear_error_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "missing" / "out.png"
    with pytest.raises(OutputError, match=r"cannot write .*out\.png: No such file or directory"):
        plot_comparison(comparison(ms_ssim=False), target)
    assert list(tmp_path.iterdir()) == []
