"""Records: the JSON that each row leaves, one file with all of them, and their bars."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.bars import BARS, ROOT, Bar, Hardware, load, merge, to_json
from benchmarks.reproduction.rows import ROWS, TOLERANCE_DB, PaperRow
from nervid.errors import InputError, OutputError

RESULTS: Final = ROOT / "benchmarks" / "results" / "reproduce"
"""One JSON file for each row."""
COMBINED: Final = "reproduce.json"
"""Name of the one file with all rows, for bringing them from another machine."""

Record = dict[str, Any]
"""What a row leaves; ``benchmarks.reproduction.run`` says what is in it."""


def is_finished(record: Record | None) -> bool:
    """Tell whether the network and its file have been measured."""
    return record is not None and record["file"] is not None


def read_record(folder: Path, name: str) -> Record | None:
    """Return what the row of that name left in ``folder``, None if nothing."""
    path = folder / f"{name}.json"
    if not path.is_file():
        return None
    record: Record = json.loads(path.read_text(encoding="utf-8"))
    return record


def write_record(folder: Path, record: Record) -> None:
    """Keep what a row left, in place of what it left before.

    Raises:
        OutputError: If it cannot be written.
    """
    write_text(folder / f"{record['name']}.json", json.dumps(record, indent=2) + "\n")


def combine(folder: Path, rows: Iterable[PaperRow], out: Path) -> Path:
    """Put the records of ``rows`` that are in ``folder`` into one file in ``out``; return its path."""
    found = [record for row in rows if (record := read_record(folder, row.name)) is not None]
    write_text(out / COMBINED, json.dumps({"rows": found}, indent=2) + "\n")
    return out / COMBINED


def collect(combined: Path, folder: Path, bars: Path = BARS) -> list[str]:
    """Take over the records of a combined file, except where ``folder`` knows more, and their bars.

    Returns:
        The names of the rows taken over.

    Raises:
        InputError: If the file is not one that :func:`combine` wrote.
        OutputError: If records or bars cannot be written.
    """
    try:
        records = json.loads(combined.read_text(encoding="utf-8"))["rows"]
        names = {row.name for row in ROWS}
        taken = [record for record in records if record["name"] in names]
        taken = [r for r in taken if is_finished(r) or not is_finished(read_record(folder, r["name"]))]
        rows = {row.name: row for row in ROWS}
        kept = [bar_of(rows[record["name"]], record) for record in taken]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{combined} is no {COMBINED} that benchmarks.reproduce wrote ({type(error).__name__}: {error})"
        ) from None
    for record in taken:
        write_record(folder, record)
    keep_bars(kept, bars)
    return [record["name"] for record in taken]


def bar_of(row: PaperRow, record: Record) -> Bar:
    """Return the promise that the row is reproduced, with the commit and the machine that measured it."""
    least = row.least_psnr_db
    assert least is not None
    value = record["network"]["psnr_db"]
    return Bar(
        issue="engine",
        row=f"{row.label}, Bunny {row.model.width}x{row.model.height}, {row.epochs} epochs: PSNR",
        value=round(value, 2),
        unit="dB",
        target=f">= {least:.2f} ({row.table}: {record['published_psnr_db']:.2f}, less {TOLERANCE_DB})",
        met=value >= least,
        command=record["command"],
        commit=record["commit"],
        hardware=Hardware(**record["hardware"]),
    )


def keep_bars(new: Sequence[Bar], path: Path = BARS) -> None:
    """Merge bars, each with its own commit and machine, into the file of bars.

    Raises:
        InputError: If the file is not one of bars.
        OutputError: If it cannot be written.
    """
    bars = load(path)
    for bar in new:
        bars = merge(bars, bar)
    write_text(path, to_json(bars))


def write_text(path: Path, text: str) -> None:
    """Write a file beside its place and rename it there, its folder created.

    Raises:
        OutputError: If it cannot be written.
    """
    partial = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
