"""What the command line shows: results on stdout, everything else on stderr."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def stdout() -> Console:
    """Return the console for results."""
    return Console(file=sys.stdout, highlight=False)


def stderr() -> Console:
    """Return the console for progress, warnings and errors; a line stays one line, however long."""
    return Console(file=sys.stderr, highlight=False, soft_wrap=True)


def print_error(error: BaseException) -> None:
    """Print ``ErrorName: message`` as one line."""
    stderr().print(f"{type(error).__name__}: {error}", style="red", markup=False)


def print_warning(line: str) -> None:
    """Print one line that the user should know."""
    stderr().print(f"warning: {line}", style="yellow", markup=False)


def print_note(line: str) -> None:
    """Print one line that is good to know."""
    stderr().print(line, markup=False)


def print_json(value: Mapping[str, Any]) -> None:
    """Print a result as one JSON document."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_facts(title: str, facts: Sequence[tuple[str, str]]) -> None:
    """Print a table of names and values."""
    table = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    for name, value in facts:
        table.add_row(name, value)
    stdout().print(table)


def bytes_text(count: float) -> str:
    """Return a size for people: ``812 B``, ``46.1 kB``, ``3.20 MB`` (1000s)."""
    if count < 1000:
        return f"{count:.0f} B"
    for unit, factor in (("kB", 1e3), ("MB", 1e6)):
        if count < 1000 * factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count / 1e9:.3g} GB"


def time_text(seconds: float) -> str:
    """Return a time for people: ``42 s``, ``3:07 min``, ``2:05 h``; ``-`` if it is not known."""
    if not seconds < 1e8:
        return "-"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
