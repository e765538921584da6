"""Fits that start from learned weights."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import nervid
from nervid.container import MODL
from nervid.encoder.progress import EncodeProgress
from nervid.errors import InputError
from nervid.initializations import Initialization
from nervid.models.config import ModelConfig, from_json
from tests.encoder.learned import FAMILIES, header_of


def config_of(encoded: nervid.Encoded) -> ModelConfig:
    with nervid.NervFile.open(io.BytesIO(encoded.data)) as file:
        return from_json(json.loads(file.read(MODL, 0))["model"])


@pytest.mark.parametrize("family", FAMILIES)
def test_learned_weights_give_a_better_file_in_the_same_steps(
    tiny_clip: nervid.Clip, files: dict[str, Path], learned: dict[str, Initialization], family: str
) -> None:
    options: dict[str, Any] = {"size": "6kB", "epochs": 1, "model": family}
    plain = nervid.encode(tiny_clip, **options)
    started = nervid.encode(tiny_clip, **options, init=str(files[family]))
    assert started.report.psnr_db > plain.report.psnr_db + 0.3
    assert 0.97 * 6000 <= len(started.data) <= 6000
    config = config_of(started)
    assert config.strides == learned[family].config.strides
    assert header_of(started).initialization is None
    provenance = header_of(started).provenance
    assert provenance["options"]["init"] == family
    assert provenance["initialization"] == {"name": family, "sha256": learned[family].sha256}
    assert str(files[family].parent).encode() not in started.data


def test_auto_goes_without_an_initialization_where_none_ships_but_not_for_changes(
    tiny_clip: nervid.Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("nervid.initializations.library", "nervid.encoder.named"):
        monkeypatch.setattr(f"{module}.shipped_file", lambda family: tmp_path / "none")
    encoded = nervid.encode(tiny_clip, model="hnerv", size="4kB", init="auto", epochs=1)
    assert "initialization" not in header_of(encoded).provenance
    for options in ({"init": "auto", "delta": True}, {"init": "meta"}):
        with pytest.raises(InputError, match="no initialization of hnerv ships with this nervid"):
            nervid.encode(tiny_clip, model="hnerv", size="4kB", **options)


def test_another_file_under_the_same_path_starts_the_work_afresh(
    tiny_clip: nervid.Clip, files: dict[str, Path], learned: dict[str, Initialization], tmp_path: Path
) -> None:
    config = nervid.EncodeConfig(model="hnerv", size="6kB", epochs=1, init=str(files["hnerv"]))
    first = nervid.encode(tiny_clip, config, workdir=tmp_path / "job")
    resumed: list[EncodeProgress] = []
    nervid.encode(tiny_clip, config, workdir=tmp_path / "job", on_progress=resumed.append)
    assert resumed == []
    halved = {name: weight / 2 for name, weight in learned["hnerv"].weights.items()}
    replace(learned["hnerv"], weights=halved).save(files["hnerv"])
    second = nervid.encode(tiny_clip, config, workdir=tmp_path / "job", on_progress=resumed.append)
    assert len(resumed) == 5
    assert second.data != first.data


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"init": "perfect"}, "init must be random, meta, previous, auto or a file, got 'perfect': no such"),
        (
            {"init": "NERV"},
            "an initialization of nerv, wanted one of hnerv; name another file, or --model nerv",
        ),
        ({"init": "BROKEN"}, "the file is damaged, copy it again"),
        ({"init": "OTHER"}, "is not an initialization; name a file made for --init"),
        (
            {"init": "NERV", "model": "nervid"},
            "an initialization of nerv, wanted one of nervid; name another file, or --model nerv",
        ),
        (
            {"init": "meta", "model": "nervid"},
            "got nervid; use init random, previous or a .nerv file, or add the model hnerv",
        ),
        ({"init": "previous", "model": "latent-inr"}, "is for the models hnerv and nerv, got latent-inr"),
        ({"delta": True}, "delta stores changes from an initialization, got init random; use init meta"),
        ({"delta": True, "init": "previous"}, "got init previous; use init meta, auto or a file"),
    ],
)
def test_a_start_that_is_none_is_one_line_before_any_fitting(
    options: dict[str, Any], line: str, tiny_clip: nervid.Clip, files: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "other").write_bytes(b"words")
    (tmp_path / "broken").write_bytes(files["hnerv"].read_bytes()[:-1])
    paths = {"NERV": files["nerv"], "BROKEN": tmp_path / "broken", "OTHER": tmp_path / "other"}
    options = {"model": "hnerv"} | {
        name: str(paths[value]) if name == "init" and value in paths else value
        for name, value in options.items()
    }
    with pytest.raises(InputError) as caught:
        nervid.encode(tiny_clip, size="6kB", on_progress=lambda progress: pytest.fail("fitted"), **options)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_start_whose_smallest_network_is_too_large_says_what_it_needs(
    tiny_clip: nervid.Clip, files: dict[str, Path]
) -> None:
    with pytest.raises(InputError, match=r"need at least \d+ bytes for the smallest hnerv network"):
        nervid.encode(tiny_clip, model="hnerv", size="900B", init=str(files["hnerv"]))
