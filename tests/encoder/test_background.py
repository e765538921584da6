"""Files of a camera that stands still: a background from encoding to frames in any order."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nervid
from nervid.container import MODL, WGHT, NervFile
from nervid.models.config import NervidConfig, from_json
from tests.encoder.fresh import psnr_when_played

SIZE = 6000


@pytest.fixture(scope="module")
def watched() -> np.ndarray:
    """A room of random spots in which a bright square walks, uint8 [40, 64, 96, 3]."""
    rng = np.random.default_rng(1)
    room = rng.random((32, 48, 3)).repeat(2, axis=0).repeat(2, axis=1)
    frames = (160 * room).astype(np.uint8)[None].repeat(40, axis=0)
    for index, frame in enumerate(frames):
        frame[20:36, 2 * index : 2 * index + 16] = 230
    return frames


def encode(frames: np.ndarray, **options: Any) -> nervid.Encoded:  # noqa: ANN401
    chosen: dict[str, Any] = {"model": "nervid", "size": f"{SIZE}B", "epochs": 10} | options
    return nervid.encode(nervid.read(frames), **chosen)


def section_of(encoded: nervid.Encoded, tag: str) -> bytes:
    with NervFile.open(io.BytesIO(encoded.data)) as file:
        return file.read(tag, 0)


def network_of(encoded: nervid.Encoded) -> NervidConfig:
    config = from_json(json.loads(section_of(encoded, MODL))["model"])
    assert isinstance(config, NervidConfig)
    return config


@pytest.fixture(scope="module")
def encoded(watched: np.ndarray) -> nervid.Encoded:
    return encode(watched)


def test_what_stays_is_said_once(encoded: nervid.Encoded) -> None:
    config = network_of(encoded)
    assert not config.texture_channels
    assert (config.grid_stages, config.grid_channels) == ((0, 1, 1, 2, 3), (8, 8, 4, 4, 3))
    assert config.grid_spans == (2, 8, 33, 40, 40)
    assert [grid.shape[0] for grid in config.feature_grids] == [21, 6, 3, 1, 1]
    assert config.feature_grids[-1].shape == (1, 3, 32, 48)


def test_a_background_gains_much_and_stays_within_the_size(
    encoded: nervid.Encoded, watched: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 0.7 * SIZE <= len(encoded.data) <= SIZE
    monkeypatch.setattr("nervid.fit.rd.motion.LEAST_STILL_SHARE", 2.0)
    without = encode(watched)
    assert network_of(without).grid_stages == (0, 1, 1, 2)
    assert encoded.report.psnr_db > without.report.psnr_db + 1


def test_a_fresh_process_draws_frames_in_any_order(
    encoded: nervid.Encoded, watched: np.ndarray, tmp_path: Path
) -> None:
    played = psnr_when_played(encoded, watched, tmp_path)
    assert played == pytest.approx(encoded.report.psnr_db, abs=0.05)


def test_what_changes_everywhere_and_what_is_short_has_none(watched: np.ndarray) -> None:
    noise = np.random.default_rng(2).integers(0, 256, watched.shape, dtype=np.uint8)
    for frames in (noise, watched[:39]):
        assert network_of(encode(frames, epochs=1)).grid_stages == (0, 1, 1, 2)


def test_a_fit_starts_from_a_file_without_a_background(
    encoded: nervid.Encoded, watched: np.ndarray, tmp_path: Path
) -> None:
    noise = np.random.default_rng(2).integers(0, 256, watched.shape, dtype=np.uint8)
    other = encode(noise, epochs=1).save(tmp_path / "other.nerv")
    started, fresh = (encode(watched, epochs=1, init=start) for start in (str(other), "random"))
    assert network_of(started) == network_of(encoded)
    # Beside what the header says of the start, the weights are others.
    assert section_of(started, WGHT) != section_of(fresh, WGHT)
