"""Weight files of teachers: where they are kept, and the checksum that names them in a record."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from nervid.errors import InputError

_PIECE_BYTES = 1 << 20


def cache_folder() -> Path:
    """Return the folder for fetched weights: ``$NERVID_CACHE``, or else ``~/.cache/nervid``."""
    chosen = os.environ.get("NERVID_CACHE")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "nervid"


def checksum(files: Iterable[Path]) -> str:
    """Return the SHA-256 over the contents of files, one after the other in the order of their names.

    Raises:
        InputError: If a file cannot be read.
    """
    digest = hashlib.sha256()
    for path in sorted(files, key=lambda path: path.name):
        try:
            with path.open("rb") as file:
                while piece := file.read(_PIECE_BYTES):
                    digest.update(piece)
        except OSError as error:
            raise InputError(f"cannot read the weights {path}: {error.strerror}") from error
    return digest.hexdigest()


def check_weights(name: str, ours: str, wanted: str | None) -> None:
    """Refuse weights that have another checksum than a file says; None wants none.

    Args:
        name: The teacher's, for the message.
        ours: What :func:`checksum` returned.
        wanted: SHA-256 in the record of an aligned file.

    Raises:
        InputError: If they differ.
    """
    if wanted is not None and ours != wanted:
        raise InputError(
            f"teacher {name}: the SHA-256 of its weights is {ours}, wanted {wanted}; its vectors mean "
            "something else, search with the teacher of the file"
        )
