"""Model configs as JSON objects, written canonically and read strictly."""

from dataclasses import Field, fields
from reprlib import repr as short_repr
from typing import Any, Final, get_args, get_origin

from nervid.errors import FormatError, InputError
from nervid.models.config.base import is_left_out, may_be_left_out
from nervid.models.config.hnerv import HnervConfig
from nervid.models.config.latent_inr import LatentInrConfig
from nervid.models.config.nerv import NervConfig
from nervid.models.config.nervid import NervidConfig

ModelConfig = NervConfig | HnervConfig | LatentInrConfig | NervidConfig

_FAMILIES: Final[dict[str, type[ModelConfig]]] = {
    family.name: family for family in (NervConfig, HnervConfig, LatentInrConfig, NervidConfig)
}
_LARGEST_NUMBER: Final = 2**53  # what every JSON reader keeps exactly
_CURE: Final = "the file is damaged, or written by another nervid"


def to_json(config: ModelConfig) -> dict[str, object]:
    """Describe ``config`` as a JSON object: the family's name and every field, defaults included.

    Only fields with the metadata ``left_out_at_default()`` are left out at their default.

    Args:
        config: A representation.

    Returns:
        Strings, booleans, integers, floats and lists of integers only. Python's shortest float notation
        reads back as the same float, so nothing is lost in text.
    """
    described: dict[str, object] = {"name": config.name}
    for entry in fields(config):
        value = getattr(config, entry.name)
        if not is_left_out(entry, value):
            described[entry.name] = list(value) if isinstance(value, tuple) else value
    return described


def from_json(described: object) -> ModelConfig:
    """Rebuild the config that ``to_json`` described.

    Args:
        described: A JSON value from a file, not trusted.

    Returns:
        The equal config.

    Raises:
        FormatError: If it is not an object with exactly the family's fields, each of the right type and
            within its limits.
    """
    if not isinstance(described, dict):
        raise FormatError(f"model: expected an object, got {type(described).__name__}; {_CURE}")
    name = described.get("name")
    family = _FAMILIES.get(name) if isinstance(name, str) else None
    if family is None:
        raise FormatError(f"model: expected name {' or '.join(_FAMILIES)}, got {_named(name)}; {_CURE}")
    entries = [entry for entry in fields(family) if entry.name in described or not may_be_left_out(entry)]
    wanted = {"name", *(entry.name for entry in entries)}
    if wrong := wanted.symmetric_difference(described):
        kind = "has no" if wrong & wanted else "has an unknown"
        odd = min(wrong & wanted) if wrong & wanted else _named(min(wrong, key=str))
        raise FormatError(f"model: {name} {kind} field {odd}; {_CURE}")
    values: dict[str, Any] = {entry.name: _read(entry, described[entry.name]) for entry in entries}
    try:
        return family(**values)
    except InputError as error:
        raise FormatError(f"model: {error}; {_CURE}") from error


def _read(entry: "Field[Any]", value: object) -> object:
    """One field's value with its declared type, or FormatError; the range is the config's own check."""
    if is_left_out(entry, value):
        raise FormatError(f"model: field {entry.name} must be left out where it is {value!r}; {_CURE}")
    if entry.type is float and type(value) in (int, float) and _is_exact(value):
        return float(value)  # type: ignore[arg-type]
    if entry.type is int and type(value) is int and _is_exact(value):
        return value
    if entry.type is bool and type(value) is bool:
        return value
    if get_origin(entry.type) is tuple and isinstance(value, list):
        if all(type(item) is int and _is_exact(item) for item in value):
            return tuple(value)
    elif isinstance(value, str) and value in get_args(entry.type):
        return value
    raise FormatError(f"model: field {entry.name} cannot be {_named(value)}; {_CURE}")


def _is_exact(value: Any) -> bool:  # noqa: ANN401 - called once its type is known to be a number
    """Whether a number is finite and small enough to be kept exactly; false for NaN."""
    return bool(-_LARGEST_NUMBER <= value <= _LARGEST_NUMBER)


def _named(value: object) -> str:
    """A short description that no value can blow up: Python refuses to print very long integers."""
    if isinstance(value, int) and not _is_exact(value):
        return "so large a number"
    return short_repr(value) if isinstance(value, str | float | None) else f"this {type(value).__name__}"
