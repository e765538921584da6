"""Parts of the meta-learning benchmark: what is fitted how often, and the bars that it is held to."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np

from benchmarks.bars import ROOT
from benchmarks.meta_ablation import ABLATED, ablation, learning_time, windows_of
from benchmarks.meta_bench import Bench, Tables
from benchmarks.meta_clips import held_out
from benchmarks.meta_curves import FEW_STEPS, Row, point, steps_to, tune
from benchmarks.meta_delta import files, savings
from benchmarks.meta_fits import Fit, draw_fit
from nervid.fit.recipe import RecipeName
from nervid.meta.config import MetaConfig

IMAGES: Final = ROOT / "docs" / "images"
FAMILIES: Final = ("hnerv", "nerv")

SEEDS: Final = (1, 2, 3)
POINTS: Final[Mapping[int, Mapping[int, Sequence[int]]]] = {
    128: {0: SEEDS, 1: SEEDS, 3: SEEDS, 10: SEEDS, 30: SEEDS, 100: SEEDS, 300: SEEDS},
    256: {3: SEEDS, 100: SEEDS},
}
"""Pixels a side: after how many steps, with which seeds."""
MANY_STEPS: Final = 100
REFERENCE_STEPS: Final = 300
"""Steps of random weights whose PSNR learned ones are to reach in a third."""
OTHER_RECIPE: Final[RecipeName] = "hnerv"
"""The published recipe, measured after ``MANY_STEPS`` beside quick."""
CONVERGED_STEPS: Final = 1000
CONVERGED_CLIPS: Final = ("bikes", "cup", "city")
TUNE_WINDOWS: Final = 4
TUNE_SEED: Final = 100
"""Seed of the windows on which random's few steps are tuned; learning has other ones."""
DELTA_CLIPS: Final = ("bikes", "cup", "city")
DELTA_SIZES: Final = (8_000, 16_000, 32_000, 64_000)
DELTA_MORE_SIZES: Final = (128_000,)
"""Further sizes from random weights, so that curves share more of their PSNR."""
DELTA_EPOCHS: Final[Mapping[str, Sequence[int]]] = {"hnerv": (30, 100), "nerv": (30,)}
DELTA_PIXELS: Final = 128
SPEED_STEPS: Final = 50
STRIP_CLIP: Final = "cup"
STRIP_STEPS: Final = (0, 1, 3, 10, 100)
STRIP_PIXELS: Final = 128


def tuned(bench: Bench) -> Tables:
    """Rates of random's few steps, for every family and size that is measured."""
    wanted = [(family, size) for family in bench.initializations for size in POINTS]
    wanted += [(ABLATED.model, ABLATED.size)] if ABLATED.model in bench.initializations else []
    rows: list[Row] = []
    for family, size in wanted:
        with windows_of(MetaConfig(size=size, seed=TUNE_SEED)) as source:
            windows = {f"window {number}": source.window(number) for number in range(TUNE_WINDOWS)}
        initialization = bench.initializations[family]
        found = tune(bench.runs, family=family, initialization=initialization, size=size, windows=windows)
        for row in found:
            print(row, flush=True)
        rows += found
    return {"rows": rows}


def curves(bench: Bench) -> Tables:
    """PSNR after few and after many steps; steps to random's PSNR."""
    rows: list[Row] = []
    for family, initialization in bench.initializations.items():
        for size, points in POINTS.items():
            clips, trial = held_out(size), bench.trial(family, size)
            asked: list[tuple[int, Sequence[int], RecipeName]] = [
                (steps, seeds, "quick") for steps, seeds in points.items()
            ]
            if size == min(POINTS):
                asked += [(steps, points[steps], OTHER_RECIPE) for steps in (MANY_STEPS, REFERENCE_STEPS)]
            own = []
            for steps, seeds, recipe in asked:
                row = point(
                    bench.runs,
                    family=family,
                    initialization=initialization,
                    clips=clips,
                    size=size,
                    steps=steps,
                    seeds=seeds,
                    recipe=recipe,
                    trial=trial,
                )
                print(row, flush=True)
                own.append(row)
            keep_curve(bench, family, size, own)
            rows += own
    return {"rows": rows}


def keep_curve(bench: Bench, family: str, size: int, rows: Sequence[Row]) -> None:
    """Record what was promised of few and of many steps, and of a third of the steps."""
    where = f"{family} {size}x{size}"
    quick = [row for row in rows if row["recipe"] != OTHER_RECIPE]
    for row in quick:
        if row["steps"] == FEW_STEPS:
            gain = row["gain_db"]
            name = f"{where}, {FEW_STEPS} steps: gain over random weights at tuned rates"
            bench.keep(name, gain, "dB", ">= 6", gain >= 6)
    many = [row for row in rows if row["steps"] == MANY_STEPS]
    if many:
        best = max(many, key=lambda row: row["random_db"])
        gain = best["gain_db"]
        name = f"{where}, {MANY_STEPS} steps: gain over random weights, the recipe that suits these"
        bench.keep(name, gain, "dB", ">= 2", gain >= 2)
    for reference in (row for row in rows if row["steps"] == REFERENCE_STEPS):
        recipe = reference["recipe"]
        # The first steps are the same whatever recipe follows.
        own = [row for row in rows if row["recipe"] == recipe or row["steps"] <= FEW_STEPS]
        found = steps_to([(row["steps"], row["learned_db"]) for row in own], reference["random_db"])
        value = float(REFERENCE_STEPS) if found is None else found
        reason = f"not reached in {REFERENCE_STEPS} steps" if found is None else None
        name = f"{where}, recipe {recipe}: steps to what random weights have after {REFERENCE_STEPS}"
        bench.keep(name, value, "steps", "<= 100", found is not None and value <= 100, reason)


def converged(bench: Bench) -> Tables:
    """PSNR after as many steps as there is time for."""
    size, rows = min(POINTS), []
    clips = held_out(size, names=CONVERGED_CLIPS)
    for family, initialization in bench.initializations.items():
        row = point(
            bench.runs,
            family=family,
            initialization=initialization,
            clips=clips,
            size=size,
            steps=CONVERGED_STEPS,
            seeds=SEEDS,
            trial=bench.trial(family, size),
        )
        print(row, flush=True)
        gain = row["gain_db"]
        name = f"{family} {size}x{size}, {CONVERGED_STEPS} steps: gain over random weights"
        bench.keep(name, gain, "dB", ">= -0.1", gain >= -0.1)
        rows.append(row)
    return {"rows": rows}


def delta(bench: Bench) -> Tables:
    """Bytes at equal PSNR."""
    found: Tables = {"rows": [], "files": []}
    clips = held_out(DELTA_PIXELS, names=DELTA_CLIPS)
    for family, initialization in bench.initializations.items():
        encodings = files(
            bench.runs,
            family=family,
            initialization=initialization,
            clips=clips,
            sizes=DELTA_SIZES,
            epochs=DELTA_EPOCHS[family],
            more_sizes=DELTA_MORE_SIZES,
            seeds=SEEDS,
        )
        saved = savings(encodings)
        for row in [*encodings, *saved]:
            print(row, flush=True)
        for epochs in DELTA_EPOCHS[family]:
            percents = [row["delta (%)"] for row in saved if row["epochs"] == epochs]
            name = f"{family} {DELTA_PIXELS}x{DELTA_PIXELS}, {epochs} epochs: bytes of changes, equal PSNR"
            if None in percents:
                print(f"{name}: curves of a clip share no PSNR")
                continue
            percent = statistics.mean(percents)
            bench.keep(name, percent, "%", "<= -15", percent <= -15)
        found["rows"] += saved
        found["files"] += encodings
    return found


def ablated(bench: Bench) -> Tables:
    """What each choice of the learning brings."""
    trial = bench.trial(ABLATED.model, ABLATED.size)
    rows = ablation(bench.runs, clips=held_out(ABLATED.size), trial=trial, seeds=SEEDS)
    for row in rows:
        print(row, flush=True)
    return {"rows": rows}


def speed(bench: Bench) -> Tables:
    """Time of a thousand learning steps at 64x64, eight frames in each, by all cores together."""
    rows = []
    for family in bench.initializations:
        model: Any = family
        config = MetaConfig(model=model, size=64, steps=SPEED_STEPS, progressive=False)
        with windows_of(config) as windows:
            first, seconds = learning_time(windows, config)
        minutes = (first + 1000 * seconds) / 60
        row = {"network": family, "size": config.size, "frames": config.frames, "windows": config.tasks}
        row |= {"until the first step_seconds": round(first, 1), "step_seconds": round(seconds, 3)}
        rows.append(row | {"steps timed": SPEED_STEPS, "minutes of 1,000 steps": round(minutes, 1)})
        print(rows[-1], flush=True)
        name = f"{family}: 1,000 learning steps, 64x64, 8 frames, from the mean of {SPEED_STEPS}"
        bench.keep(name, minutes, "minutes", "< 20", minutes < 20)
    return {"rows": rows}


def pictures(bench: Bench) -> Tables:
    """Plots of the curves, and one frame after so many steps."""
    from benchmarks.meta_plots import plot_curves, strip

    size = min(POINTS)
    known = bench.found("curves")
    rows = [row for row in known if row["size"] == size and row["recipe"] != OTHER_RECIPE]
    plot_curves(rows, IMAGES / "meta_curves.png")
    family = next(iter(bench.initializations))
    clip = held_out(STRIP_PIXELS, names=(STRIP_CLIP,))[STRIP_CLIP]

    def drawn(start: Literal["random", "learned"], steps: int) -> np.ndarray:
        few = start == "random" and 0 < steps <= FEW_STEPS
        fit = Fit(
            initialization=bench.initializations[family],
            clip=STRIP_CLIP,
            size=STRIP_PIXELS,
            start=start,
            steps=steps,
            seed=1,
            trial=bench.trial(family, STRIP_PIXELS) if few else None,
        )
        return draw_fit(fit, clip)[0].permute(1, 2, 0).numpy()

    starts: tuple[Literal["random", "learned"], ...] = ("random", "learned")
    shown: dict[str, dict[int, np.ndarray]] = {
        start: {steps: drawn(start, steps) for steps in STRIP_STEPS} for start in starts
    }
    strip(shown, clip[0].permute(1, 2, 0).numpy(), IMAGES / "meta_strip.png")
    return {}


PARTS: Final[Mapping[str, Callable[[Bench], Tables]]] = {
    "tune": tuned,
    "curves": curves,
    "converged": converged,
    "delta": delta,
    "ablation": ablated,
    "speed": speed,
    "pictures": pictures,
}
