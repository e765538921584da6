"""Learned beside random weights: few steps, many steps, bytes, what learning is made of, its speed.

python -m benchmarks.meta                # an hour and a half of a quiet machine with two cores
python -m benchmarks.meta tune curves    # some parts: tune curves converged delta ablation speed pictures
python -m benchmarks.meta curves --initialization a.safetensors   # not the shipped one; nothing is recorded
python -m benchmarks.meta --smallest     # seconds: toys, nothing is kept

Fetch clips first: ``python -m benchmarks.meta_corpus``. Parts after ``tune`` need what it found. Finished
fits stay in out/meta/, so that a part goes on where it was stopped. Every part writes its own
benchmarks/results/meta_*.json and rows of benchmarks/bars.json; ``pictures`` draws into docs/images/.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.bars import commit, hardware
from benchmarks.meta_bench import COMMAND, Bench, Tables, result_file
from benchmarks.meta_parts import FAMILIES, PARTS
from benchmarks.meta_runs import WORK, WORKERS, Runs
from benchmarks.meta_toy import try_out
from nervid.errors import NervidError
from nervid.initializations.initialization import Initialization
from nervid.initializations.library import META, find, shipped_file


def measure(parts: Sequence[str], named: Sequence[Path]) -> None:
    """Run parts; write what each found unless other initializations than the shipped ones are named.

    Raises:
        InputError: If an initialization or a clip is missing, or a part that must run before did not.
        OutputError: If a result cannot be written.
    """
    if named:
        files = {Initialization.load(path).config.name: str(path) for path in named}
    else:
        for family in FAMILIES:
            find(META, family)  # says what is missing
        files = {family: str(shipped_file(family)) for family in FAMILIES}
    finished: dict[str, Tables] = {}
    for part in parts:
        started = time.monotonic()
        # The speed of learning is that of all cores, in this process.
        with Runs(WORK, workers=0 if part in ("speed", "pictures") else WORKERS) as runs:
            bench = Bench(runs=runs, initializations=files, is_recorded=not named, finished=finished)
            finished[part] = PARTS[part](bench)
        seconds = round(time.monotonic() - started)
        print(f"{part}: {seconds} seconds", flush=True)
        if finished[part] and not named:
            facts: dict[str, Any] = {"command": f"{COMMAND} {part}", "commit": commit()}
            facts |= {"hardware": asdict(hardware()), "measured_seconds": seconds} | finished[part]
            result_file(part).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description="Measure fits from learned beside fits from random weights.")
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {' '.join(PARTS)}; all if none is named"
    )
    parser.add_argument(
        "--initialization",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="instead of the shipped ones, one a family; nothing is recorded",
    )
    parser.add_argument("--smallest", action="store_true", help="only try that every measurement runs")
    options = parser.parse_args(arguments)
    if unknown := [part for part in options.parts if part not in PARTS]:
        parser.error(f"wanted parts of {' '.join(PARTS)}, got {unknown[0]}")
    try:
        if options.smallest:
            print(json.dumps(try_out()))
        else:
            measure(options.parts or list(PARTS), options.initialization)
    except NervidError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
