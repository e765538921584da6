"""The resumable state of one segment's fit: a safetensors file whose metadata is JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from nervid.compress.quantize import Grid
from nervid.errors import OutputError
from nervid.fit.guard import DivergenceGuard
from nervid.fit.trainer import Trainer, TrainerState


def save_checkpoint(
    path: Path, trainer: Trainer, *, key: str, grids: Mapping[str, Grid], masks: Mapping[str, Tensor]
) -> None:
    """Write the trainer's state beside ``path`` and rename it into place.

    Args:
        path: Target, replaced in one step.
        trainer: The running phase.
        key: Names clip, plan and phase; a checkpoint is only read back under the same key.
        grids: Quantization grids in force, empty before fine-tuning.
        masks: Pruning masks in force, empty before fine-tuning.

    Raises:
        OutputError: If the file cannot be written.
    """
    tensors = {f"now.{name}": tensor for name, tensor in trainer.state_tensors().items()}
    tensors |= {f"good.{name}": tensor for name, tensor in trainer.good[0].items()}
    tensors |= {f"mask.{name}": mask.to(torch.uint8) for name, mask in masks.items()}
    for name, grid in grids.items():
        tensors |= {f"step.{name}": grid.step, f"offset.{name}": grid.offset}
    meta = {
        "key": key,
        "phase": trainer.phase.name,
        "state": asdict(trainer.state),
        "good_step": trainer.good[1],
        "grids": {name: [grid.bits, grid.axis] for name, grid in grids.items()},
    }
    beside = path.with_name(path.name + ".new")
    try:
        save_file(
            {
                name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
                for name, tensor in tensors.items()
            },
            beside,
            metadata={"nervid": json.dumps(meta)},
        )
        beside.replace(path)
    except (OSError, SafetensorError) as error:
        raise OutputError(
            f"cannot write the checkpoint {path}: {error}; free space or pass another output"
        ) from error


class Checkpoint:
    """A checkpoint read back."""

    def __init__(self, meta: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        self._meta, self._tensors = meta, tensors

    @classmethod
    def read(cls, path: Path, *, key: str) -> "Checkpoint | None":
        """Return the checkpoint at ``path``, or None if there is none, it is damaged or has another key."""
        try:
            with safe_open(path, framework="pt") as file:
                meta = json.loads((file.metadata() or {}).get("nervid", "{}"))
                if meta.get("key") != key:
                    return None
                return cls(meta, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
        except (OSError, SafetensorError, ValueError):
            return None

    @property
    def phase(self) -> str:
        """The phase that was running."""
        return str(self._meta["phase"])

    def restore(self, trainer: Trainer) -> None:
        """Put the trainer of the same phase where it was."""
        trainer.load_state_tensors(self._under("now."))
        trainer.good = (self._under("good."), int(self._meta["good_step"]))
        state = dict(self._meta["state"])
        trainer.state = TrainerState(**(state | {"guard": DivergenceGuard(**state["guard"])}))

    def parameters(self) -> dict[str, Tensor]:
        """The parameters that were being fitted."""
        return {
            name.removeprefix("parameter."): tensor
            for name, tensor in self._under("now.").items()
            if name.startswith("parameter.")
        }

    def masks(self) -> dict[str, Tensor]:
        """Pruning masks in force."""
        return {name: mask.to(torch.bool) for name, mask in self._under("mask.").items()}

    def grids(self) -> dict[str, Grid]:
        """Quantization grids in force."""
        steps, offsets = self._under("step."), self._under("offset.")
        return {
            name: Grid(bits=bits, axis=axis, step=steps[name], offset=offsets[name])
            for name, (bits, axis) in self._meta["grids"].items()
        }

    def _under(self, prefix: str) -> dict[str, Tensor]:
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in self._tensors.items()
            if name.startswith(prefix)
        }
