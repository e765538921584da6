"""``--init`` and ``--delta`` as a user meets them."""

import json
from pathlib import Path

import pytest

from nervid.cli.main import FAILED, WRONG_USAGE, main
from nervid.initializations import library
from tests.initializations.samples import HNERV, initialization


@pytest.fixture
def learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An initialization in a folder that decoding looks into."""
    monkeypatch.setenv("NERVID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(library.FOLDERS_VARIABLE, str(tmp_path))
    return initialization(HNERV).save(tmp_path / "learned.safetensors")


def test_a_file_of_changes_tells_what_it_needs_and_is_decoded_with_it(
    clip_path: Path, learned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "a.nerv"
    words = ["--model", "hnerv", "--size", "4kB", "--epochs", "1", "--init", str(learned), "--delta"]
    assert main(["encode", str(clip_path), str(output), *words]) == 0
    sha256 = initialization(HNERV).sha256
    capsys.readouterr()
    assert main(["info", str(output), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["initialization"] == {"name": "learned", "sha256": sha256}
    assert facts["provenance"]["options"] == {
        "model": "hnerv",
        "size": "4kB",
        "epochs": 1,
        "init": "learned",
        "delta": True,
    }
    assert main(["info", str(output)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"initialization learned, needed for decoding its SHA-256 {sha256}" in shown
    assert main(["decode", str(output), str(tmp_path / "a.npy")]) == 0
    learned.unlink()
    capsys.readouterr()
    assert main(["decode", str(output), str(tmp_path / "b.npy")]) == WRONG_USAGE
    printed = capsys.readouterr().err
    assert len(printed.strip().splitlines()) == 1
    assert f"needs the initialization learned with SHA-256 {sha256}, which is not here" in printed
    assert not (tmp_path / "b.npy").exists()


def test_a_file_without_changes_needs_nothing(nerv_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(nerv_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["initialization"] is None


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--init", "none.safetensors", "--model", "hnerv"], "got 'none.safetensors': no such file"),
        (["--init", "LEARNED", "--model", "nerv"], "an initialization of hnerv, wanted one of nerv"),
        (
            ["--init", "LEARNED"],
            "an initialization of hnerv, wanted one of nervid; name another file, or --model hnerv",
        ),
        (["--delta"], "delta is for the models hnerv and nerv, got nervid; omit it, or add the model hnerv"),
        (["--delta", "--model", "nerv"], "delta stores changes from an initialization, got init random"),
        (["--delta", "--init", "previous", "--model", "hnerv"], "got init previous"),
    ],
)
def test_a_start_that_is_none_is_one_line(
    words: list[str], line: str, clip_path: Path, learned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = learned.with_name("out.nerv")
    words = [str(learned) if word == "LEARNED" else word for word in words]
    assert main(["encode", str(clip_path), str(output), *words]) in (WRONG_USAGE, FAILED)
    printed = capsys.readouterr().err
    assert len(printed.strip().splitlines()) == 1
    assert line in printed
    assert not output.exists()
