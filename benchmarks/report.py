"""Write docs/results.md from the JSON that the benchmarks leave; ``make results`` runs it.

python -m benchmarks.report

No number on that page is typed by hand but the papers' own. An empty cell has not been measured.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.bars import ROOT, Bar, from_json, unmet_first
from benchmarks.report_parts import PARTS, Part
from benchmarks.reproduction.records import write_text
from benchmarks.reproduction.report import reproduction
from benchmarks.retrieval_table import retrieval
from benchmarks.tables import cell, heading, paragraph, table, table_of
from nervid.errors import InputError, NervidError

PAGE: Final = ROOT / "docs" / "results.md"

_PROVENANCE = ("command", "arguments", "commit", "hardware", "measured_seconds")
_UNSHOWN = (*_PROVENANCE, "slug", "issue")


RETRIEVAL: Final = "retrieval.json"
"""The file that has a page's part written for it, ``benchmarks.retrieval_table``."""


def page(benchmarks: Path) -> str:
    """Return the page's text.

    Args:
        benchmarks: Folder with ``bars.json`` and ``results``; what is missing there is missing on the page.

    Raises:
        InputError: If a file there is not JSON, or not what its section shows.
    """
    results = benchmarks / "results"
    known = [*(part.file for part in PARTS), RETRIEVAL]
    others = sorted(path.name for path in results.glob("*.json") if path.name not in known)
    parts = [*PARTS, *(Part(file=name, title=heading(Path(name).stem).capitalize()) for name in others)]
    blocks = ["# Results\n"]
    blocks.append(
        paragraph(
            """Written by `make results` from the JSON under `benchmarks/results`; never edited. An empty cell
            has not been measured. Words and units are those of the [conventions](conventions.md); the
            [log](log.md) says why things are as they are."""
        )
    )
    blocks += reproduction(results / "reproduce")
    if (results / RETRIEVAL).is_file():
        blocks += retrieval(_read(results / RETRIEVAL))
    for part in parts:
        if (results / part.file).is_file():
            blocks += _section(part, _read(results / part.file), benchmarks.parent / "docs" / "images")
    bars = benchmarks / "bars.json"
    blocks += _bars(from_json(bars.read_text(encoding="utf-8"))) if bars.is_file() else []
    return "\n".join(blocks)


def _read(path: Path) -> Any:  # noqa: ANN401 - whatever a benchmark wrote
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}); run its benchmark again") from None


def _section(part: Part, facts: Any, images: Path) -> Iterator[str]:  # noqa: ANN401
    """A file's lists of rows as tables, its single values as one row, and where it was measured."""
    yield f"## {part.title}\n"
    yield paragraph(f"{part.text} ([JSON](../benchmarks/results/{part.file}))")
    for file, words in part.pictures:
        if (images / file).is_file():
            yield f"![{words}](images/{file})\n"
    facts = facts if isinstance(facts, Mapping) else {"rows": facts}
    tables = {key: value for key, value in facts.items() if _is_rows(value)}
    single = {key: value for key, value in facts.items() if key not in tables and key not in _PROVENANCE}
    if single:
        yield table_of([single])
    for key, rows in tables.items():
        if key != "rows":
            yield f"{heading(key)}:\n"
        yield table_of(rows, leave_out=_unshown(rows))
    if any(facts.get(key) for key in _PROVENANCE):
        yield _provenance(facts) + "\n"


def _unshown(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Keys that get no column; rows that were measured at different commits each say theirs."""
    commits = {row["commit"] for row in rows if row.get("commit")}
    return set(_UNSHOWN) - ({"commit"} if len(commits) > 1 else set())


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _provenance(facts: Mapping[str, Any]) -> str:
    """One sentence on what measured."""
    words = f"`{facts['command']}`" if facts.get("command") else "Measured"
    if facts.get("commit"):
        name, dash, dirty = str(facts["commit"]).partition("-")
        words += f" at {name[:7]}{dash}{dirty}"
    if facts.get("hardware"):
        words += f" on {_machine(facts['hardware'])}"
    if facts.get("measured_seconds"):
        words += f", in {cell(facts['measured_seconds'])} s"
    return words


def _machine(hardware: object) -> str:
    if not isinstance(hardware, Mapping):
        return str(hardware)
    name = hardware.get("gpu") or hardware.get("cpu") or "an unnamed machine"
    cores = hardware.get("cores")
    return f"{name}, {cores} cores" if cores else str(name)


def _bars(bars: list[Bar]) -> Iterator[str]:
    """All promises, missed ones first."""
    yield "## Promises\n"
    yield f"{sum(bar.met for bar in bars)} of {len(bars)} met, missed ones first.\n"
    yield table(
        ["met", "what", "measured", "promised", "why missed", "at"],
        [
            [
                cell(bar.met),
                f"{bar.issue}: {bar.row}",
                f"{cell(bar.value)} {bar.unit}",
                bar.target,
                "" if bar.met else bar.reason or "not known",
                f"{bar.commit}, {bar.hardware.gpu or bar.hardware.cpu}",
            ]
            for bar in unmet_first(bars)
        ],
    )


def main() -> int:
    """Write the page and return the exit code."""
    try:
        write_text(PAGE, page(ROOT / "benchmarks"))
    except NervidError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
