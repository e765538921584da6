"""The header's reference to the initialization that a file's weights are changes from."""

import re
from dataclasses import dataclass
from typing import Any

from nervid.container.checks import item, wrong

INITIALIZATION = "initialization"
"""The field that only files with changed weights have."""
CHANGES_SCHEMA = 2
"""Schema of headers with that field, and the newest one read: a reader that ignored it would draw something
else, so readers that know only schema 1 must refuse it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InitializationReference:
    """The initialization from whose weights a file's sections WGHT hold changes."""

    name: str
    """What people call it: 1 to 200 printable characters."""
    sha256: str
    """SHA-256 of its file, 64 lower-case hexadecimal digits."""

    def __post_init__(self) -> None:
        _check_reference(self.name, self.sha256)


def read_reference(document: dict[str, Any]) -> InitializationReference | None:
    """Return the reference that schema 2 has and schema 1 has not."""
    if document["schema"] < CHANGES_SCHEMA:
        if INITIALIZATION in document:
            raise wrong(INITIALIZATION, f"schema {CHANGES_SCHEMA} with it", document["schema"])
        return None
    value = item(document, INITIALIZATION)
    if not isinstance(value, dict):
        raise wrong(INITIALIZATION, "an object with name and sha256", value)
    name, sha256 = (item(value, key, f"{INITIALIZATION}.") for key in ("name", "sha256"))
    _check_reference(name, sha256)
    return InitializationReference(name=name, sha256=sha256)


def _check_reference(name: object, sha256: object) -> None:
    """Refuse a reference that no person could read or no file could meet."""
    if not isinstance(name, str) or not 1 <= len(name) <= 200 or not name.isprintable():
        raise wrong(f"{INITIALIZATION}.name", "1 to 200 printable characters", name)
    if not isinstance(sha256, str) or re.fullmatch("[0-9a-f]{64}", sha256) is None:
        raise wrong(f"{INITIALIZATION}.sha256", "64 lower-case hexadecimal digits", sha256)
