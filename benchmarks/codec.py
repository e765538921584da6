"""The nervid codec beside x264, x265, SVT-AV1, HNeRV and NeRV: bytes at equal PSNR, time, speed of playing.

python -m benchmarks.codec                       # more than a day of a quiet machine with two cores
python -m benchmarks.codec classical             # one part; they run in the order of PARTS
python -m benchmarks.codec curves --classes 640x360 --networks nervid --preset best
python -m benchmarks.codec curves --clips city   # some clips; the others stay as an earlier run found them
python -m benchmarks.codec --smallest            # seconds: toys, nothing is kept

Fetch clips first: ``make clips``. Every encoding runs alone with all cores, unless ``--workers 2`` lets two
of curves or ablation run side by side in a third less time, and stays in out/codec/, so that a part goes on
where it was stopped. Parts write benchmarks/results/codec_*.json and rows of benchmarks/bars.json; ``plots``
draws into docs/images/.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from benchmarks.codec_ablation import ablation
from benchmarks.codec_bench import NETWORKS, PRESETS, WORK, Bench, Choice
from benchmarks.codec_classical import classical
from benchmarks.codec_clips import CLASSES, NAMES
from benchmarks.codec_curves import curves
from benchmarks.codec_plots import plots
from benchmarks.codec_speed import decode, encode720, quick
from benchmarks.codec_toy import try_out
from benchmarks.meta_runs import Runs
from nervid.errors import NervidError

PARTS: Final[Mapping[str, Callable[[Bench], None]]] = {
    "classical": classical,
    "curves": curves,
    "ablation": ablation,
    "quick": quick,
    "encode720": encode720,
    "decode": decode,
    "plots": plots,
}
SIDE_BY_SIDE: Final = ("curves", "ablation")
"""Parts whose encodings may share the cores."""


def measure(parts: Sequence[str], choice: Choice) -> None:
    """Run parts one after the other.

    Raises:
        InputError: If a clip is missing, a part that must run before did not, or cores are not those that
            times are promised for.
        OutputError: If a result cannot be written.
    """
    for part in parts:
        started = time.monotonic()
        with Runs(WORK, workers=choice.workers if part in SIDE_BY_SIDE else 0) as runs:
            PARTS[part](Bench(runs=runs, choice=choice, part=part))
        print(f"{part}: {time.monotonic() - started:.0f} seconds", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description="Measure the nervid codec beside others.")
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {' '.join(PARTS)}; all if none is named"
    )
    for option, known, help_text in (
        ("--clips", NAMES, "only these clips"),
        ("--classes", tuple(CLASSES), "only these sizes of frames"),
        ("--networks", NETWORKS, "only these networks"),
    ):
        words = f"{help_text}; of {' '.join(known)}"
        parser.add_argument(option, nargs="+", choices=known, default=(), metavar="NAME", help=words)
    parser.add_argument(
        "--preset", default="balanced", choices=PRESETS, help="effort of nervid's encodings in curves"
    )
    parser.add_argument("--epochs", type=int, help="passes over the frames for hnerv and nerv in curves")
    parser.add_argument(
        "--workers",
        type=int,
        default=0,
        help="encodings side by side in curves and ablation, of one thread each; times are then of one core",
    )
    parser.add_argument(
        "--code", help="take finished encodings of this version of the code, as curves prints it"
    )
    parser.add_argument("--smallest", action="store_true", help="only try that every measurement runs")
    options = parser.parse_args(arguments)
    if unknown := [part for part in options.parts if part not in PARTS]:
        parser.error(f"wanted parts of {' '.join(PARTS)}, got {unknown[0]}")
    choice = Choice(
        clips=tuple(options.clips),
        classes=tuple(options.classes or CLASSES),
        networks=tuple(options.networks or NETWORKS),
        preset=options.preset,
        epochs=options.epochs,
        workers=options.workers,
        code=options.code,
    )
    try:
        if options.smallest:
            print(json.dumps(try_out()))
        else:
            measure(options.parts or list(PARTS), choice)
    except NervidError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
