"""Files and codecs side by side, and the numbers that go into JSON."""

import json
from pathlib import Path

import pytest
import torch

from nervid.compare import compare
from nervid.errors import InputError

from .conftest import FakeClip, FakeDecoder


def add_file(
    folder: Path, players: dict[str, FakeDecoder], name: str, frames: torch.Tensor, size: int
) -> Path:
    players[name] = FakeDecoder(frames)
    (folder / name).write_bytes(bytes(size))
    return folder / name


def test_a_file_is_billed_by_its_bytes_on_disk(
    clip: FakeClip, players: dict[str, FakeDecoder], tmp_path: Path
) -> None:
    path = add_file(tmp_path, players, "a.nerv", clip.tensor() ^ 1, 768)
    lines: list[str] = []
    result = compare(clip, [path], progress=lines.append)
    (file,) = result.files
    assert (file.size_bytes, file.bits_per_pixel) == (768, 0.25)
    assert file.quality.mean_psnr_db == pytest.approx(48.1308, abs=1e-4)
    assert file.decode_frames_per_second == 6 / file.decode_seconds
    assert (result.width, result.height, result.frames, result.codecs, result.warnings) == (64, 64, 6, (), ())
    assert lines == [f"{path}: 48.13 dB at 0.2500 bpp"]


def test_a_file_above_the_rate_of_its_source_is_warned_about(
    clip: FakeClip, players: dict[str, FakeDecoder], tmp_path: Path
) -> None:
    path = add_file(tmp_path, players, "a.nerv", clip.tensor(), 3_072)
    assert compare(clip, [path]).warnings == (
        f"{path}: 1 bpp is more than the 0.5 bpp of the source file itself",
    )


def test_four_files_have_a_bd_rate_against_each_codec(
    clip: FakeClip, players: dict[str, FakeDecoder], tmp_path: Path
) -> None:
    noise = torch.randn(clip.tensor().shape, generator=torch.Generator().manual_seed(0))
    paths = [
        add_file(tmp_path, players, f"{size}.nerv", noisy.clamp(0, 255).to(torch.uint8), size)
        for size, noisy in (
            (size, clip.tensor() + noise * 8_000 / size) for size in (700, 1_000, 1_400, 2_000)
        )
    ]
    result = compare(clip, paths, against=["x264", "svtav1"], codec_preset="ultrafast")
    x264, svtav1 = result.codecs
    assert (x264.codec, x264.preset, svtav1.codec, svtav1.preset) == ("x264", "ultrafast", "svtav1", "8")
    assert x264.bd_rate_percent is not None
    assert x264.bd_rate_missing is None
    assert sorted(name for point in x264.points for name in point.matches) == sorted(map(str, paths))
    sizes = [point.size_bytes for point in x264.points]
    assert sizes == sorted(sizes)
    assert len(sizes) >= 6
    loaded = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert loaded["codecs"][0]["bd_rate_percent"] == x264.bd_rate_percent
    assert [file["size_bytes"] for file in loaded["files"]] == [700, 1_000, 1_400, 2_000]


def test_fewer_files_say_why_they_have_no_bd_rate(
    clip: FakeClip, players: dict[str, FakeDecoder], tmp_path: Path
) -> None:
    path = add_file(tmp_path, players, "a.nerv", clip.tensor() ^ 3, 1_000)
    (curve,) = compare(clip, [path], against=["x264"], codec_preset="ultrafast").codecs
    assert curve.bd_rate_percent is None
    assert curve.bd_rate_missing == "BD-rate needs 4 .nerv files, got 1"


def test_a_file_of_another_length_is_refused_before_it_is_decoded(
    clip: FakeClip, players: dict[str, FakeDecoder], tmp_path: Path
) -> None:
    path = add_file(tmp_path, players, "a.nerv", clip.tensor()[:4], 10)
    with pytest.raises(InputError, match=r"a.nerv has 4 frames, the clip has 6"):
        compare(clip, [path])


def test_an_unknown_codec_names_the_known_ones(clip: FakeClip) -> None:
    with pytest.raises(InputError, match="no codec is called h264; choose from x264, x265, svtav1, vvenc"):
        compare(clip, ["a.nerv"], against=["h264"])


def test_an_unknown_preset_names_the_known_ones(clip: FakeClip) -> None:
    with pytest.raises(
        InputError, match="no codec asked for has a preset warp: vvenc has faster fast medium"
    ):
        compare(clip, ["a.nerv"], against=["vvenc"], codec_preset="warp")


def test_nothing_to_compare_is_refused(clip: FakeClip) -> None:
    with pytest.raises(InputError, match=r"at least one \.nerv file"):
        compare(clip, [])
