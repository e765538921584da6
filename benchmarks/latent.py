"""Latent-INR beside HNeRV and NeRV: equal bytes and time, pictures between and above, alignment, speed.

python -m benchmarks.latent                   # about forty minutes of a quiet machine
python -m benchmarks.latent clips speed       # some parts: clips, large, between, rates, speed
python -m benchmarks.latent --smallest        # seconds: a few tiny frames, nothing is kept

Fetch clips and weights first: ``make clips``, ``python -m nervid.teachers.fetch``. Every part writes its own
benchmarks/results/latent_*.json and rows of benchmarks/bars.json.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from benchmarks.bars import ROOT, commit, hardware, record
from benchmarks.latent_clips import BUNNY, BUNNY_LARGE, OTHERS, Frames, read, synthetic
from benchmarks.latent_work import (
    alignment_share,
    between_db,
    doubled_db,
    encoded,
    fps,
    search_milliseconds,
    speeds,
)

COMMAND: Final = "python -m benchmarks.latent"
RESULTS: Final = ROOT / "benchmarks" / "results"
BYTES_PER_PIXEL: Final = 250_000 / (132 * 160 * 320)
"""Size of every file but those of the rates: 0.296 bits per pixel."""
EPOCHS: Final = {"hnerv": 20, "latent-inr": 24, "nerv": 40}
"""Chosen so that fits take about the same time on two cores; the seconds are in the results."""
LARGE_EPOCHS: Final = {"hnerv": 10, "latent-inr": 12}
RATES: Final = ("60kB", "120kB", "250kB")
INTERPOLATION_EPOCHS: Final = 120
INTERPOLATION_DB: Final = {2: 33.17, 4: 28.08, 8: 25.88}
"""Latent-INR's own figures on Bunny, of unknown resolution, after a secondary source."""
QUERY: Final = "a hand holding a cup"


def clips(folder: Path) -> list[dict[str, Any]]:
    """Six clips: HNeRV and Latent-INR, each by itself and aligned; frames drawn at twice the size."""
    rows = [clip_row(source.name, read(source), read(source, scale=2), folder) for source in (BUNNY, *OTHERS)]
    bunny, count = rows[0], len(rows)
    lost = bunny["hnerv"]["psnr_db"] - bunny["latent-inr"]["psnr_db"]
    keep("PSNR below HNeRV, Bunny 160x320, equal bytes and time", lost, "dB", "<= 0.5", lost <= 0.5)
    mean = statistics.mean(row["hnerv"]["psnr_db"] - row["latent-inr"]["psnr_db"] for row in rows)
    keep(f"PSNR below HNeRV, mean of {count} clips, equal bytes and time", mean, "dB", "<= 0.5", mean <= 0.5)
    cosine = min(row["aligned"]["cosine"] for row in rows)
    keep(f"lowest cosine of {count} files with their teacher", cosine, "", ">= 0.95", cosine >= 0.95)
    cost = statistics.mean(row["latent-inr"]["psnr_db"] - row["aligned"]["psnr_db"] for row in rows)
    keep(f"PSNR lost by alignment, mean of {count} clips, equal bytes", cost, "dB", "< 0.6", cost < 0.6)
    share = max(row["aligned"]["share"] for row in rows)
    keep(f"largest share that alignment adds to {count} files", share, "", "< 0.03", share < 0.03)
    gain = statistics.mean(row["twice_db"] - row["twice, bicubic_db"] for row in rows)
    keep(f"frames at twice the size against bicubic, mean of {count} clips", gain, "dB", "> 0", gain > 0)
    return rows


def clip_row(
    name: str,
    frames: Frames,
    large: Frames,
    folder: Path,
    *,
    size: str | None = None,
    epochs: int | None = None,
) -> dict[str, Any]:
    """All fits of one clip; with ``epochs`` given none that needs a teacher."""
    size = size or f"{round(BYTES_PER_PIXEL * frames[..., 0].size)}"
    row: dict[str, Any] = {
        "clip": name,
        "frames": len(frames),
        "size": f"{frames.shape[2]}x{frames.shape[1]}",
    }
    for model in ("hnerv", "latent-inr"):
        path = folder / f"{model}.nerv"
        row[model] = encoded(frames, path, size=size, model=model, epochs=epochs or EPOCHS[model])
        row[model]["fps"] = fps(path)
    if epochs is None:
        for model, key in (("latent-inr", "aligned"), ("hnerv", "hnerv aligned")):
            path = folder / f"{key}.nerv"
            facts = encoded(frames, path, size=size, model=model, epochs=EPOCHS[model], align="conse")
            row[key] = {part: facts[part] for part in ("psnr_db", "cosine", "seconds")}
            row[key]["share"] = alignment_share(path)
        row["search (ms)"] = search_milliseconds(folder / "aligned.nerv", QUERY)
    row["twice_db"], row["twice, bicubic_db"] = doubled_db(large, folder / "latent-inr.nerv")
    print(row, flush=True)
    return row


def large(folder: Path) -> list[dict[str, Any]]:
    """Bunny at 640x360, whole frames."""
    frames, rows = read(BUNNY_LARGE), []
    size = f"{round(BYTES_PER_PIXEL * frames[..., 0].size)}"
    for model, epochs in LARGE_EPOCHS.items():
        path = folder / f"{model}.nerv"
        rows.append({"network": model} | encoded(frames, path, size=size, model=model, epochs=epochs))
        rows[-1]["fps"] = fps(path)
        print(rows[-1], flush=True)
    lost = rows[0]["psnr_db"] - rows[1]["psnr_db"]
    keep("PSNR below HNeRV, Bunny 640x360, equal bytes and time", lost, "dB", "<= 0.5", lost <= 0.5)
    speed = rows[1]["fps"]
    keep(
        f"patch-wise, 640x360, a fitted file of {rows[1]['bytes']} bytes", speed, "fps", ">= 15", speed >= 15
    )
    return rows


def between(folder: Path) -> list[dict[str, Any]]:
    """Bunny with every second, fourth or eighth frame fitted."""
    frames, rows = read(BUNNY), []
    for every, bar in INTERPOLATION_DB.items():
        row = between_row(frames, every, folder, epochs=INTERPOLATION_EPOCHS * every // 2, size="250kB")
        rows.append(row)
        name = f"Bunny 160x320, every {every}. frame fitted: PSNR of those between"
        keep(name, row["between_db"], "dB", f">= {bar}", row["between_db"] >= bar)
    return rows


def between_row(frames: Frames, every: int, folder: Path, *, epochs: int, size: str) -> dict[str, Any]:
    """Fit every ``every``-th frame; draw the others."""
    path = folder / f"every{every}.nerv"
    facts = encoded(
        frames[::every], path, size=size, model="latent-inr", epochs=epochs, max_segment_frames=999
    )
    quality, count = between_db(frames, every, path)
    row = {"every": every} | facts | {"between_db": quality, "frames between": count}
    print(row, flush=True)
    return row


def rates(folder: Path) -> list[dict[str, Any]]:
    """Bunny at several sizes, three networks."""
    frames, rows = read(BUNNY), []
    for model, epochs in EPOCHS.items():
        for size in RATES:
            path = folder / "rate.nerv"
            facts = encoded(frames, path, size=size, model=model, epochs=epochs)
            bpp = round(8 * facts["bytes"] / frames[..., 0].size, 4)
            rows.append({"network": model, "bpp": bpp} | facts | {"fps": fps(path)})
            print(rows[-1], flush=True)
    return rows


def speed(_: Path) -> list[dict[str, Any]]:
    """Frames a second of networks of random weights."""
    rows = speeds()
    pixel = next(row for row in rows if row["network"] == "pixel-wise, six layers of 512")
    keep("pixel-wise, six layers of 512, 320x160", pixel["fps"], "fps", ">= 10", pixel["fps"] >= 10)
    patches = next(row for row in rows if row["network"] == "latent-inr, 1.5 million numbers")
    keep("patch-wise, 1.5 million numbers, 640x360", patches["fps"], "fps", ">= 15", patches["fps"] >= 15)
    for row in rows:
        print(row, flush=True)
    return rows


PARTS: Final[dict[str, Callable[[Path], list[dict[str, Any]]]]] = {
    "clips": clips,
    "large": large,
    "between": between,
    "rates": rates,
    "speed": speed,
}


def keep(row: str, value: float, unit: str, target: str, met: bool) -> None:
    """Print and record one bar."""
    print(f"{row}: {value:.4g} {unit} ({target}{'' if met else ', missed'})")
    record("latent-inr", row, round(value, 4), unit, target, met, COMMAND)


def measure(parts: Sequence[str]) -> None:
    """Run some parts and write what each found."""
    for part in parts:
        facts: dict[str, Any] = {"command": f"{COMMAND} {part}", "commit": commit()}
        facts["hardware"] = asdict(hardware())
        with tempfile.TemporaryDirectory() as name:
            facts["rows"] = PARTS[part](Path(name))
        (RESULTS / f"latent_{part}.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def try_out() -> None:
    """Run what takes no clip and no teacher on a few tiny frames."""
    frames = synthetic()
    twice = frames.repeat(2, axis=1).repeat(2, axis=2)
    with tempfile.TemporaryDirectory() as name:
        clip_row("ramp", frames, twice, Path(name), size="8kB", epochs=2)
        between_row(frames, 2, Path(name), epochs=2, size="8kB")


def main() -> None:
    """Measure all parts or those that are named."""
    parser = argparse.ArgumentParser(description="Measure Latent-INR beside HNeRV and NeRV.")
    parser.add_argument(
        "parts", nargs="*", choices=[*PARTS, []], help="what to measure; all if none is named"
    )
    parser.add_argument("--smallest", action="store_true", help="only try that the measurements run")
    arguments = parser.parse_args()
    if arguments.smallest:
        try_out()
    else:
        measure(arguments.parts or list(PARTS))


if __name__ == "__main__":
    main()
