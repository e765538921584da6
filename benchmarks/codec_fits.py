"""Encodings of the codec benchmark: saved, and played by a fresh process."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch

import nervid
from benchmarks.bars import commit
from benchmarks.codec_clips import Original
from benchmarks.codec_play import play, play_apart, save
from benchmarks.meta_runs import Facts, Run, Runs, code_version, key_of
from nervid.encoder.progress import EncodeProgress

DECIDING: Final = ("compress", "container", "decoder", "encoder", "fit", "initializations", "models")
"""Folders of the library whose code decides what a file holds and how fast it is made and played."""
_PROGRESS_SECONDS: Final = 1.0
"""Time between two points of a fit's progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long an encoding may take; one of the three."""

    preset: str | None = None
    epochs: int | None = None
    seconds: float | None = None
    """What is asked of ``--time``."""

    @property
    def options(self) -> dict[str, Any]:
        """The keywords of ``nervid.encode`` that ask for it."""
        options = {"preset": self.preset, "epochs": self.epochs}
        options["time"] = None if self.seconds is None else f"{self.seconds:g}s"
        return {name: value for name, value in options.items() if value is not None}

    def __str__(self) -> str:
        if self.epochs is not None:
            return f"{self.epochs} epochs"
        return self.preset or f"{self.seconds:g} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """All that decides a file, beside the frames and the code."""

    network: str
    size_bytes: int
    """Bytes that are asked for."""
    effort: Effort
    seed: int = 1


def encoded(job: Encoding, original: Original, keep_as: Path | None = None, is_apart: bool = True) -> Facts:
    """Encode a clip, save it, have it played and measured.

    Args:
        job: What is asked for.
        original: The clip.
        keep_as: Where the file stays; None throws it away.
        is_apart: Whether a fresh process plays it; not for toys.

    Returns:
        What :func:`benchmarks.codec_play.play` finds, and ``parameters``, ``seconds`` of the call of
        ``nervid.encode``, ``threads`` that it had, ``device``, ``commit``, ``progress``: pairs of seconds
        and the running PSNR in dB.
    """
    progress: list[tuple[float, float]] = []
    result = nervid.encode(
        original.clip,
        model=job.network,
        size=f"{job.size_bytes}B",
        seed=job.seed,
        on_progress=_collector(progress),
        **job.effort.options,
    )
    with tempfile.TemporaryDirectory() as name:
        path = result.save(keep_as or Path(name) / "a.nerv")
        originals = save(original.frames, Path(name) / "original.npz")
        played = (play_apart if is_apart else play)(path, originals)
    facts = {
        "asked": job.size_bytes,
        **played,
        "psnr_db": round(played["psnr_db"], 4),
        "ms_ssim": None if played["ms_ssim"] is None else round(played["ms_ssim"], 5),
        "parameters": result.report.parameters,
        "seconds": round(result.report.seconds, 2),
        "threads": torch.get_num_threads(),
        "device": result.report.device,
        "commit": commit(),
    }
    shown = f"{original.name} {original.size}, {job.network}, {job.effort}"
    print(f"{shown}: {facts}", flush=True)
    return facts | {"progress": progress}


@dataclass(frozen=True, slots=True, kw_only=True)
class Encodings:
    """Encodes, as its runs do work, and remembers what came out."""

    runs: Runs
    code: str | None = None
    """Version of the code of which finished encodings are taken; None means this one."""
    is_apart: bool = True
    """Whether fresh processes play the files; not for toys."""

    def outcomes(self, jobs: Sequence[Encoding], original: Original) -> list[Facts]:
        """Return what :func:`encoded` finds for each job, in order; some may be known already."""
        version = self.code or code_version(folders=DECIDING)
        runs = [
            Run(
                key=key_of(asdict(job), version, original.content),
                arguments=(job, original, None, self.is_apart),
            )
            for job in jobs
        ]
        return self.runs.outcomes(encoded, runs)


def _collector(points: list[tuple[float, float]]) -> Callable[[EncodeProgress], None]:
    """Return what adds seconds and running PSNR to ``points``, about once a second."""

    def collect(progress: EncodeProgress) -> None:
        last = points[-1][0] if points else float("-inf")
        if progress.elapsed_seconds >= last + _PROGRESS_SECONDS:
            points.append((round(progress.elapsed_seconds, 2), round(progress.fit.psnr_db, 3)))

    return collect
