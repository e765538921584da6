"""Latent-INR beside HNeRV: quality at equal bytes and time, interpolation, alignment with a teacher, speed.

python -m benchmarks.latent             # about ten minutes of a quiet machine
python -m benchmarks.latent --smallest  # seconds: a few tiny frames, nothing is kept

Fetch clip and weights first: ``make clips CLIPS=bbb``, ``python -m nervid.teachers.fetch``. Bunny is the
centre of Big Buck Bunny's 132 frames at 320x160, as in benchmarks/engine_work.py. Writes
benchmarks/results/latent.json and rows of benchmarks/bars.json.
"""

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import nervid
from benchmarks.bars import ROOT, commit, hardware, record
from nervid.container import ALGN, NervFile
from nervid.teachers import load_teacher

COMMAND = "python -m benchmarks.latent"
RESULTS = ROOT / "benchmarks" / "results" / "latent.json"
CLIPS = ROOT / "benchmarks" / "clips"
SIZE = "250kB"
EPOCHS = {"hnerv": 20, "latent-inr": 24}
"""Chosen so that both fits take the same time on two cores; the seconds are in the results."""
INTERPOLATION_EPOCHS = 120
INTERPOLATION_DB = {2: 33.17, 4: 28.08, 8: 25.88}
"""Latent-INR's own figures on Bunny, of unknown resolution, after a secondary source."""
QUERY = "a hand holding a cup"


def bunny() -> np.ndarray:
    """The frames, uint8 [132, 160, 320, 3]."""
    frames = nervid.read(CLIPS / "bbb.mp4", tracks=False).iter_frames()
    small = [Image.fromarray(frame[40:680]).resize((320, 160), Image.Resampling.BICUBIC) for frame in frames]
    return np.stack([np.asarray(picture) for picture in small])


def encoded(frames: np.ndarray, path: Path, **options: Any) -> dict[str, Any]:  # noqa: ANN401 - encode's own
    """Encode and save; return what the report says."""
    result = nervid.encode(nervid.read(frames), seed=1, **options)
    result.save(path)
    facts = result.report
    return {
        "bytes": path.stat().st_size,
        "psnr_db": round(facts.psnr_db, 2),
        "seconds": round(facts.seconds, 1),
        "parameters": facts.parameters,
        "cosine": None if facts.alignment_cosine is None else round(facts.alignment_cosine, 4),
    }


def fps(path: Path, frames: int) -> float:
    """Frames per second, one by one, after the first."""
    with nervid.open(path) as video:
        seconds = []
        for index in range(min(frames, len(video))):
            started = time.perf_counter()
            video[index]
            seconds.append(time.perf_counter() - started)
    return round(1 / statistics.median(seconds[1:]), 1)


def interpolation(frames: np.ndarray, every: int, folder: Path, size: str, epochs: int) -> dict[str, Any]:
    """Fit every ``every``-th frame; PSNR of the others, drawn from their neighbors' latents mixed by time."""
    path = folder / f"every{every}.nerv"
    kept = frames[::every]
    facts = encoded(
        kept, path, size=size, model="latent-inr", epochs=epochs * every // 2, max_segment_frames=999
    )
    quality = []
    with nervid.open(path) as video:
        for index in range((len(kept) - 1) * every):
            first, between = divmod(index, every)
            if between:
                drawn = video.mix(first, first + 1, between / every).permute(1, 2, 0).double()
                error = (drawn - torch.from_numpy(frames[index])).square().mean() / 255**2
                quality.append(float(-10 * torch.log10(error)))
    return facts | {"every": every, "between_db": round(statistics.mean(quality), 2), "frames": len(quality)}


def search(path: Path) -> dict[str, Any]:
    """Time a query on one file once the teacher is ready; count the bytes read."""
    teacher = load_teacher("conse")
    teacher.text(["anything"])
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        moments = nervid.search([path], QUERY, teacher=teacher)
        seconds.append(time.perf_counter() - started)
    with NervFile.open(path) as file:
        head = len(file.read(ALGN))
    size = path.stat().st_size
    return {
        "milliseconds": round(1e3 * statistics.median(seconds), 1),
        "best_seconds": moments[0].best_seconds,
        "score": round(float(moments[0].score), 3),
        "alignment_share": round(head / size, 4),
    }


def main() -> None:
    """Measure everything; record it unless it was the smallest run."""
    parser = argparse.ArgumentParser(description="Measure Latent-INR beside HNeRV.")
    parser.add_argument("--smallest", action="store_true", help="only try that every measurement runs")
    smallest = parser.parse_args().smallest
    if smallest:
        rows, columns = np.mgrid[0:32, 0:48]
        frames = np.stack([np.stack([rows * 4, columns * 5, rows + 9 * i], -1) for i in range(16)]).astype(
            "uint8"
        )
    else:
        frames = bunny()
    size, epochs = ("12kB", {"hnerv": 2, "latent-inr": 2}) if smallest else (SIZE, EPOCHS)
    facts: dict[str, Any] = {"command": COMMAND, "commit": commit(), "hardware": asdict(hardware())}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        both = {}
        for model in ("hnerv", "latent-inr"):
            path = folder / f"{model}.nerv"
            both[model] = encoded(frames, path, size=size, model=model, epochs=epochs[model])
            both[model]["fps"] = fps(path, 40)
            print(model, both[model], flush=True)
        facts["reconstruction"] = [{"network": model} | row for model, row in both.items()]
        if smallest:
            print(interpolation(frames, 2, folder, size, 2))
            return
        facts["interpolation"] = []
        for every in INTERPOLATION_DB:
            facts["interpolation"].append(interpolation(frames, every, folder, size, INTERPOLATION_EPOCHS))
            print(facts["interpolation"][-1], flush=True)
        path = folder / "aligned.nerv"
        options = {"size": size, "model": "latent-inr", "epochs": epochs["latent-inr"]}
        facts["alignment"] = [
            {"clip": "bunny"} | encoded(frames, path, align="conse", **options) | search(path)
        ]
        print(facts["alignment"], flush=True)
    RESULTS.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    lost = both["hnerv"]["psnr_db"] - both["latent-inr"]["psnr_db"]
    keep("PSNR below HNeRV, Bunny 160x320, equal bytes and time", lost, "dB", "<= 0.5", lost <= 0.5)
    for row in facts["interpolation"]:
        bar = INTERPOLATION_DB[row["every"]]
        keep(
            f"Bunny 160x320, every {row['every']}. frame fitted: PSNR of those between",
            row["between_db"],
            "dB",
            f">= {bar}",
            row["between_db"] >= bar,
        )
    aligned = facts["alignment"][0]
    cost = both["latent-inr"]["psnr_db"] - aligned["psnr_db"]
    keep(
        "Bunny 160x320: cosine of the file's vectors with the teacher's",
        aligned["cosine"],
        "",
        ">= 0.95",
        aligned["cosine"] >= 0.95,
    )
    keep("Bunny 160x320: PSNR lost by alignment at equal bytes", cost, "dB", "< 0.6", cost < 0.6)
    keep(
        "Bunny 160x320: share of the file that alignment adds",
        aligned["alignment_share"],
        "",
        "< 0.03",
        aligned["alignment_share"] < 0.03,
    )


def keep(row: str, value: float, unit: str, target: str, met: bool) -> None:
    """Print and record one bar."""
    print(f"{row}: {value:g} {unit} ({target}{'' if met else ', missed'})")
    record("latent-inr", row, round(value, 4), unit, target, met, COMMAND)


if __name__ == "__main__":
    main()
