"""Reproduce the papers' figures, in as many calls as it takes.

    python -m benchmarks.reproduce --seconds 540        # again and again, until it says that all is done
    python -m benchmarks.reproduce --smallest           # the same way in a minute on a CPU
    python -m benchmarks.reproduce --collect FILE       # take over the reproduce.json of another machine

Fits the networks of HNeRV's Table 2 and NeRV's Table 3 to the papers' clip with the published recipes,
measures each, then prunes, quantizes and codes it and measures the file in a fresh process. Each row leaves
a JSON file in benchmarks/results/reproduce/ and a bar. A finished row is skipped until its JSON file is
removed; an unfinished one goes on from its checkpoint. Run ``make clips CLIPS=bbb`` first. On a machine with
a GPU, benchmarks/gpu.sh calls this.

Exit code 0 when all rows are done, 75 when the time was over first, 1 after an error.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.bars import ROOT, commit, hardware
from benchmarks.reproduction import records
from benchmarks.reproduction.budget import Budget
from benchmarks.reproduction.rows import ROWS, SMALLEST, PaperRow, row_clip
from benchmarks.reproduction.run import OutOfTimeError, RowRun, Setting
from nervid.errors import InputError, NervidError

WORK = ROOT / "out" / "reproduce"
"""Checkpoints and files; git ignores it."""
OUT_OF_TIME = 75
"""Exit code that asks for another call: EX_TEMPFAIL of sysexits.h."""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(description="Reproduce the papers' figures, call by call.")
    add = parser.add_argument
    add("--rows", nargs="+", choices=names, default=names, metavar="ROW", help=", ".join(names))
    add("--seconds", type=float, help="end within this; default: no limit")
    add("--device", default="auto", help="auto, cpu or cuda")
    add("--clip", type=Path, help="the papers' clip, if not in benchmarks/clips/")
    add("--results", type=Path, help=f"folder of the rows' JSON, default {_short(records.RESULTS)}")
    add("--work", type=Path, default=WORK, help=f"folder of the checkpoints, default {_short(WORK)}")
    add("--out", type=Path, help=f"folder that gets one {records.COMBINED} with all rows")
    add("--epochs", type=int, help="other than published, for trying: no bar, a name of its own")
    add("--seed", type=int, default=1, help="of the starting weights and the order of frames, default 1")
    add("--commit", help="name of the code, where there is no git checkout")
    add("--network-only", action="store_true", help="leave the files to a later call")
    add("--smallest", action="store_true", help="two small rows of the bundled clip; no bars")
    add("--collect", type=Path, metavar="FILE", help=f"take over another machine's {records.COMBINED}")
    options = parser.parse_args(arguments)
    if options.seconds is not None and options.seconds <= 0:
        parser.error(f"--seconds must be above 0, got {options.seconds:g}")
    if options.epochs is not None and options.epochs < 1:
        parser.error(f"--epochs must be at least 1, got {options.epochs}")
    return options


def chosen(options: argparse.Namespace) -> list[PaperRow]:
    """Return the rows asked for; with other epochs they have other names and nothing published."""
    rows = SMALLEST if options.smallest else [row for row in ROWS if row.name in options.rows]
    epochs = options.epochs
    return [
        row
        if epochs in (None, row.epochs)
        else replace(row, name=f"{row.name}-{epochs}-epochs", epochs=epochs, published_psnr_db=None)
        for row in rows
    ]


def run(options: argparse.Namespace, budget: Budget) -> bool:
    """Run the rows, one after the other; return whether all of them are done.

    Raises:
        NervidError: If the clip, the device or the commit is missing, or something cannot be written.
    """
    device = _device(options.device)
    setting = Setting(
        device=device,
        seed=options.seed,
        precision="auto",
        command="",
        commit=options.commit or _commit(),
        hardware=hardware(),
    )
    rows = chosen(options)
    # Trials leave their records beside their checkpoints: the results are for the published settings.
    is_trial = all(row.published_psnr_db is None for row in rows)
    results = options.results or (options.work / "results" if is_trial else records.RESULTS)
    try:
        for row in rows:
            known = records.read_record(results, row.name)
            if known and (options.network_only or records.is_finished(known)):
                _say(f"{row.name}: done before")
                continue
            one = replace(setting, command=_command(row, options, device))
            clip = row_clip(row, options.clip)
            attempt = RowRun(row, clip, one, options.work / row.name, budget, _say)
            _keep(row, attempt.measure_network(), results)
            if not options.network_only:
                _keep(row, attempt.measure_file(), results)
                attempt.forget()
    except OutOfTimeError:
        _say("the time is over; the same command goes on")
        return False
    finally:
        if options.out is not None:
            records.combine(results, rows, options.out)
    _say("all rows are done")
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = parse(arguments)
    budget = Budget(options.seconds)
    for number in (signal.SIGINT, signal.SIGTERM):
        # Stopped like this, a fit saves its state first.
        signal.signal(number, lambda *_: budget.stop())
    try:
        if options.collect is not None:
            taken = records.collect(options.collect, options.results or records.RESULTS)
            _say(f"took over {', '.join(taken) or 'nothing'}")
            return 0
        return 0 if run(options, budget) else OUT_OF_TIME
    except NervidError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


def _keep(row: PaperRow, record: records.Record, results: Path) -> None:
    """Write the record and, where the paper gives a figure, the bar."""
    records.write_record(results, record)
    if row.published_psnr_db is not None:
        records.keep_bars([records.bar_of(row, record)])


def _device(name: str) -> str:
    """Choose the device and set it up: float32 convolutions exact, those of fixed shape tried for speed."""
    has_cuda = torch.cuda.is_available()
    if name.startswith("cuda") and not has_cuda:
        raise InputError(f"device {name} was asked for, but no CUDA device is there; use --device cpu")
    device = name if name != "auto" else "cuda" if has_cuda else "cpu"
    if device.startswith("cuda"):
        # Off, or SSIM's windows and the measured frames would be computed with ten bits of mantissa.
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = True
    return device


def _commit() -> str:
    """The checked-out commit."""
    try:
        return commit()
    except InputError:
        raise InputError("no git checkout here; name the code that is measured with --commit") from None


def _command(row: PaperRow, options: argparse.Namespace, device: str) -> str:
    """What to type to measure the row again."""
    name = row.name.removesuffix(f"-{options.epochs}-epochs")
    words = ["python -m benchmarks.reproduce", "--smallest" if options.smallest else f"--rows {name}"]
    words += [] if options.epochs is None else ["--epochs", str(options.epochs)]
    words += [] if options.seed == 1 else ["--seed", str(options.seed)]
    return " ".join([*words, "--device", device])


def _say(line: str) -> None:
    print(line, flush=True)


def _short(path: Path) -> str:
    return os.path.relpath(path, ROOT)


if __name__ == "__main__":
    sys.exit(main())
