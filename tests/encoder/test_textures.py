"""Files of clips that move: textures and motion from encoding to frames in any order."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nervid
from nervid.container import MODL, NervFile
from nervid.fit.trainer import Interrupted
from tests.encoder.fresh import psnr_when_played

SIZE = 9000


@pytest.fixture(scope="module")
def moving() -> np.ndarray:
    """A pattern of random spots that goes two columns to the right a frame, uint8 [14, 64, 96, 3]."""
    rng = np.random.default_rng(1)
    spots = rng.random((20, 40, 3)).repeat(4, axis=0).repeat(4, axis=1)
    kernel = np.ones(5) / 5
    for axis in (0, 1):
        spots = np.apply_along_axis(np.convolve, axis, spots, kernel, mode="same")
    wide = (255 * (spots - spots.min()) / np.ptp(spots)).astype(np.uint8)
    return np.stack([wide[8:72, 40 - 2 * index : 136 - 2 * index] for index in range(14)])


def encode(frames: np.ndarray, **options: Any) -> nervid.Encoded:  # noqa: ANN401
    chosen: dict[str, Any] = {"model": "nervid", "size": f"{SIZE}B", "epochs": 24} | options
    return nervid.encode(nervid.read(np.ascontiguousarray(frames)), **chosen)


def network_of(data: bytes) -> dict[str, Any]:
    with NervFile.open(io.BytesIO(data)) as file:
        described: dict[str, Any] = json.loads(file.read(MODL, 0))["model"]
    return described


@pytest.fixture(scope="module")
def encoded(moving: np.ndarray) -> nervid.Encoded:
    return encode(moving)


def test_what_moves_has_textures_and_what_stays_has_none(encoded: nervid.Encoded, moving: np.ndarray) -> None:
    assert network_of(encoded.data)["texture_channels"] == 3
    still = encode(moving[:1].repeat(4, axis=0), epochs=2)
    assert "texture_channels" not in network_of(still.data)


def test_textures_stay_within_the_size_and_gain_much(
    encoded: nervid.Encoded, moving: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 0.7 * SIZE <= len(encoded.data) <= SIZE
    monkeypatch.setattr("nervid.fit.rd.motion.LEAST_GAIN_DB", 1000.0)
    without = encode(moving)
    assert "texture_channels" not in network_of(without.data)
    assert encoded.report.psnr_db > without.report.psnr_db + 2


def test_a_fresh_process_draws_frames_in_any_order(
    encoded: nervid.Encoded, moving: np.ndarray, tmp_path: Path
) -> None:
    played = psnr_when_played(encoded, moving, tmp_path)
    assert played == pytest.approx(encoded.report.psnr_db, abs=0.05)


def test_a_picture_between_two_frames_lies_between_them(
    moving: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Anchors are frames 0, 15 and 30 of a clip that goes there and back.
    monkeypatch.setattr("nervid.fit.rd.motion.TEXTURE_SPANS", (24,))
    there_and_back = np.concatenate([moving, moving[::-1], moving[:3]])
    data = encode(there_and_back, size="16kB", epochs=14).data
    assert network_of(data)["texture_span"] == 24
    video = nervid.open(io.BytesIO(data))
    for first in (4, 14, 15):
        mixed = video.mix(first, first + 1, 0.5).numpy().astype(float)
        ends = [video[index].numpy().astype(float) for index in (first, first + 1)]
        apart = np.abs(ends[0] - ends[1]).mean()
        assert all(np.abs(mixed - end).mean() < max(apart, 2.0) for end in ends)


def test_a_stopped_fit_goes_on_to_the_same_file(moving: np.ndarray, tmp_path: Path) -> None:
    whole = encode(moving, epochs=6).data
    asked = iter([False] * 20)
    with pytest.raises(Interrupted):
        nervid.encode(
            nervid.read(moving),
            model="nervid",
            size=f"{SIZE}B",
            epochs=6,
            workdir=tmp_path / "work",
            should_stop=lambda: next(asked, True),
        )
    again = nervid.encode(
        nervid.read(moving), model="nervid", size=f"{SIZE}B", epochs=6, workdir=tmp_path / "work"
    )
    assert again.data == whole


def test_segments_that_begin_with_the_one_before_may_differ_in_textures(moving: np.ndarray) -> None:
    frames = np.concatenate([moving[:7], moving[6:7].repeat(7, axis=0)])
    data = encode(frames, epochs=4, init="previous", max_segment_frames=7, size="12kB").data
    with NervFile.open(io.BytesIO(data)) as file:
        networks = [json.loads(file.read(MODL, segment))["model"] for segment in (0, 1)]
    assert ["texture_channels" in network for network in networks] == [True, False]
    assert nervid.open(io.BytesIO(data))[:].shape == (14, 3, 64, 96)
