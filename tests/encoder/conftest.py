"""Tiny clips, and small initializations that encoding and decoding find."""

from pathlib import Path

import numpy as np
import pytest

import nervid
from nervid.initializations import Initialization, library
from tests.encoder.learned import FAMILIES, learn


@pytest.fixture
def tiny_clip(tiny_frames: np.ndarray) -> nervid.Clip:
    return nervid.read(tiny_frames, frame_rate=10)


@pytest.fixture(scope="session")
def learned(shared_frames: np.ndarray) -> dict[str, Initialization]:
    """Initializations by family, learned from the tiny frames themselves."""
    return {family: learn(shared_frames, family) for family in FAMILIES}


@pytest.fixture
def files(
    learned: dict[str, Initialization], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Path]:
    """The initialization of each family in a file that decoding finds."""
    folder = tmp_path / "initializations"
    folder.mkdir()
    monkeypatch.setenv("NERVID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(library.FOLDERS_VARIABLE, str(folder))
    return {family: learned[family].save(folder / f"{family}.safetensors") for family in FAMILIES}


@pytest.fixture
def shipped(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The initializations as those that ship with nervid."""
    for module in ("nervid.initializations.library", "nervid.encoder.named"):
        monkeypatch.setattr(f"{module}.shipped_file", files.__getitem__)
