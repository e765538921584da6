"""The script that learns the shipped initializations: what it writes, and that it can be stopped."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from benchmarks import train_initializations
from benchmarks.meta_clips import Stripes, synthetic
from benchmarks.train_initializations import CONFIGS, OUT_OF_TIME, SMALLEST, learn, main
from nervid.fit.trainer import Interrupted
from nervid.initializations import Initialization
from nervid.initializations.library import shipped_file
from nervid.meta.config import MetaConfig

CONFIG = SMALLEST["hnerv"]


def files(folder: Path) -> dict[str, Path]:
    return {
        "target": folder / "data" / "meta-hnerv.safetensors",
        "curve": folder / "curve.jsonl",
        "state": folder / "state.safetensors",
    }


def learned(folder: Path, stop: threading.Event) -> Path:
    return learn(
        Stripes(CONFIG.size, CONFIG.frames),
        CONFIG,
        **files(folder),
        held_out_windows=[synthetic(CONFIG.size, CONFIG.frames, phase=9)],
        corpus_key="stripes",
        stop=stop,
    )


def test_what_is_learned_says_how(tmp_path: Path) -> None:
    initialization = Initialization.load(learned(tmp_path, threading.Event()))
    assert initialization.config.name == "hnerv"
    provenance: Any = initialization.provenance
    assert provenance["command"] == "python -m benchmarks.train_initializations"
    assert provenance["corpus"] == "docs/initialization-data.md"
    assert provenance["steps"] == CONFIG.steps
    curve = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text().splitlines()]
    assert [row["step"] for row in curve] == [1, 2]
    assert curve[-1]["held_out_db"] > 5


def test_a_stopped_learning_keeps_its_state(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        learned(tmp_path, stop)
    assert files(tmp_path)["state"].is_file()
    assert not files(tmp_path)["target"].exists()


def test_stopping_asks_for_another_call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object) -> Path:
        raise Interrupted

    monkeypatch.setattr(train_initializations, "train", stopped)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert main(["--families", "nerv"]) == OUT_OF_TIME
    assert capsys.readouterr().err.startswith("stopped and saved; the same command goes on: python -m")


def test_steps_and_families_are_those_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[str, int]] = []

    def train(family: str, config: MetaConfig, _: threading.Event) -> Path:
        asked.append((family, config.steps))
        path = tmp_path / "a"
        path.write_bytes(b"x")
        return path

    monkeypatch.setattr(train_initializations, "train", train)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert main([]) == 0
    assert main(["--families", "nerv", "--steps", "7"]) == 0
    assert asked == [*((family, config.steps) for family, config in CONFIGS.items()), ("nerv", 7)]


def test_every_family_has_a_place_in_the_package() -> None:
    assert [shipped_file(family).name for family in CONFIGS] == [
        "meta-hnerv.safetensors",
        "meta-nerv.safetensors",
    ]
    assert all(config.model == family for family, config in CONFIGS.items())
