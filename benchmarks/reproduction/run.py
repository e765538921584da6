"""RowRun: one row from its first step to its measured file, over as many calls as it takes."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from benchmarks.bars import Hardware
from benchmarks.reproduction.budget import Budget
from benchmarks.reproduction.playing import play_apart
from benchmarks.reproduction.quality import Quality, measure
from benchmarks.reproduction.records import Record
from benchmarks.reproduction.rows import PaperRow
from benchmarks.reproduction.state import RowState
from nervid._version import __version__
from nervid.compress.streams import encode_tensors
from nervid.container import canonical_json, save
from nervid.decoder.half import find_half_from
from nervid.decoder.network import load_network, model_to_json
from nervid.encoder.assemble import assemble
from nervid.encoder.job import CodedSegment
from nervid.fit.precision import Precision, autocast_dtype
from nervid.fit.recipe import RECIPES, Effort
from nervid.fit.segment import FittedSegment, Hooks, SegmentPlan, fit_float, fit_segment
from nervid.fit.trainer import FitProgress, Interrupted
from nervid.models.config import to_json
from nervid.models.sizing import embedding_count, parameter_count
from nervid.video import Clip

SAVE_SECONDS = 60.0
"""Time between two checkpoints: what a kill loses. (A call that ends in time saves and loses nothing.)"""
MEASURE_SECONDS, FILE_SECONDS = 30.0, 60.0
"""Time to have left for measuring a network, and for coding, playing and measuring a file, on a GPU."""
CPU_SECONDS_PER_MEGAPIXEL = 0.4
"""Time that either takes longer on a CPU, for each million pixels of the clip; on two cores."""
SAY_SECONDS = 20.0
"""Time between two lines of progress."""

Result = TypeVar("Result")


class OutOfTimeError(Exception):
    """The call's time is over; everything is kept for the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How rows are run and what is said about it."""

    device: str
    """Where to fit and play: "cpu", "cuda"."""
    seed: int
    """Seeds initialization and the order of frames."""
    precision: Precision
    """Type of the convolutions while fitting."""
    command: str
    """What to type to measure this row again."""
    commit: str
    """The code that measures."""
    hardware: Hardware
    """The machine that measures."""


class RowRun:
    """One row.

    The folder keeps a checkpoint, the .nerv file and ``state.json``: what is measured so far, and the seconds
    that each part took, over all calls.

    Args:
        row: What to fit.
        clip: The row's frames.
        setting: How.
        folder: Where work is kept; created.
        budget: The call's time.
        say: Takes lines of progress.
    """

    def __init__(
        self,
        row: PaperRow,
        clip: Clip,
        setting: Setting,
        folder: Path,
        budget: Budget,
        say: Callable[[str], None],
    ) -> None:
        self._row, self._clip, self._setting = row, clip, setting
        self._folder, self._budget, self._say = folder, budget, say
        self._plan = SegmentPlan(
            model=row.model,
            recipe=RECIPES[row.recipe],
            effort=Effort(epochs=row.epochs, minimum_steps=1),
            bits=row.bits,
            sparsity=row.sparsity,
            target_bytes=None,
            seed=setting.seed,
            precision=setting.precision,
            device=setting.device,
        )
        on_cpu = torch.device(setting.device).type == "cpu"
        pixels = len(clip) * row.model.height * row.model.width
        self._longer = CPU_SECONDS_PER_MEGAPIXEL * pixels / 1e6 if on_cpu else 0.0
        self._steps = dict(
            zip(("fit", "finetune"), self._plan.effort.steps(len(clip), self._plan.recipe), strict=True)
        )
        self._state = RowState.read(folder, repr(self._plan))
        self._state.calls += 1
        if setting.commit not in self._state.commits:
            self._state.commits.append(setting.commit)
        self._state.write()

    @property
    def file(self) -> Path:
        """The .nerv file, once there is one."""
        return self._folder / f"{self._row.name}.nerv"

    def forget(self) -> None:
        """Remove what was kept for later calls, but not the file: the row is finished."""
        self._state.forget()
        self._checkpoint.unlink(missing_ok=True)

    def measure_network(self) -> Record:
        """Fit in float weights and measure the network; return the row's record, its file still missing.

        Raises:
            OutOfTimeError: When the call's time is over.
            InputError: If the fit keeps diverging.
            OutputError: If the folder cannot be written.
        """
        if self._state.network is None:
            frames = self._frames()
            network = self._to_end("fit", lambda hooks: fit_float(frames, self._plan, hooks), MEASURE_SECONDS)
            with self._state.timed("measure"):
                place = torch.device(self._setting.device)
                quality = measure(
                    lambda index: network(torch.tensor([index], device=place))[0], frames.to(place)
                )
            self._state.network = asdict(quality)
            self._state.write()
            self._say(f"{self._row.name}: network {_describe(quality)}")
        return self._record()

    def measure_file(self) -> Record:
        """Prune, quantize, fine-tune and code the network, play the file apart; return the whole record.

        Raises:
            OutOfTimeError: When the call's time is over.
            InputError: If the fit keeps diverging, or the file does not play.
            OutputError: If the folder cannot be written.
        """
        if self._state.file is None:
            frames = self._frames()
            fitted = self._to_end(
                "finetune", lambda hooks: fit_segment(frames, self._plan, hooks), FILE_SECONDS
            )
            with self._state.timed("code"):
                save(self._coded(fitted), self.file)
            with self._state.timed("play"):
                originals = self._folder / "frames.npy"
                np.save(originals, frames.permute(0, 2, 3, 1).numpy())
                try:
                    self._state.file = play_apart(self.file, originals, self._setting.device)
                finally:
                    originals.unlink()
            self._state.write()
            facts = self._state.file
            self._say(
                f"{self._row.name}: file of {facts['size_bytes']} bytes, {facts['bits_per_pixel']:.4f} bpp, "
                f"{facts['psnr_8bit_db']:.2f} dB"
            )
        return self._record()

    @property
    def _checkpoint(self) -> Path:
        return self._folder / "fit.safetensors"

    def _frames(self) -> UInt8[Tensor, "frames 3 height width"]:
        return torch.from_numpy(self._clip.load()).permute(0, 3, 1, 2)

    def _to_end(self, phase: str, fit: Callable[[Hooks], Result], seconds_after: float) -> Result:
        """Run ``fit`` to its end if the time allows what follows it, too, on a GPU ``seconds_after``.

        The state one step before the end of the phase is kept: whatever happens afterwards, a later call, or
        the next phase, goes on from there.
        """
        seconds_after += self._longer
        last: FitProgress | None = None
        paused = False
        said = time.monotonic()

        def on_step(progress: FitProgress) -> None:
            nonlocal last, said
            last = progress
            if time.monotonic() - said > SAY_SECONDS:
                said = time.monotonic()
                self._say(self._line(progress))

        def should_stop() -> bool:
            nonlocal paused
            if not paused and last is not None and (last.phase, last.step) == (phase, self._steps[phase] - 1):
                paused = True
                return True
            return self._budget.is_spent()

        hooks = Hooks(
            on_step=on_step, should_stop=should_stop, checkpoint=self._checkpoint, save_seconds=SAVE_SECONDS
        )
        with self._state.timed(phase):
            try:
                result = fit(hooks)
            except Interrupted:
                if not paused or not self._budget.allows(seconds_after):
                    raise OutOfTimeError from None
                result = fit(replace(hooks, should_stop=None))
        if not self._budget.allows(seconds_after):
            raise OutOfTimeError
        if last is not None:
            self._state.restarts[phase] = last.restarts
        return result

    def _line(self, progress: FitProgress) -> str:
        where = f"{self._row.name}: {progress.phase} {progress.step}/{progress.steps}"
        return f"{where}, {progress.psnr_db:.2f} dB, {progress.frames_per_second:.1f} frames/s"

    def _coded(self, fitted: FittedSegment) -> bytes:
        """The bytes of the file, made as :func:`nervid.encode` makes them."""
        config, count = fitted.config, len(self._clip)
        modl, wght = canonical_json(model_to_json(config)), encode_tensors(fitted.weights)
        embd = encode_tensors(fitted.embeddings) if fitted.embeddings else None
        network = load_network(modl, wght, embd, frames=count).to(self._setting.device)
        segment = CodedSegment(
            modl=canonical_json(model_to_json(config, find_half_from(network, range(count)))),
            wght=wght,
            embd=embd,
            psnr_db=0.0,
            parameters=parameter_count(config) + embedding_count(config),
        )
        return assemble(self._clip, [range(count)], [segment], {"nervid": __version__, "row": self._row.name})

    def _record(self) -> Record:
        """Everything about the row, for its JSON file."""
        row, setting, config = self._row, self._setting, self._row.model
        network = self._state.network
        assert network is not None, "the record comes after the network"
        least = row.least_psnr_db
        dtype = autocast_dtype(setting.precision, torch.device(setting.device))
        seconds = {part: round(value, 2) for part, value in self._state.seconds.items()}
        return {
            "name": row.name,
            "table": row.table,
            "label": row.label,
            "published_psnr_db": row.published_psnr_db,
            "met": None if least is None else network["psnr_db"] >= least,
            "network": network,
            "file": self._state.file,
            "parameters": parameter_count(config),
            "embedding_numbers": embedding_count(config),
            "model": to_json(config),
            "recipe": {"name": row.recipe, **asdict(self._plan.recipe)},
            "epochs": row.epochs,
            "steps": self._steps,
            "sparsity": row.sparsity,
            "bits": row.bits,
            "seed": setting.seed,
            "precision": "float32" if dtype is None else "bfloat16",
            "restarts": self._state.restarts,
            "seconds": {**seconds, "total": round(sum(self._state.seconds.values()), 2)},
            "calls": self._state.calls,
            "command": setting.command,
            "commit": ", ".join(self._state.commits),
            "device": setting.device,
            "hardware": asdict(setting.hardware),
            "torch": torch.__version__,
        }


def _describe(quality: Quality) -> str:
    structure = "" if quality.ms_ssim is None else f", MS-SSIM {quality.ms_ssim:.4f}"
    return f"{quality.psnr_db:.2f} dB{structure}"
