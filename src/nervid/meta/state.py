"""The resumable state of meta-training: a safetensors file whose metadata is JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from nervid.container.format import crc32c
from nervid.errors import OutputError
from nervid.meta.curve import CurvePoint
from nervid.meta.progress import Averages


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaState:
    """Where learning stands after a step."""

    step: int
    """Learning steps taken."""
    seconds: float
    """Time spent on them."""
    skipped: int
    """Steps in a row whose gradient was not finite."""
    tensors: Mapping[str, Tensor] = field(repr=False)
    """Weights, rates and the optimizers' moments by name."""
    points: list[CurvePoint] = field(default_factory=list)
    """The curve so far."""
    averages: Averages = field(default_factory=Averages)
    """Means of the steps since its last point."""

    def save(self, path: Path, *, key: str) -> None:
        """Write the state beside ``path`` and rename it into place.

        Args:
            path: Target, replaced in one step.
            key: Names corpus and options; a state is only read back under the same key.

        Raises:
            OutputError: If the file cannot be written.
        """
        meta: dict[str, Any] = {
            "key": key,
            "step": self.step,
            "seconds": self.seconds,
            "skipped": self.skipped,
            "points": [asdict(point) for point in self.points],
            "averages": asdict(self.averages),
        }
        text = json.dumps(meta)
        beside = path.with_name(path.name + ".new")
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.tensors.items()}
        try:
            save_file(tensors, beside, metadata={"nervid": text, "checksum": _checksum(text, tensors)})
            beside.replace(path)
        except (OSError, SafetensorError) as error:
            raise OutputError(
                f"cannot write the state {path}: {error}; free space, then run again"
            ) from error

    @classmethod
    def read(cls, path: Path, *, key: str) -> "MetaState | None":
        """Return the state at ``path``, or None if there is none, it is damaged or has another key."""
        try:
            with safe_open(path, framework="pt") as file:
                about = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, ValueError):
            return None
        text = about.get("nervid", "{}")
        if about.get("checksum") != _checksum(text, tensors):
            return None
        meta = json.loads(text)
        if meta["key"] != key:
            return None
        return cls(
            step=meta["step"],
            seconds=meta["seconds"],
            skipped=meta["skipped"],
            tensors=tensors,
            points=[CurvePoint(**point) for point in meta["points"]],
            averages=Averages(**meta["averages"]),
        )


def _checksum(text: str, tensors: Mapping[str, Tensor]) -> str:
    """CRC-32C of everything in a state: a flipped bit must not become part of what is learned."""
    checksum = crc32c(text.encode())
    for name, tensor in sorted(tensors.items()):
        checksum = crc32c(name.encode() + tensor.numpy().tobytes(), checksum)
    return f"{checksum:08x}"
