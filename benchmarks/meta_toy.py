"""The smallest run of the meta-learning benchmark: every measurement on stripes, nothing is kept."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from benchmarks.meta_ablation import ABLATED, ablation, learning_time
from benchmarks.meta_clips import Stripes, synthetic
from benchmarks.meta_curves import best_trial, point, steps_to, tune
from benchmarks.meta_delta import files, savings
from benchmarks.meta_runs import Runs
from nervid.meta.train import meta_train

TOY: Final = replace(
    ABLATED, size=64, frames=2, steps=1, tasks=1, inner_steps=1, parameters=20_000, progressive=False
)


def try_out() -> dict[str, Any]:
    """Measure everything on toys and return the rows by part."""
    clips = {f"stripes {phase}": synthetic(TOY.size, TOY.frames, phase=phase) for phase in (5,)}
    windows = {"window 0": synthetic(TOY.size, TOY.frames, phase=7)}
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, Runs(None, workers=0) as runs:
        file = str(Path(name) / "meta.safetensors")
        meta_train(Stripes(TOY.size, TOY.frames), TOY).save(file)
        common: dict[str, Any] = {"family": "hnerv", "initialization": file}
        found["tune"] = tune(
            runs,
            **common,
            size=TOY.size,
            windows=windows,
            trials={"orthogonal": (0.05, 0.2), "gradient": (1.0,), "muon": (0.03,), "adam": (0.004,)},
        )
        trial = best_trial(found["tune"], "hnerv", TOY.size)
        found["curves"] = [
            point(runs, **common, clips=clips, size=TOY.size, steps=steps, seeds=(1, 2), trial=trial)
            for steps in (0, 1, 4)
        ]
        curve = [(row["steps"], row["learned_db"]) for row in found["curves"]]
        found["steps to random's"] = steps_to(curve, found["curves"][-1]["random_db"])
        found["delta"] = files(runs, **common, clips=clips, sizes=(6_000,), epochs=(1,))
        found["savings"] = savings(found["delta"])
        found["ablation"] = ablation(
            runs,
            clips=clips,
            trial=trial,
            folder=Path(name),
            base=TOY,
            arms={"plain": {"coarse_weight": 0.0}},
            steps=(0, 3),
            is_toy=True,
        )
        found["learning_time"] = learning_time(Stripes(TOY.size, TOY.frames), replace(TOY, steps=2))
    return found
