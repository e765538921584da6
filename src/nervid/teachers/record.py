"""The record of a teacher: what a file says about the network that it was aligned to."""

import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass

from nervid.errors import CorruptSectionError, InputError

MAX_DIMENSION = 4096
MAX_NAME = 200
"""Characters in a name or a revision."""
LOCAL = "local"
"""Revision of a teacher that was loaded from a folder."""
_FIELDS = ("name", "revision", "sha256", "dimension")


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherRecord:
    """Which teacher it was, exactly; every field is checked on construction.

    Raises:
        InputError: If a field has the wrong type or is out of range; the message names it.
    """

    name: str
    """What `load_teacher` takes, or the last part of it for a folder; 1 to 200 printable characters."""
    revision: str
    """Commit of a hub, ``local`` for a folder, a version for a built-in teacher; 1 to 200 characters."""
    sha256: str
    """SHA-256 over the teacher's weights, 64 lower-case hexadecimal digits."""
    dimension: int
    """Numbers in one vector, 1 to 4096."""

    def __post_init__(self) -> None:
        _check_fields(self.to_json())

    def to_json(self) -> dict[str, str | int]:
        """Return the fields as a JSON object; `from_json` is the inverse."""
        return {field: getattr(self, field) for field in _FIELDS}

    @classmethod
    def from_json(cls, value: object) -> "TeacherRecord":
        """Check a JSON value, as read from a file, and return the record.

        Raises:
            CorruptSectionError: If it is no object with exactly the four fields, or a field is not valid.
        """
        if not isinstance(value, dict) or set(value) != set(_FIELDS):
            wanted = f"an object with {', '.join(_FIELDS)}"
            raise CorruptSectionError(f"teacher record: wanted {wanted}, got {_shown(value)}; {_ADVICE}")
        try:
            _check_fields(value)
        except InputError as error:
            raise CorruptSectionError(f"{error}; {_ADVICE}") from None
        return cls(**value)


_ADVICE = "the file is damaged, re-download or re-encode it"


def _check_fields(fields: Mapping[str, object]) -> None:
    for field in ("name", "revision"):
        text = fields[field]
        fits = isinstance(text, str) and 1 <= len(text) <= MAX_NAME and text.isprintable()
        _check(fits, field, text, f"1 to {MAX_NAME} printable characters")
    digest = fields["sha256"]
    is_digest = isinstance(digest, str) and re.fullmatch("[0-9a-f]{64}", digest) is not None
    _check(is_digest, "sha256", digest, "64 lower-case hexadecimal digits")
    dimension = fields["dimension"]
    # A bool is an int to Python, not to JSON.
    is_whole = isinstance(dimension, int) and not isinstance(dimension, bool)
    in_range = is_whole and dimension in range(1, MAX_DIMENSION + 1)
    _check(in_range, "dimension", dimension, f"a whole number, 1 to {MAX_DIMENSION}")


def _check(holds: bool, field: str, value: object, wanted: str) -> None:
    if not holds:
        raise InputError(f"teacher record: {field} must be {wanted}, got {_shown(value)}")


def _shown(value: object) -> str:
    """A value from a file, short and on one line."""
    return reprlib.repr(value).encode("ascii", "backslashreplace").decode()
