"""The resumable state of meta-training: a safetensors file whose metadata is JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from nervid.errors import OutputError
from nervid.meta.curve import CurvePoint


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
        }
        beside = path.with_name(path.name + ".new")
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.tensors.items()}
        try:
            save_file(tensors, beside, metadata={"nervid": json.dumps(meta)})
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
                meta = json.loads((file.metadata() or {}).get("nervid", "{}"))
                if meta.get("key") != key:
                    return None
                return cls(
                    step=int(meta["step"]),
                    seconds=float(meta["seconds"]),
                    skipped=int(meta["skipped"]),
                    tensors={name: file.get_tensor(name) for name in file.keys()},  # noqa: SIM118
                    points=[CurvePoint(**point) for point in meta["points"]],
                )
        except (OSError, SafetensorError, ValueError, KeyError, TypeError):
            return None
