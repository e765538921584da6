"""Keep every measured promise in one file, benchmarks/bars.json, and print what is met and what is not.

python benchmarks/bars.py
"""

import argparse
import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nervid.errors import InputError, NervidError, OutputError

ROOT = Path(__file__).resolve().parent.parent
BARS = ROOT / "benchmarks" / "bars.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """The machine that measured."""

    cpu: str
    """Model name as the system reports it."""
    cores: int
    """Cores this process may use."""
    gpu: str | None
    """Name of the first CUDA device, None without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One promise with its measurement; ``issue`` and ``row`` together name it."""

    issue: str
    """Slug of the issue that made the promise."""
    row: str
    """What is measured, in a few words, unique within the issue."""
    value: float
    """The measurement, finite."""
    unit: str
    """Unit of the value: dB, bpp, seconds, %."""
    target: str
    """What was promised, with its relation, such as ``>= 30``."""
    met: bool
    command: str
    """What to type to measure it again."""
    reason: str | None = None
    """Why a bar is missed; None when it is met or nobody knows yet."""
    commit: str
    """Short hash of the commit measured, with ``-dirty`` when tracked files differed from it."""
    hardware: Hardware

    @property
    def key(self) -> tuple[str, str]:
        """What names this bar."""
        return self.issue, self.row


def commit(root: Path = ROOT) -> str:
    """Name the checked-out commit, with ``-dirty`` when a tracked file differs from it.

    What benchmarks write, bars.json and the folder results, does not count.

    Raises:
        InputError: If ``root`` is not a git checkout with at least one commit.
    """
    # Recording changes these, which say nothing about the code that was measured.
    written = (":(exclude)benchmarks/bars.json", ":(exclude)benchmarks/results")
    difference = ["git", "diff", "--quiet", "HEAD", "--", ".", *written]
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True, check=True
        )
        dirty = subprocess.run(difference, cwd=root, capture_output=True, check=False).returncode != 0
    except (OSError, subprocess.CalledProcessError):
        raise InputError(f"wanted a git checkout with a commit at {root}, found none; clone nervid") from None
    return done.stdout.strip() + ("-dirty" if dirty else "")


def hardware() -> Hardware:
    """Describe this machine."""
    # Printing the bars needs no torch, which takes seconds to load.
    import torch

    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return Hardware(cpu=cpu, cores=len(os.sched_getaffinity(0)), gpu=gpu)


def merge(bars: Iterable[Bar], new: Bar) -> list[Bar]:
    """Put ``new`` in the place of the bar of the same name, or add it, and sort by issue and row.

    A bar that is missed again keeps the reason it had, unless the new one brings its own.
    """
    by_key = {bar.key: bar for bar in bars}
    old = by_key.get(new.key)
    if old is not None and not new.met and new.reason is None:
        new = replace(new, reason=old.reason)
    by_key[new.key] = new
    return [by_key[key] for key in sorted(by_key)]


def unmet_first(bars: Iterable[Bar]) -> list[Bar]:
    """Order bars for reading: missed ones before met ones, each by issue and row."""
    return sorted(bars, key=lambda bar: (bar.met, bar.key))


def to_json(bars: Sequence[Bar]) -> str:
    """Write bars as canonical JSON: sorted keys, two spaces, one newline at the end."""
    rows = [asdict(bar) for bar in bars]
    return json.dumps(rows, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def from_json(text: str) -> list[Bar]:
    """Read bars from the JSON that ``to_json`` writes.

    Raises:
        InputError: If the text is not that.
    """
    try:
        return [Bar(**{**row, "hardware": Hardware(**row["hardware"])}) for row in json.loads(text)]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"wanted the JSON list that bars.py writes, got something else ({error}); restore it from git"
        ) from None


def load(path: Path = BARS) -> list[Bar]:
    """Read the bars recorded so far; none when there is no file yet."""
    return from_json(path.read_text(encoding="utf-8")) if path.is_file() else []


def record(
    issue: str,
    row: str,
    value: float,
    unit: str,
    target: str,
    met: bool,
    command: str,
    reason: str | None = None,
    *,
    path: Path = BARS,
) -> Bar:
    """Merge one measurement, with the commit and the machine, into the file of bars.

    Args:
        issue: Slug of the issue that made the promise.
        row: What is measured; issue and row together name the bar.
        value: The measurement, finite.
        unit: Unit of the value.
        target: What was promised, with its relation, such as ``>= 30``.
        met: Whether the value keeps the promise.
        command: What to type to measure it again.
        reason: Why a bar is missed. A bar missed again keeps the reason it had.
        path: The JSON file; created when it is missing, replaced by rename.

    Returns:
        The bar as it was recorded.

    Raises:
        InputError: If the value is not finite, the file is not one of bars, or this is no git checkout.
        OutputError: If the file cannot be written.
    """
    if not math.isfinite(value):
        raise InputError(f"bar {row!r}: wanted a finite value, got {value}; measure it again")
    new = Bar(
        issue=issue,
        row=row,
        value=value,
        unit=unit,
        target=target,
        met=met,
        command=command,
        reason=reason,
        commit=commit(),
        hardware=hardware(),
    )
    bars = merge(load(path), new)
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_text(to_json(bars), encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
    return next(bar for bar in bars if bar.key == new.key)


def show(bars: Iterable[Bar]) -> Table:
    """Lay bars out as a table, missed ones first with their reason."""
    table = Table("", "issue", "row", "value", "target", "measured at", box=None, header_style="bold")
    for bar in unmet_first(bars):
        value = f"{bar.value:.4g} {bar.unit}"
        verdict = "[green]met[/]" if bar.met else "[red]missed[/]"
        where = f"{bar.commit}, {bar.hardware.gpu or bar.hardware.cpu}"
        row = bar.row if bar.met else f"{bar.row}: {bar.reason or 'no reason known'}"
        table.add_row(verdict, bar.issue, escape(row), escape(value), escape(bar.target), escape(where))
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    argparse.ArgumentParser(description="Print the recorded bars, missed ones first.").parse_args(arguments)
    try:
        bars = load()
    except NervidError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    console = Console()
    console.print(show(bars))
    console.print(f"{sum(bar.met for bar in bars)} of {len(bars)} bars met")
    return 0


if __name__ == "__main__":
    sys.exit(main())
