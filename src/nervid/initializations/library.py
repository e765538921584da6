"""Where initializations are: shipped with nervid, in the user's cache, in a named file."""

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Final

from nervid.errors import InputError
from nervid.initializations.file import LARGEST_FILE
from nervid.initializations.initialization import Initialization
from nervid.teachers.weights import cache_folder, checksum

META: Final = "meta"
"""Name of the initialization that ships with nervid, one for each family."""
SUFFIX: Final = ".safetensors"
FOLDERS_VARIABLE: Final = "NERVID_INITIALIZATIONS"
"""Environment variable: more files and folders to look in, with ``os.pathsep`` between them."""


def shipped_file(family: str) -> Path:
    """Return where the initialization of a family lies that ships with nervid, if there is one."""
    return Path(str(resources.files("nervid.data"))) / f"{META}-{family}{SUFFIX}"


def user_folder() -> Path:
    """Return the folder in which a user's initializations are looked for."""
    return cache_folder() / "initializations"


def find(name: str, family: str) -> Initialization:
    """Return the initialization that a user named.

    Args:
        name: "meta" for the shipped one, or the path of a file.
        family: Name of the network family that is wanted.

    Raises:
        InputError: If there is none of that name, its file is damaged, or it is of another family.
    """
    if name == META:
        path = shipped_file(family)
        if not path.is_file():
            raise InputError(f"no initialization of {family} ships with this nervid; use init FILE or random")
    else:
        path = Path(name)
        if not path.is_file():
            raise InputError(
                f"init must be random, meta, previous, auto or a file, got {name!r}: no such file"
            )
    initialization = Initialization.load(path)
    if initialization.config.name != family:
        raise InputError(
            f"{path}: an initialization of {initialization.config.name}, wanted one of {family}; "
            f"name another file, or --model {initialization.config.name}"
        )
    return initialization


def title(name: str, family: str) -> str:
    """Return what a file calls the initialization that :func:`find` returns: no path of anyone's machine."""
    return f"{META}-{family}" if name == META else Path(name).stem[:200]


def find_by_sha256(sha256: str, *, name: str) -> Initialization:
    """Return the initialization whose file has this checksum, for decoding what was stored relative to it.

    Looked for among the shipped files, in ``user_folder()`` and in what ``NERVID_INITIALIZATIONS`` lists.
    Nothing is downloaded.

    Args:
        sha256: 64 lower-case hexadecimal digits.
        name: What the .nerv file calls it, for the message.

    Raises:
        InputError: If none of them has it; says where to put it.
    """
    for path in _known_files():
        with suppress(OSError, InputError):
            status = path.stat()
            if status.st_size <= LARGEST_FILE and (
                sha256 == _checksum(path, status.st_size, status.st_mtime_ns)
            ):
                initialization = _load(path, status.st_size, status.st_mtime_ns)
                if initialization.sha256 == sha256:
                    return initialization
    raise InputError(
        f"the file needs the initialization {name} with SHA-256 {sha256}, which is not here; put its "
        f"{SUFFIX} file into {user_folder()}, or name its path in {FOLDERS_VARIABLE}"
    )


def _known_files() -> Iterator[Path]:
    places = [Path(str(resources.files("nervid.data"))), user_folder()]
    places += [Path(place) for place in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if place]
    for place in places:
        yield from sorted(place.glob(f"*{SUFFIX}")) if place.is_dir() else [place]


# Files that did not change are read once: a data set opens many files that need the same one.
@lru_cache(maxsize=256)
def _checksum(path: Path, size: int, changed: int) -> str:
    return checksum([path])


@lru_cache(maxsize=4)
def _load(path: Path, size: int, changed: int) -> Initialization:
    return Initialization.load(path)
