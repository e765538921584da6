"""What each part of meta-training brings: short learnings that differ in one choice, and how fast one is."""

import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from benchmarks.meta_clips import Frames, Stripes
from benchmarks.meta_corpus import training_corpus
from benchmarks.meta_curves import FEW_STEPS, Row
from benchmarks.meta_fits import Fit, Trial, measure
from benchmarks.meta_runs import DECIDING, WORK, Facts, Run, Runs, code_version, key_of
from nervid.meta.config import MetaConfig
from nervid.meta.train import MetaProgress, WindowSource, meta_train
from nervid.meta.windows import Windows

ABLATED: Final = MetaConfig(model="hnerv", size=64, tasks=1, steps=200)
"""What every arm changes in one or two places; one window a step, so that steps are cheap."""
ARMS: Final[Mapping[str, Mapping[str, Any]]] = {
    "plain": {"coarse_weight": 0.0, "progressive": False},
    "spatial": {"progressive": False},
    "temporal": {"coarse_weight": 0.0},
    "spatial and temporal (default)": {},
    "inner steps along the gradient": {"inner": "gradient"},
    "only the last step's loss": {"every_step_weight": 0.0},
    "second-order": {"method": "second-order"},
    "reptile": {"method": "reptile"},
}
"""Names of arms, each with its choices."""
FIRST_SHOTS: Final = 16
"""Shots that windows take turns with; each is replaced after as many windows."""
STEPS: Final = (0, FEW_STEPS, 100)
"""Steps after which held-out clips are measured."""


def learned(config: MetaConfig, target: str, is_toy: bool) -> Facts:
    """Learn an initialization, from the corpus or from stripes, and save it.

    Returns:
        ``seconds`` of learning, without those in which the first shots are decoded.
    """
    with nullcontext(Stripes(config.size, config.frames)) if is_toy else windows_of(config) as windows:
        decode_first(windows)
        started = time.perf_counter()
        meta_train(windows, config).save(target)
        return {"seconds": round(time.perf_counter() - started, 1)}


def windows_of(config: MetaConfig) -> Windows:
    """Return windows of the shipped initializations' corpus."""
    return Windows(
        training_corpus(), height=config.size, width=config.size, frames=config.frames, seed=config.seed
    )


def decode_first(windows: WindowSource) -> None:
    """Wait until all shots that windows take turns with at first are decoded."""
    for number in range(FIRST_SHOTS):
        windows.window(number)


def ablation(
    runs: Runs,
    *,
    clips: Mapping[str, Frames],
    trial: Trial,
    folder: Path = WORK,
    base: MetaConfig = ABLATED,
    arms: Mapping[str, Mapping[str, Any]] = ARMS,
    seeds: Sequence[int] = (1,),
    steps: Sequence[int] = STEPS,
    is_toy: bool = False,
) -> list[Row]:
    """Learn every arm, each for the same number of steps, and fit held-out clips from it.

    Args:
        runs: Does the work.
        clips: Held-out clips, squares of ``base.size`` pixels.
        trial: How random weights take a few steps, for the row that they have.
        folder: Keeps what was learned.
        base: What arms change.
        arms: Choices of each.
        seeds: Learned once for each; fits have the same seed.
        steps: After which clips are measured, from 0 on.
        is_toy: Learn from stripes.

    Returns:
        One row an arm, and one for random weights: seconds of learning, mean PSNR over clips and seeds after
        so many steps of the recipe quick, learned first steps included.
    """
    code = code_version(folders=(*DECIDING, "meta"))
    jobs = []
    for choices in arms.values():
        for seed in seeds:
            config = replace(base, seed=seed, **choices)
            key = key_of(sorted(asdict(config).items()), is_toy, code)
            jobs.append(Run(key=key, arguments=(config, str(folder / f"ablation-{key}.safetensors"), is_toy)))
    learning = runs.outcomes(learned, jobs)
    rows = []
    for place, name in enumerate(arms):
        own = slice(place * len(seeds), (place + 1) * len(seeds))
        seconds = statistics.mean(facts["seconds"] for facts in learning[own])
        files = [str(job.arguments[1]) for job in jobs[own]]
        row: Row = {"arm": name, "learning steps": base.steps, "learning_seconds": round(seconds, 1)}
        rows.append(row | _fitted(runs, "learned", files, clips, seeds, steps, base.size, trial))
    files = [str(job.arguments[1]) for job in jobs[: len(seeds)]]
    rows.append(
        {"arm": "random weights"} | _fitted(runs, "random", files, clips, seeds, steps, base.size, trial)
    )
    return rows


def _fitted(
    runs: Runs,
    start: str,
    files: Sequence[str],
    clips: Mapping[str, Frames],
    seeds: Sequence[int],
    steps: Sequence[int],
    size: int,
    trial: Trial,
) -> Row:
    """Mean PSNR of all clips after each number of steps."""
    row: Row = {}
    for count in steps:
        fits = [
            Fit(
                initialization=file,
                clip=clip,
                size=size,
                start="learned" if start == "learned" else "random",
                steps=count,
                seed=seed,
                trial=trial if start == "random" and 0 < count <= FEW_STEPS else None,
            )
            for file, seed in zip(files, seeds, strict=True)
            for clip in clips
        ]
        found = measure(runs, fits, clips)
        row[f"after_{count}_db"] = round(statistics.mean(psnr_db for psnr_db, _ in found), 3)
    return row | {"clips": len(clips), "seeds": len(seeds)}


def learning_time(windows: WindowSource, config: MetaConfig) -> tuple[float, float]:
    """Learn once, by all threads of this process.

    Returns:
        Seconds until the first learning step is taken, in which the first shots are decoded and the first
        inner rate is chosen; and the mean time of a step after that one, decoding of further shots included.
    """
    times: list[float] = []
    started = time.perf_counter()
    decode_first(windows)

    def note(_: MetaProgress) -> None:
        times.append(time.perf_counter())

    meta_train(windows, config, on_progress=note)
    return times[0] - started, (times[-1] - times[0]) / (len(times) - 1)
