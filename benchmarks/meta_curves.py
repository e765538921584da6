"""PSNR after so many steps, random beside learned weights: rates of random's few steps, curves, crossings."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks.meta_clips import Frames
from benchmarks.meta_fits import Fit, Trial, TrialKind, measure
from benchmarks.meta_runs import Runs
from nervid.fit.recipe import RecipeName

Row = dict[str, Any]

FEW_STEPS: Final = 3
"""Steps up to which random weights are moved by the best trial instead of by the recipe, and for which that
one is chosen; as many as shipped initializations have rates for."""
TRIALS: Final[Mapping[TrialKind, tuple[float, ...]]] = {
    "orthogonal": (0.003, 0.006, 0.01, 0.02, 0.05, 0.1, 0.2),
    "gradient": (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
    "muon": (0.004, 0.008, 0.016, 0.03, 0.06, 0.12, 0.25),
    "adam": (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.03),
}
"""Rates that are tried for random weights."""


def tune(
    runs: Runs,
    *,
    family: str,
    initialization: str,
    size: int,
    windows: Mapping[str, Frames],
    trials: Mapping[TrialKind, Sequence[float]] = TRIALS,
) -> list[Row]:
    """Find the best way to take few steps from random weights, on windows that are not measured later.

    Args:
        runs: Does the fits.
        family: Name for the rows.
        initialization: File whose network is fitted; its weights are not looked at.
        size: Pixels a side.
        windows: What is fitted.
        trials: Kinds of steps, each with its rates.

    Returns:
        One row for each kind: its best rate and the mean PSNR that it reaches, ``best`` in one of them;
        ``at_edge`` where the best rate is the first or last one that was tried.
    """
    tried = [Trial(kind=kind, rate=rate) for kind, rates in trials.items() for rate in rates]
    fits = [
        Fit(
            initialization=initialization,
            clip=clip,
            size=size,
            start="random",
            steps=FEW_STEPS,
            seed=1,
            trial=trial,
        )
        for trial in tried
        for clip in windows
    ]
    found = measure(runs, fits, windows)
    count = len(windows)
    mean = {
        trial: statistics.mean(psnr_db for psnr_db, _ in found[place * count : (place + 1) * count])
        for place, trial in enumerate(tried)
    }
    rows: list[Row] = []
    for kind, rates in trials.items():
        rate = max(rates, key=lambda rate: mean[Trial(kind=kind, rate=rate)])
        row: Row = {"network": family, "size": size, "steps": FEW_STEPS, "kind": kind, "rate": rate}
        row |= {"psnr_db": round(mean[Trial(kind=kind, rate=rate)], 3), "windows": count}
        rows.append(row | {"at_edge": rate in (rates[0], rates[-1]), "best": False})
    max(rows, key=lambda row: row["psnr_db"])["best"] = True
    return rows


def best_trial(rows: Sequence[Row], family: str, size: int) -> Trial:
    """Return what :func:`tune` found best for a family and a size."""
    best = next(row for row in rows if row["best"] and (row["network"], row["size"]) == (family, size))
    return Trial(kind=best["kind"], rate=best["rate"])


def point(
    runs: Runs,
    *,
    family: str,
    initialization: str,
    clips: Mapping[str, Frames],
    size: int,
    steps: int,
    seeds: Sequence[int],
    recipe: RecipeName = "quick",
    trial: Trial,
) -> Row:
    """Fit clips in so many steps from random and from learned weights.

    Args:
        runs: Does the fits.
        family: Name for the row.
        initialization: File of the learned weights.
        clips: What is fitted, by name.
        size: Pixels a side.
        steps: Steps in all; the schedule ends with them.
        seeds: One fit of every clip for each.
        recipe: How steps are taken, those at learned rates aside.
        trial: How random weights take up to ``FEW_STEPS`` steps.

    Returns:
        Means over clips and seeds; ``spread_db``, the standard deviation over seeds of the mean over clips;
        ``gain_db`` of learned over random weights, ``least_gain_db`` that of the clip that gains least; the
        median of the seconds of a fit.
    """
    few = trial if 0 < steps <= FEW_STEPS else None
    row: Row = {"network": family, "size": size, "recipe": recipe, "steps": steps}
    if few is not None:
        row["recipe"] = f"random: {few}"
    by_clip: dict[str, list[float]] = {}
    for start in ("random", "learned"):
        fits = [
            Fit(
                initialization=initialization,
                clip=clip,
                size=size,
                start="learned" if start == "learned" else "random",
                steps=steps,
                seed=seed,
                recipe=recipe,
                trial=few if start == "random" else None,
            )
            for seed in seeds
            for clip in clips
        ]
        found = measure(runs, fits, clips)
        quality = [psnr_db for psnr_db, _ in found]
        count = len(clips)
        means = [statistics.mean(quality[first : first + count]) for first in range(0, len(quality), count)]
        by_clip[start] = [statistics.mean(quality[place::count]) for place in range(count)]
        row[f"{start}_db"] = round(statistics.mean(means), 3)
        row[f"{start}_spread_db"] = round(statistics.stdev(means), 3) if len(means) > 1 else None
        row[f"{start}_seconds"] = round(statistics.median(seconds for _, seconds in found), 2)
    gains = [learned - random for random, learned in zip(*by_clip.values(), strict=True)]
    row["gain_db"] = round(statistics.mean(gains), 3)
    row["least_gain_db"] = round(min(gains), 3)
    return row | {"clips": len(clips), "seeds": len(seeds)}


def steps_to(points: Sequence[tuple[int, float]], wanted_db: float) -> float | None:
    """Return after how many steps a curve reaches a PSNR, between two points on a logarithmic axis of steps.

    Args:
        points: Steps, 0 or more and rising, each with its PSNR in dB.
        wanted_db: What is to be reached.

    Returns:
        Steps; None if the curve stays below.
    """
    before: tuple[int, float] | None = None
    for steps, psnr_db in points:
        if psnr_db >= wanted_db:
            if before is None or before[0] == 0:
                return float(steps)
            share = (wanted_db - before[1]) / (psnr_db - before[1])
            return math.exp(math.log(before[0]) + share * math.log(steps / before[0]))
        before = (steps, psnr_db)
    return None
