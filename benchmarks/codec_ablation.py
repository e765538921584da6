"""Ablation of our own network and of its fit: one choice undone or changed at a time, at one size."""

import importlib
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from types import ModuleType
from typing import Any, Final

from benchmarks.codec_bench import Bench, Row
from benchmarks.codec_clips import Original, chosen, read
from benchmarks.codec_curves import classical_rows, sizes_for
from benchmarks.codec_fits import DECIDING, Effort, Encoding, encoded
from benchmarks.codec_tables import MEAN
from benchmarks.meta_runs import Facts, Run, code_version, key_of
from nervid.fit.recipe import RATE_DISTORTION
from nervid.models import nervid_sizing as sizing

CLIPS: Final = ("bunny", "gym-1")
"""A film that moves and a camera that does not, unless others are chosen."""
SIZE_CLASS: Final = "320x180"
EFFORT: Final = Effort(epochs=32)
PLACE: Final = 1
"""Which of a clip's sizes on its curve, from 0."""
_SIZING: Final = "nervid.models.nervid_sizing"
_ROUNDING: Final = "nervid.fit.rd.rounding"
_MOTION: Final = "nervid.fit.rd.motion"
_MULTIPLIER: Final = "nervid.fit.rd.multiplier"
_DECAY: Final = "nervid.fit.rd.decay"
_TRAINER: Final = "nervid.fit.rd.trainer"


@dataclass(frozen=True, slots=True)
class Variant:
    """One choice changed."""

    part: str
    """What of the codec it belongs to."""
    name: str
    patches: Mapping[str, Any] = field(default_factory=dict)
    """Values by ``module:name``, in the place of those that nervid has."""

    def __str__(self) -> str:
        return f"{self.part}: {self.name}"


def _grids(*levels: int) -> dict[str, Any]:
    """Keep some of the feature grids."""
    names = ("GRID_STAGES", "GRID_CHANNELS", "GRID_SPANS")
    return {f"{_SIZING}:{name}": tuple(getattr(sizing, name)[level] for level in levels) for name in names}


def _wider(factor: float) -> dict[str, Any]:
    """Multiply the channels of the stages."""
    return {f"{_SIZING}:USUAL_BYTES": sizing.USUAL_BYTES / factor**2}


AS_IT_IS: Final = Variant("", "as it is")
VARIANTS: Final = (
    AS_IT_IS,
    Variant("feature grids", "without the finest, at a quarter of the sides", _grids(0, 1, 2)),
    Variant("feature grids", "without both slow ones", _grids(0, 1)),
    Variant("feature grids", "the coarsest and quickest alone", _grids(0)),
    Variant("feature grids", "twice the channels", {f"{_SIZING}:GRID_CHANNELS": (16, 16, 8, 8)}),
    Variant("feature grids", "the quickest half as quick", {f"{_SIZING}:GRID_SPANS": (4, 8, 33, 33)}),
    Variant("textures", "none, whatever moves", {f"{_MOTION}:LEAST_GAIN_DB": 1e6}),
    Variant("textures", "an anchor every 24 frames", {f"{_MOTION}:TEXTURE_SPANS": (24,)}),
    Variant("textures", "motion said every 2 frames", {f"{_MOTION}:MOTION_SPANS": (2,)}),
    Variant("background", "none, whatever stays", {f"{_MOTION}:LEAST_STILL_SHARE": 2.0}),
    Variant("background", "of twice the channels", {f"{_SIZING}:SMALL_BACKGROUND": 6}),
    Variant("background", "other grids keep their knots", {f"{_SIZING}:STILL_STAGE": 9}),
    Variant("stages", "half the channels", _wider(0.5)),
    Variant("stages", "twice the channels", _wider(2.0)),
    Variant(
        "stages",
        "one residual convolution in the last",
        {f"{_SIZING}:SMALL": replace(sizing.SMALL, depths=(1, 1, 1, 1))},
    ),
    Variant("stages", "those for large frames", {f"{_SIZING}:SMALL": sizing.LARGE}),
    Variant(
        "rounding",
        "noise alone, then many rounded steps, whatever a bit costs",
        {f"{_ROUNDING}:CHEAP": 1e6, f"{_ROUNDING}:DEAR": 1e7},
    ),
    Variant(
        "rounding",
        "noise between soft roundings, whatever a bit costs",
        {f"{_ROUNDING}:CHEAP": 1e-7, f"{_ROUNDING}:DEAR": 1e-6},
    ),
    Variant(
        "rate",
        "a bit is taken to cost 1 at first, for rounding and learning rates too",
        {f"{_TRAINER}:usual_multiplier": lambda size, pixels: 1.0},
    ),
    Variant(
        "rate",
        "a bit costs at first what it usually costs, and gets cheaper no faster than dearer",
        {f"{_MULTIPLIER}:MOST_TIMES": 1.0},
    ),
    Variant("rate", "no excess is allowed at first", {f"{_MULTIPLIER}:EARLY_EXCESS": 0.0}),
    Variant("rate", "quantization steps are not learned", {f"{_TRAINER}:STEP_REACH": 0.0}),
    Variant("optimizer", "all learning rates fall as a cosine", {f"{_DECAY}:LEAST_POWER": 1.0}),
    Variant(
        "optimizer",
        "Adam for the kernels too",
        {"nervid.encoder.segment:RATE_DISTORTION": replace(RATE_DISTORTION, optimizer="adam")},
    ),
)


def ablation(bench: Bench) -> None:
    """Encode clips with every variant; written when no clip is chosen.

    Raises:
        InputError: If a clip is missing, or ``classical`` has not been run.
    """
    choice = bench.choice
    version = choice.code or code_version(folders=DECIDING)
    found = []
    for source in chosen(choice.clips or CLIPS):
        original, x265 = read(source, SIZE_CLASS), classical_rows(bench, SIZE_CLASS, source.name)["x265"]
        job = Encoding(network="nervid", size_bytes=sizes_for("nervid", x265)[PLACE], effort=EFFORT)
        facts = (asdict(job), version, original.content)
        runs = [
            Run(key=key_of(str(variant), *facts), arguments=(str(variant), job, original))
            for variant in VARIANTS
        ]
        found.append(clip_rows(original, x265, bench.runs.outcomes(changed, runs)))
    rows = [row for clip in zip(*found, strict=True) for row in with_mean_change(clip)]
    for row in rows:
        print(row, flush=True)
    if not choice.clips:
        bench.write("ablation", {"rows": rows})


def changed(words: str, job: Encoding, original: Original, is_apart: bool = True) -> Facts:
    """Encode with the variant that is called so; what :func:`benchmarks.codec_fits.encoded` finds."""
    (variant,) = (variant for variant in VARIANTS if str(variant) == words)
    with patched(variant.patches):
        return encoded(job, original, is_apart=is_apart)


@contextmanager
def patched(patches: Mapping[str, Any]) -> Iterator[None]:
    """Give names of modules other values for a while.

    Args:
        patches: By ``module:name``; the name must exist.
    """
    before: list[tuple[ModuleType, str, Any]] = []
    try:
        for place, value in patches.items():
            module_name, name = place.split(":")
            module = importlib.import_module(module_name)
            before.append((module, name, getattr(module, name)))
            setattr(module, name, value)
        yield
    finally:
        for module, name, value in reversed(before):
            setattr(module, name, value)


def clip_rows(original: Original, x265: Row, outcomes: Sequence[Facts]) -> list[Row]:
    """Return a row for each of ``VARIANTS``: bytes over those of x265 at its PSNR, and what that changes."""
    times = [facts["bytes"] / bytes_at(x265, facts["psnr_db"]) for facts in outcomes]
    return [
        {
            "part": variant.part,
            "variant": variant.name,
            "clip": original.name,
            "psnr_db": facts["psnr_db"],
            "bytes": facts["bytes"],
            "times_x265": round(own, 3),
            "change (%)": round(100 * (own / times[0] - 1), 1),
            "seconds": facts["seconds"],
            "commit": facts["commit"],
        }
        for variant, facts, own in zip(VARIANTS, outcomes, times, strict=True)
    ]


def with_mean_change(rows: Sequence[Row]) -> list[Row]:
    """Return the rows, and one of their means where there are several clips."""
    if len(rows) == 1:
        return list(rows)
    mean = {key: rows[0][key] for key in ("part", "variant")} | {"clip": MEAN}
    for key in ("times_x265", "change (%)", "seconds"):
        mean[key] = round(sum(row[key] for row in rows) / len(rows), 3)
    return [*rows, mean]


def bytes_at(curve: Row, psnr_db: float) -> float:
    """Return the bytes that a curve takes for a PSNR.

    Their logarithm follows a straight line between two points, beyond the ends that of the nearest two.

    Args:
        curve: With lists ``kB`` and ``psnr_db``, two points or more.
        psnr_db: The PSNR in dB.
    """
    points = sorted(zip(curve["psnr_db"], curve["kB"], strict=True))
    place = min(max(sum(own <= psnr_db for own, _ in points), 1), len(points) - 1)
    (low_db, less), (high_db, more) = points[place - 1 : place + 1]
    share = (psnr_db - low_db) / (high_db - low_db)
    return float(1000 * less * math.exp(share * math.log(more / less)))
