"""Initialization: the starting weights of one family, learned over many clips, in memory and as a file."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from nervid.errors import InputError, OutputError
from nervid.initializations.file import LARGEST_FILE, read_file, write_file
from nervid.models.config import HnervConfig, ModelConfig, NervConfig, NervidConfig
from nervid.models.inner import InnerStep
from nervid.models.registry import build_empty, build_encoder

NETWORK: Final = "network."
"""What the names of a network's weights begin with in a file and in ``rates``."""
ENCODER: Final = "encoder."
"""The same for the weights of HNeRV's encoder."""

Weights = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Initialization:
    """Starting weights for networks of one family, whatever their widths, resolution and number of frames.

    Raises:
        InputError: If names or shapes are not those of the network that ``config`` describes, a number is
            not finite as a float16, or a rate has no such weight.
    """

    config: ModelConfig
    """The network that was learned; HNeRV, NeRV or our own."""
    weights: Weights
    """Its weights by name, as ``build(config).named_weights()`` names them; float32 on the CPU, every number
    one that float16 has: what is given is rounded."""
    encoder: Weights = field(default_factory=dict)
    """Those of ``build_encoder(config)``, rounded alike; HNeRV's alone."""
    rates: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Learned rates of the first steps, one a step, keys ``network.<name>`` and ``encoder.<name>``; may be
    empty."""
    inner: InnerStep = "muon"
    """Direction of those steps."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """How it was learned, any JSON object; informative only."""
    _digest: str | None = field(default=None, init=False)
    """SHA-256 of the file it was read from; None if it was not."""

    def __post_init__(self) -> None:
        if not isinstance(self.config, HnervConfig | NervConfig | NervidConfig):
            raise InputError(
                f"an initialization is of a network hnerv, nerv or nervid, got {self.config.name}"
            )
        network, encoder = shapes_of(self.config)
        object.__setattr__(self, "weights", _rounded(NETWORK, self.weights, network))
        object.__setattr__(self, "encoder", _rounded(ENCODER, self.encoder, encoder))
        known = {NETWORK + name for name in network} | {ENCODER + name for name in encoder}
        for name, rates in self.rates.items():
            if name not in known or not all(map(isfinite, rates)):
                raise InputError(f"initialization: {name!r:.80} cannot have the learning rates {rates}")

    @property
    def sha256(self) -> str:
        """SHA-256 of the file's bytes, 64 lower-case hexadecimal digits."""
        return self._digest or hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """Return the bytes of the file: safetensors, tensors in float16, the rest in its metadata.

        Raises:
            InputError: If ``provenance`` cannot be written as JSON.
        """
        tensors = {NETWORK + name: tensor for name, tensor in self.weights.items()}
        tensors |= {ENCODER + name: tensor for name, tensor in self.encoder.items()}
        return write_file(self.config, tensors, self.rates, self.inner, dict(self.provenance))

    @classmethod
    def from_bytes(cls, data: bytes, *, source: str = "initialization") -> "Initialization":
        """Undo :meth:`to_bytes`; nothing in the bytes is trusted, unpickled or executed.

        Args:
            data: A whole file, at most ``LARGEST_FILE`` bytes.
            source: Its name, for messages.

        Raises:
            InputError: If it is some other file, damaged, or written by a newer nervid.
        """
        content = read_file(data, source)
        weights, encoder = (
            {
                name.removeprefix(part): tensor
                for name, tensor in content.tensors.items()
                if name.startswith(part)
            }
            for part in (NETWORK, ENCODER)
        )
        try:
            if len(weights) + len(encoder) != len(content.tensors):
                raise InputError("initialization: it has a tensor of no known part")
            initialization = cls(
                content.config, weights, encoder, content.rates, content.inner, content.provenance
            )
        except InputError as error:
            raise InputError(f"{source}: {error}; the file is damaged, copy it again") from None
        return initialization._with_digest(hashlib.sha256(data).hexdigest())

    def save(self, path: str | Path) -> Path:
        """Write the file beside ``path`` and rename it into place; return the path.

        Raises:
            OutputError: If it cannot be written.
        """
        target = Path(path)
        beside = target.with_name(target.name + ".new")
        try:
            beside.write_bytes(self.to_bytes())
            beside.replace(target)
        except OSError as error:
            raise OutputError(f"cannot write {target}: {error.strerror}; choose another path") from error
        return target

    @classmethod
    def load(cls, path: str | Path) -> "Initialization":
        """Read a file.

        Raises:
            InputError: If it cannot be read, or as :meth:`from_bytes`.
        """
        source = Path(path)
        try:
            size = source.stat().st_size
            if size > LARGEST_FILE:
                raise InputError(
                    f"{source}: an initialization has at most {LARGEST_FILE} bytes, got {size}; name another"
                )
            data = source.read_bytes()
        except OSError as error:
            raise InputError(
                f"cannot read the initialization {source}: {error.strerror}; name another"
            ) from error
        return cls.from_bytes(data, source=str(source))

    def _with_digest(self, digest: str) -> "Initialization":
        object.__setattr__(self, "_digest", digest)
        return self

    def __repr__(self) -> str:
        count = sum(tensor.numel() for tensor in (*self.weights.values(), *self.encoder.values()))
        return f"Initialization({self.config.name}, {count} numbers)"

    def __reduce__(self) -> tuple[Callable[..., "Initialization"], tuple[bytes, str]]:
        # As a file, not as tensors: torch would hand those to another process by descriptors of its own.
        return _restored, (self.to_bytes(), self.sha256)


def shapes_of(config: ModelConfig) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    """Return the shapes of a network's weights and of its encoder's by name, in order."""
    network = {name: tuple(weight.shape) for name, weight in build_empty(config).named_weights()}
    if not isinstance(config, HnervConfig):
        return network, {}
    # Not on the "meta" device: there its random numbers load torch's compiler, a second and a half.
    encoder = build_encoder(config)
    return network, {name: tuple(weight.shape) for name, weight in encoder.named_parameters()}


def _rounded(part: str, given: Weights, wanted: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Check one part's tensors and round them to float16's numbers, in the order of ``wanted``."""
    if odd := sorted(wanted.keys() ^ given.keys()):
        lacks = "has no" if odd[0] in wanted else "has an unknown"
        raise InputError(f"initialization: it {lacks} tensor {part + odd[0]!r:.80}")
    rounded = {}
    for name, shape in wanted.items():
        tensor = given[name].detach()
        if tuple(tensor.shape) != shape:
            raise InputError(
                f"initialization: wanted {part}{name} of shape {list(shape)}, got {list(tensor.shape)}"
            )
        half = tensor.to("cpu", torch.float16)
        if not bool(torch.isfinite(half).all()):
            raise InputError(f"initialization: {part}{name} has a number that is not finite in float16")
        rounded[name] = half.to(torch.float32).contiguous()
    return rounded


def _restored(data: bytes, digest: str) -> Initialization:
    return Initialization.from_bytes(data)._with_digest(digest)
