"""Encode three clips at two rates and check the size promise: at most 3 % under the asked size, never over.

Run ``python benchmarks/clips.py bikes carphone`` first. Writes benchmarks/results/size_promise.json and a row
of benchmarks/bars.json for each file. The effort is small on purpose: the promise holds whatever the quality.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import nervid
from benchmarks.bars import commit, hardware, record

COMMAND = "python -m benchmarks.size_promise"
RESULTS = Path("benchmarks/results/size_promise.json")
RATES = (0.2, 0.4)
EPOCHS = 8
SOURCES = {
    "bunny 320x180": (str(nervid.demo_clip()), []),
    "bikes 320x136": ("benchmarks/clips/bikes.mp4", ["--resize", "320x136", "--duration", "2"]),
    "carphone 176x144": ("benchmarks/clips/carphone.mp4", []),
}


def measure(source: str, options: list[str], rate: float, model: str) -> dict[str, object]:
    """Encode in one process, decode in another, and compare the file's size with the asked one."""
    with tempfile.TemporaryDirectory() as folder:
        file, video = Path(folder) / "a.nerv", Path(folder) / "a.npy"
        nervid_ = [sys.executable, "-m", "nervid"]
        words = ["--bpp", str(rate), "--model", model, "--epochs", str(EPOCHS), "--no-tracks", *options]
        for command in (["encode", source, str(file), *words], ["decode", str(file), str(video)]):
            subprocess.run([*nervid_, *command], check=True, capture_output=True)
        size = os.stat(file).st_size
        with nervid.open(file) as decoder:
            facts = decoder.metadata
        asked = int(rate * facts.frames * facts.height * facts.width / 8)
    return {"model": model, "asked_bytes": asked, "size_bytes": size, "share": size / asked}


def main() -> None:
    """Measure all clips, rates and models."""
    rows = []
    for clip, (source, options) in SOURCES.items():
        for rate in RATES:
            for model in ("hnerv", "nerv"):
                row = {"clip": clip, "bpp": rate, **measure(source, options, rate, model)}
                rows.append(row)
                share = float(str(row["share"]))
                sizes = f"{row['size_bytes']} of {row['asked_bytes']} bytes"
                print(f"{clip:18} {model:6} {rate:.2f} bpp: {sizes}, {share:.4f}", flush=True)
                record(
                    "core",
                    f"size over asked size, {clip}, {rate} bpp, {model}",
                    round(share, 4),
                    "",
                    "0.97 to 1",
                    0.97 <= share <= 1,
                    COMMAND,
                )
    RESULTS.parent.mkdir(exist_ok=True)
    facts = {
        "command": COMMAND,
        "commit": commit(),
        "hardware": asdict(hardware()),
        "epochs": EPOCHS,
        "rows": rows,
    }
    RESULTS.write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
