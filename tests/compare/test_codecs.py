"""Conventional codecs: streams that decode to the clip, at the size asked for."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from nervid.compare.codecs import CODECS, CodecRuns, decode, encode
from nervid.compare.codecs.matching import SIZE_TOLERANCE
from nervid.compare.ffmpeg import decode_vvc
from nervid.errors import InputError, MissingExtraError

from .conftest import FakeClip, moving_frames

FASTEST = {"x264": "ultrafast", "x265": "ultrafast", "svtav1": "13", "vvenc": "faster"}


def mean_psnr(clip: FakeClip, decoded: list[np.ndarray]) -> float:
    mse = ((clip.frames.astype(float) - np.stack(decoded)) ** 2).mean(axis=(1, 2, 3))
    return float(np.mean(10 * np.log10(255**2 / mse)))


@pytest.mark.parametrize("name", FASTEST)
def test_frames_come_back_in_order_close_to_the_clip(name: str, clip: FakeClip) -> None:
    coded = encode(clip, CODECS[name], preset=FASTEST[name], crf=15.0)
    decoded = list(decode(coded))
    assert [frame.shape for frame in decoded] == [(64, 64, 3)] * 6
    assert mean_psnr(clip, decoded) > 36
    assert coded.size_bytes == sum(len(packet) for packet in coded.packets) > 0


@pytest.mark.parametrize("name", FASTEST)
def test_an_odd_size_comes_back_as_it_was(name: str) -> None:
    clip = FakeClip(moving_frames(2, 67, 71))
    decoded = list(decode(encode(clip, CODECS[name], preset=FASTEST[name], crf=15.0)))
    assert [frame.shape for frame in decoded] == [(67, 71, 3)] * 2
    assert mean_psnr(clip, decoded) > 34


@pytest.mark.parametrize("name", ["x264", "x265", "svtav1"])
def test_a_lower_quality_takes_fewer_bytes(name: str, clip: FakeClip) -> None:
    runs = CodecRuns(clip, CODECS[name], preset=FASTEST[name])
    assert runs.at(15.0).size_bytes > runs.at(30.0).size_bytes > runs.at(45.0).size_bytes


@pytest.mark.parametrize("name", ["x264", "x265"])
def test_streams_hold_no_note_about_their_encoder(name: str, clip: FakeClip) -> None:
    coded = encode(clip, CODECS[name], preset=FASTEST[name], crf=30.0)
    assert name.encode() not in b"".join(coded.packets)


def test_matching_lands_within_tolerance_and_never_encodes_twice() -> None:
    clip = FakeClip(moving_frames(6, 96, 96))
    lines: list[str] = []
    runs = CodecRuns(clip, CODECS["x264"], preset="ultrafast", progress=lines.append)
    wanted = runs.at(27.3).size_bytes
    assert abs(runs.matching(wanted).size_bytes / wanted - 1) <= SIZE_TOLERANCE
    fresh = CodecRuns(clip, CODECS["x264"], preset="ultrafast", progress=lines.append)
    assert abs(fresh.matching(wanted).size_bytes / wanted - 1) <= 0.03  # few bytes: a size may jump
    once = len(lines)
    fresh.matching(wanted)
    assert len(lines) == once
    assert lines[0] == f"x264 ultrafast, crf 27.3: {wanted} bytes"


@pytest.mark.parametrize(("size_bytes", "setting"), [(1, 51.0), (10**9, 1.0)])
def test_a_size_out_of_reach_gives_the_nearest_end(size_bytes: int, setting: float, clip: FakeClip) -> None:
    assert CodecRuns(clip, CODECS["x264"], preset="ultrafast").matching(size_bytes).crf == setting


def test_a_size_of_nothing_is_refused(clip: FakeClip) -> None:
    with pytest.raises(InputError, match="1 byte or more, got 0"):
        CodecRuns(clip, CODECS["x264"], preset="ultrafast").matching(0)


def test_settings_are_moved_to_what_the_codec_honours(clip: FakeClip) -> None:
    assert CodecRuns(clip, CODECS["x264"], preset="ultrafast").at(30.123).crf == 30.1
    assert CodecRuns(clip, CODECS["svtav1"], preset="13").at(70.0).crf == 63


def test_the_same_setting_gives_the_same_bytes(clip: FakeClip) -> None:
    first, second = (encode(clip, CODECS["x264"], preset="ultrafast", crf=30.0) for _ in range(2))
    assert first.packets == second.packets
    for one, other in zip(decode(first), decode(second), strict=True):
        assert_array_equal(one, other)


def test_a_refusing_encoder_is_one_clear_error(clip: FakeClip) -> None:
    with pytest.raises(InputError, match="x264 cannot encode 6 frames of 64x64 with preset warp"):
        encode(clip, CODECS["x264"], preset="warp", crf=30.0)


def test_encoding_leaves_the_environment_as_it_was(clip: FakeClip, capfd: pytest.CaptureFixture[str]) -> None:
    before = dict(os.environ)
    encode(clip, CODECS["svtav1"], preset="13", crf=40.0)
    assert dict(os.environ) == before
    assert "Svt[info]" not in capfd.readouterr().err


def test_a_damaged_stream_is_one_clear_error() -> None:
    with pytest.raises(InputError, match=r"the H.266 decoder failed \(ffmpeg exit code \d+\)"):
        list(decode_vvc(b"not a stream" * 20, width=64, height=64))


def test_no_ffmpeg_is_a_missing_extra(clip: FakeClip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'nervid\[ffmpeg\]'"):
        encode(clip, CODECS["vvenc"], preset="faster", crf=30.0)


def test_an_ffmpeg_that_does_not_run_is_named(
    clip: FakeClip, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ffmpeg").write_text("not a program", encoding="utf-8")
    monkeypatch.setattr("nervid.compare.ffmpeg.ffmpeg_path", lambda: str(tmp_path / "ffmpeg"))
    with pytest.raises(
        InputError, match=r"cannot run .*/ffmpeg: Permission denied; reinstall imageio-ffmpeg"
    ):
        encode(clip, CODECS["vvenc"], preset="faster", crf=30.0)
