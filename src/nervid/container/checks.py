"""Checks of single values of the header's JSON, with one form of message."""

import reprlib
from collections.abc import Mapping
from typing import Any

from nervid.errors import InputError


def item(document: dict[str, Any], name: str, prefix: str = "") -> Any:  # noqa: ANN401 (JSON)
    """Return one member of a JSON object, which must have it."""
    if name not in document:
        raise InputError(f"header field {prefix}{name}: missing; encode the video again")
    return document[name]


def wrong(name: str, wanted: str, value: object) -> InputError:
    """Return the error of a field that is not what was wanted."""
    return InputError(f"header field {name}: wanted {wanted}, got {reprlib.repr(value)}")


def check_int(name: str, value: object, low: int, high: int) -> None:
    """Refuse anything but an int (bool is none) in [low, high]."""
    if type(value) is not int or not low <= value <= high:
        raise wrong(name, f"an integer from {low} to {high}", value)


def check_text(name: str, value: object) -> None:
    """Refuse anything but str."""
    if not isinstance(value, str):
        raise wrong(name, "text", value)


def check_object(name: str, value: object) -> None:
    """Refuse anything but a mapping with str keys."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise wrong(name, "an object with text keys", value)
