"""Initializations are found by name, by path, and by the checksum that a file gives."""

import os
from pathlib import Path

import pytest

from nervid.errors import InputError
from nervid.initializations import library

from .samples import NERV, initialization


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NERVID_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(library.FOLDERS_VARIABLE, raising=False)
    folder = library.user_folder()
    folder.mkdir(parents=True)
    return folder


def test_a_path_is_read_and_must_be_of_the_family_asked_for(tmp_path: Path) -> None:
    path = initialization().save(tmp_path / "mine.v2.safetensors")
    assert library.find(str(path), "hnerv").config == initialization().config
    assert library.title(str(path), "hnerv") == "mine.v2"
    with pytest.raises(InputError) as caught:
        library.find(str(path), "nerv")
    assert str(caught.value) == (
        f"{path}: an initialization of hnerv, wanted one of nerv; name another file, or --model hnerv"
    )
    with pytest.raises(InputError, match="init must be random, meta, previous, auto or a file, got 'best'"):
        library.find("best", "hnerv")


def test_meta_is_the_shipped_file_of_the_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert library.shipped_file("nerv").name == "meta-nerv.safetensors"
    monkeypatch.setattr(library, "shipped_file", lambda family: tmp_path / f"meta-{family}.safetensors")
    with pytest.raises(InputError, match="no initialization of nerv ships with this nervid; use init FILE"):
        library.find("meta", "nerv")
    initialization(NERV).save(tmp_path / "meta-nerv.safetensors")
    assert library.find("meta", "nerv").config == NERV
    assert library.title("meta", "nerv") == "meta-nerv"


def test_a_checksum_is_found_in_the_cache_and_in_what_the_variable_lists(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, other = initialization(seed=11), initialization(seed=12)
    (cache / "broken.safetensors").write_bytes(b"no")
    (cache / "folder.safetensors").mkdir()
    other.save(cache / "other.safetensors")
    with pytest.raises(InputError) as caught:
        library.find_by_sha256(wanted.sha256, name="meta-hnerv")
    assert str(caught.value) == (
        f"the file needs the initialization meta-hnerv with SHA-256 {wanted.sha256}, which is not here; put "
        f"its .safetensors file into {cache}, or name its path in NERVID_INITIALIZATIONS"
    )
    path = wanted.save(tmp_path / "anything.safetensors")
    for places in ([str(tmp_path)], [str(tmp_path / "none"), str(path)]):
        monkeypatch.setenv(library.FOLDERS_VARIABLE, os.pathsep.join(places))
        assert library.find_by_sha256(wanted.sha256, name="").sha256 == wanted.sha256
    monkeypatch.delenv(library.FOLDERS_VARIABLE)
    path.rename(cache / "moved.safetensors")
    assert library.find_by_sha256(wanted.sha256, name="").sha256 == wanted.sha256


def test_a_file_with_the_checksum_that_is_no_initialization_is_not_taken(cache: Path) -> None:
    (cache / "a.safetensors").write_bytes(b"words")
    from nervid.teachers.weights import checksum

    with pytest.raises(InputError, match="which is not here"):
        library.find_by_sha256(checksum([cache / "a.safetensors"]), name="a")


def test_a_file_that_changed_is_read_anew(cache: Path) -> None:
    path = initialization(seed=13).save(cache / "a.safetensors")
    first = initialization(seed=13).sha256
    assert library.find_by_sha256(first, name="").sha256 == first
    initialization(seed=14).save(path)
    os.utime(path, ns=(1, 1))
    with pytest.raises(InputError, match="which is not here"):
        library.find_by_sha256(first, name="")
