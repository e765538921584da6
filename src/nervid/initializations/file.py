"""The bytes of an initialization: safetensors, tensors in float16, described by JSON in its metadata."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from nervid.container import canonical_json
from nervid.errors import FormatError, InputError
from nervid.models.config import ModelConfig, from_json, to_json
from nervid.models.inner import InnerStep

FORMAT: Final = 1
"""Version of the description that is written, and the newest one read."""
LARGEST_FILE: Final = 1 << 28
"""Most bytes of a file that is read; one of HNeRV-3M with its encoder has about 7 million."""
LARGEST_HEAD: Final = 1 << 20
"""Most bytes of what stands in front of the tensors."""
LARGEST_RATE: Final = 1e6
"""Largest magnitude of a learning rate that is read."""
MOST_STEPS: Final = 64
"""Most steps that have rates of their own."""
KEY: Final = "nervid"
"""The one key of the file's metadata."""

_LENGTH = struct.Struct("<Q")
_CURE: Final = "the file is damaged, copy it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a file says, its types checked; whether names and shapes fit the network is not."""

    config: ModelConfig
    tensors: Mapping[str, Tensor]
    """float16, any shapes."""
    rates: dict[str, tuple[float, ...]]
    inner: InnerStep
    provenance: dict[str, Any]


def write_file(
    config: ModelConfig,
    tensors: Mapping[str, Tensor],
    rates: Mapping[str, tuple[float, ...]],
    inner: InnerStep,
    provenance: dict[str, Any],
) -> bytes:
    """Return the bytes of a file; the tensors are stored in float16.

    Raises:
        InputError: If ``provenance`` cannot be written as JSON.
    """
    description = canonical_json(
        {
            "format": FORMAT,
            "inner": inner,
            "model": to_json(config),
            "provenance": provenance,
            "rates": {name: list(steps) for name, steps in rates.items()},
        }
    )
    halves = {name: tensor.to(torch.float16).contiguous() for name, tensor in tensors.items()}
    return safetensors.torch.save(halves, metadata={KEY: description.decode()})


def read_file(data: bytes, source: str) -> Content:
    """Undo :func:`write_file`. Memory is bounded by the bytes; nothing is unpickled or executed.

    Args:
        data: Any bytes.
        source: Their name, for messages.

    Raises:
        InputError: If they are some other file, damaged, or from a newer nervid.
    """
    if len(data) > LARGEST_FILE:
        raise InputError(
            f"{source}: an initialization has at most {LARGEST_FILE} bytes, got {len(data)}; name another"
        )
    text = _metadata(data).get(KEY)
    if not isinstance(text, str):
        raise InputError(f"{source} is not an initialization; name a file made for --init")
    description = _object(text)
    version = description.get("format")
    if type(version) is int and version > FORMAT:
        raise InputError(
            f"{source}: format {version} of initializations is newer than {FORMAT}, the newest this nervid "
            "reads; update nervid"
        )
    if version != FORMAT or type(version) is not int:
        raise InputError(f"{source}: its description cannot be read; {_CURE}")
    try:
        config = from_json(description.get("model"))
        tensors = safetensors.torch.load(data)
    except (FormatError, SafetensorError, ValueError, KeyError) as error:
        raise InputError(f"{source}: {str(error).splitlines()[0]:.200}; {_CURE}") from error
    for name, tensor in tensors.items():
        if tensor.dtype != torch.float16:
            raise InputError(f"{source}: wanted tensors in float16, got {name!r:.80} in another; {_CURE}")
    rates, provenance = description.get("rates"), description.get("provenance")
    inner = description.get("inner")
    if inner != "muon" and inner != "gradient":
        raise InputError(f"{source}: its kind of inner steps cannot be read; {_CURE}")
    if not isinstance(rates, dict) or not all(map(_are_rates, rates.values())):
        raise InputError(f"{source}: its learning rates cannot be read; {_CURE}")
    if not isinstance(provenance, dict):
        raise InputError(f"{source}: its provenance cannot be read; {_CURE}")
    return Content(
        config=config,
        tensors=tensors,
        rates={name: tuple(map(float, steps)) for name, steps in rates.items()},
        inner=inner,
        provenance=provenance,
    )


def _metadata(data: bytes) -> dict[str, Any]:
    """The metadata of a safetensors file; empty for anything else.

    Read here because the library gives it for paths alone.
    """
    if len(data) < _LENGTH.size:
        return {}
    (length,) = _LENGTH.unpack_from(data)
    if length > LARGEST_HEAD:
        return {}
    head = _object(data[_LENGTH.size : _LENGTH.size + length].decode("utf-8", errors="replace"))
    metadata = head.get("__metadata__")
    return metadata if isinstance(metadata, dict) else {}


def _are_rates(value: object) -> bool:
    """Whether a value is a list of a few numbers that rates may be."""
    return isinstance(value, list) and len(value) <= MOST_STEPS and all(map(_is_number, value))


def _is_number(value: object) -> bool:
    """Whether a value is a number that a rate may be; false for NaN."""
    return (
        isinstance(value, int | float) and type(value) is not bool and -LARGEST_RATE <= value <= LARGEST_RATE
    )


def _object(text: str) -> dict[str, Any]:
    """The JSON object of a text; empty if it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
