"""A name leads to one teacher, or to one line that says what names there are."""

import sys
from pathlib import Path

import pytest

from nervid.errors import InputError, MissingExtraError
from nervid.teachers import TeacherRecord, load_recorded, load_teacher


@pytest.mark.parametrize("name", ["", "clip", "./models/clip", "/no/such/folder", "a/b/c", "a b/c", "-a/b"])
def test_a_name_that_leads_nowhere_lists_what_would(name: str) -> None:
    with pytest.raises(InputError) as caught:
        load_teacher(name)
    assert str(caught.value) == (
        f"no teacher named {name!r}: wanted conse, a folder with a CLIP or SigLIP model, or its name on the "
        "hub, such as openai/clip-vit-base-patch32"
    )


def test_a_folder_goes_before_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "openai" / "clip").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        InputError, match=r"^teacher clip: openai/clip lacks config.json, preprocessor_config.json"
    ):
        load_teacher("openai/clip")


def test_without_transformers_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'nervid\[search\]'"):
        load_teacher("openai/clip-vit-base-patch32")


@pytest.mark.parametrize("name", ["", "clip", "/etc", "../x/y", "a/b/c", "-a/b", "a/.."])
def test_a_file_that_names_anything_else_than_a_model_gets_none(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nervid.teachers.load.open_cached", lambda *_, **__: pytest.fail("looked it up"))
    record = TeacherRecord(name=name or " ", revision="12" * 20, sha256="0" * 64, dimension=4)
    with pytest.raises(InputError, match=r"is not on this machine, and files do not get to choose downloads"):
        load_recorded(record)
