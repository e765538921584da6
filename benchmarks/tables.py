"""Tables and text as Markdown: rows of JSON, whatever columns they have."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
"""One row of a measurement as JSON has it; values may be objects and lists of plain values."""

_UNITS = {"db": "dB", "bytes": "bytes", "seconds": "s"}
_NAMES = {"psnr": "PSNR", "ms-ssim": "MS-SSIM"}


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay cells out as a Markdown table; a ``|`` or a line break in a cell does not break it.

    Args:
        headings: Of the columns.
        rows: As many cells each.
    """
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join("| " + " | ".join(map(_one_line, line)) + " |\n" for line in lines)


def table_of(rows: Sequence[Row], *, leave_out: Iterable[str] = ()) -> str:
    """Lay rows out with a column for every key that one of them has, in the order of first appearance.

    A value beside a ``unit`` takes it into its cell; objects become a column for each of their keys.

    Args:
        rows: The rows, empty cells where one lacks a key.
        leave_out: Keys that get no column.
    """
    hidden = set(leave_out)
    flat = [flattened(_with_unit(row)) for row in rows]
    keys = [key for key in dict.fromkeys(key for row in flat for key in row) if key not in hidden]
    return table(
        [heading(key) for key in keys], [[_cell_of(key, row.get(key)) for key in keys] for row in flat]
    )


def flattened(row: Row) -> dict[str, Any]:
    """Give the values inside an object columns of their own, named after both keys."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}: {inner}": item for inner, item in flattened(value).items()}
        else:
            flat[key] = value
    return flat


def heading(key: str) -> str:
    """Turn a key of JSON into words, its unit in parentheses: ``psnr_db`` into "PSNR (dB)"."""
    name, _, unit = key.rpartition("_")
    if name and unit in _UNITS:
        return f"{heading(name)} ({_UNITS[unit]})"
    words = key.replace("ms_ssim", "ms-ssim").replace("_", " ").split(" ")
    return " ".join(_NAMES.get(word, word) for word in words)


def cell(value: object) -> str:
    """Write a value for a reader: four digits that count, thousands apart, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(cell, value))
    return str(value)


def decibels(value: float | None) -> str:
    """Write a PSNR: two digits after the point, nothing for None."""
    return "" if value is None else f"{value:.2f}"


def paragraph(text: str) -> str:
    """Break text into lines of even length, whatever the numbers in it."""
    return textwrap.fill(" ".join(text.split()), 118, break_long_words=False, break_on_hyphens=False) + "\n"


def _cell_of(key: str, value: object) -> str:
    return decibels(value) if key.endswith("_db") and isinstance(value, float) else cell(value)


def _with_unit(row: Row) -> Row:
    if "value" not in row or "unit" not in row:
        return row
    merged = f"{cell(row['value'])} {row['unit'] or ''}".strip()
    return {key: merged if key == "value" else item for key, item in row.items() if key != "unit"}


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
