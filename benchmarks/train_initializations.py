"""Learn the initializations that ship with nervid, one for each family, from the corpus of benchmarks/clips.

    python -m benchmarks.train_initializations                   # all families, one after the other
    python -m benchmarks.train_initializations --families nerv   # one of them; goes on where it was stopped
    python -m benchmarks.train_initializations --steps 200       # shorter; still writes the shipped file
    python -m benchmarks.train_initializations --smallest        # seconds: toy pictures, nothing is kept

Fetch the corpus first: ``python -m benchmarks.meta_corpus``. State stays in out/meta/ and is gone on with as
long as corpus and choices are the same; Ctrl-C or SIGTERM saves it and exits with code 75. Writes
src/nervid/data/meta-<family>.safetensors and the curve benchmarks/results/meta_train_<family>.jsonl.
"""

import argparse
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Final

from benchmarks.bars import ROOT, commit
from benchmarks.meta_clips import Frames, Stripes, held_out, synthetic
from benchmarks.meta_corpus import training_corpus
from nervid.errors import NervidError
from nervid.fit.trainer import Interrupted
from nervid.initializations.library import shipped_file
from nervid.meta.config import MetaConfig
from nervid.meta.train import MetaProgress, WindowSource, meta_train
from nervid.meta.windows import Windows

COMMAND: Final = "python -m benchmarks.train_initializations"
RESULTS: Final = ROOT / "benchmarks" / "results"
WORK: Final = ROOT / "out" / "meta"
"""State of unfinished learning; git ignores it."""
OUT_OF_TIME: Final = 75
"""Exit code that asks for another call: EX_TEMPFAIL of sysexits.h."""
REPORT_STEPS: Final = 50
"""Learning steps between two lines of progress."""

CONFIGS: Final[Mapping[str, MetaConfig]] = {
    "hnerv": MetaConfig(model="hnerv", size=128, steps=1000),
    "nerv": MetaConfig(model="nerv", size=128, steps=1000),
}
"""What ships: all choices that decide it, beside the corpus. Each took 25 minutes of one thread of a CPU,
both side by side."""
SMALLEST: Final = {
    family: replace(config, size=64, frames=2, steps=2, tasks=1, inner_steps=1, parameters=20_000)
    for family, config in CONFIGS.items()
}


def train(family: str, config: MetaConfig, stop: threading.Event) -> Path:
    """Learn one family's initialization, or go on with it, and write the shipped file.

    Raises:
        InputError: If the corpus has not been fetched, or learning diverges.
        Interrupted: When ``stop`` is set; the state is saved.
        OutputError: If a file cannot be written.
    """
    WORK.mkdir(parents=True, exist_ok=True)
    corpus = training_corpus()
    state = WORK / f"train-{family}.safetensors"
    measured = list(held_out(config.size, frames=config.frames).values())
    with Windows(
        corpus, height=config.size, width=config.size, frames=config.frames, seed=config.seed
    ) as windows:
        target = learn(
            windows,
            config,
            target=shipped_file(family),
            curve=RESULTS / f"meta_train_{family}.jsonl",
            state=state,
            held_out_windows=measured,
            corpus_key=corpus.fingerprint,
            stop=stop,
        )
    for name, reason in corpus.skipped.items():
        print(f"not used: {name}: {reason}", flush=True)
    state.unlink(missing_ok=True)
    return target


def learn(
    windows: WindowSource,
    config: MetaConfig,
    *,
    target: Path,
    curve: Path,
    state: Path,
    held_out_windows: Sequence[Frames],
    corpus_key: str,
    stop: threading.Event,
) -> Path:
    """Run the learning and save what comes out; arguments and errors as ``nervid.meta.train.meta_train``."""

    def report(progress: MetaProgress) -> None:
        if progress.step % REPORT_STEPS and progress.step != progress.steps:
            return
        measured = "" if progress.held_out_db is None else f", held-out {progress.held_out_db:.2f} dB"
        print(
            f"{config.model} {progress.step}/{progress.steps}, {progress.frames} frames: windows "
            f"{progress.start_db:.2f} -> {progress.adapted_db:.2f} dB{measured}, {progress.seconds:.0f} s, "
            f"{progress.seconds_left:.0f} s left",
            flush=True,
        )

    learned = meta_train(
        windows,
        config,
        corpus_key=corpus_key,
        held_out=held_out_windows,
        state=state,
        curve=curve,
        provenance={"command": COMMAND, "commit": commit(), "corpus": "docs/initialization-data.md"},
        on_progress=report,
        should_stop=stop.is_set,
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    return learned.save(target)


def try_out(families: Sequence[str], folder: Path) -> None:
    """Learn toys of all families from stripes into ``folder``."""
    for family in families:
        config = SMALLEST[family]
        target = learn(
            Stripes(config.size, config.frames),
            config,
            target=folder / f"meta-{family}.safetensors",
            curve=folder / f"{family}.jsonl",
            state=folder / f"train-{family}.safetensors",
            held_out_windows=[synthetic(config.size, config.frames, phase=9)],
            corpus_key="",
            stop=threading.Event(),
        )
        print(f"{family}: {target.stat().st_size} bytes")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description="Learn the initializations that ship with nervid.")
    parser.add_argument("--families", nargs="+", choices=list(CONFIGS), default=list(CONFIGS))
    parser.add_argument("--steps", type=int, help="learning steps, instead of those of the shipped files")
    parser.add_argument("--smallest", action="store_true", help="only try that learning runs; keep nothing")
    options = parser.parse_args(arguments)
    stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    try:
        if options.smallest:
            with tempfile.TemporaryDirectory() as name:
                try_out(options.families, Path(name))
            return 0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, ask)
        for family in options.families:
            config = CONFIGS[family]
            if options.steps is not None:
                config = replace(config, steps=options.steps)
            target = train(family, config, stop)
            print(f"{os.path.relpath(target)}: {target.stat().st_size:,} bytes")
    except Interrupted:
        print(f"stopped and saved; the same command goes on: {COMMAND}", file=sys.stderr)
        return OUT_OF_TIME
    except NervidError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
