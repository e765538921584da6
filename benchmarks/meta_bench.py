"""What the parts of the meta-learning benchmark share: files, what other parts found, bars."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.bars import ROOT, record
from benchmarks.meta_curves import Row, best_trial
from benchmarks.meta_fits import Trial
from benchmarks.meta_runs import Runs
from nervid.errors import InputError

COMMAND: Final = "python -m benchmarks.meta"
RESULTS: Final = ROOT / "benchmarks" / "results"

Tables = dict[str, list[Row]]
"""Rows that a part found, by what they are: ``rows``, ``files``."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What all parts need."""

    runs: Runs
    initializations: Mapping[str, str]
    """Files by family."""
    is_recorded: bool
    """Whether bars go into bars.json."""
    finished: Mapping[str, Tables] = field(default_factory=dict)
    """Rows of the parts that ran before in this process."""

    def keep(
        self, row: str, value: float, unit: str, target: str, met: bool, reason: str | None = None
    ) -> None:
        """Print one bar, and record it if these are the shipped initializations."""
        print(f"{row}: {value:.4g} {unit} ({target}{'' if met else ', missed'})", flush=True)
        if self.is_recorded:
            record("metanerv", row, round(value, 4), unit, target, met, COMMAND, reason)

    def found(self, part: str) -> list[Row]:
        """Return the rows of a part that ran before, here or with its results kept.

        Raises:
            InputError: If it did not run.
        """
        path = result_file(part)
        if part in self.finished:
            return self.finished[part]["rows"]
        if not path.is_file():
            raise InputError(f"{path.name}: no such result; run first: {COMMAND} {part}")
        rows: list[Row] = json.loads(path.read_text(encoding="utf-8"))["rows"]
        return rows

    def trial(self, family: str, size: int) -> Trial:
        """Return how random weights of a family take few steps at a size."""
        return best_trial(self.found("tune"), family, size)


def result_file(part: str) -> Path:
    """Return where a part's rows are kept."""
    return RESULTS / f"meta_{part}.json"
