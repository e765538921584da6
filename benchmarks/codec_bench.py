"""What the parts of the codec benchmark share: what was chosen, finished work, results, bars."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.bars import BARS, ROOT, commit, hardware, record
from benchmarks.codec_clips import CLASSES, NAMES, Source, chosen
from benchmarks.meta_runs import Runs
from nervid.errors import InputError, OutputError

ISSUE: Final = "nervid-codec"
COMMAND: Final = "python -m benchmarks.codec"
RESULTS: Final = ROOT / "benchmarks" / "results"
WORK: Final = ROOT / "out" / "codec"
"""Finished work and files; git ignores it."""
CORES: Final = 2
"""Cores for which times and speeds are promised."""
NETWORKS: Final = ("nervid", "hnerv", "nerv")
PRESETS: Final = ("fast", "balanced", "best")
"""Efforts of nervid whose curves the page shows."""

Row = dict[str, Any]
Tables = dict[str, list[Row]]
"""Rows that a part found, by what they are: ``rows``, ``curves``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is measured; everything by default."""

    clips: tuple[str, ...] = ()
    """Names; none means all."""
    classes: tuple[str, ...] = tuple(CLASSES)
    networks: tuple[str, ...] = NETWORKS
    preset: str = "balanced"
    """Effort of nervid's encodings."""
    epochs: int | None = None
    """Passes over the frames for the papers' networks, instead of those of their class."""
    workers: int = 0
    """Encodings side by side, of one thread each, in curves; 0 for one at a time with all cores."""
    code: str | None = None
    """Version of the code of which finished encodings are taken, instead of this one's."""

    @property
    def sources(self) -> tuple[Source, ...]:
        """The clips."""
        return chosen(self.clips)

    @property
    def words(self) -> str:
        """The options of the command that differ from its defaults, each with a space before it."""
        usual, words = Choice(), ""
        for option in ("clips", "classes", "networks"):
            if getattr(self, option) != getattr(usual, option):
                words += f" --{option} {' '.join(getattr(self, option))}"
        for option in ("preset", "epochs", "workers", "code"):
            if getattr(self, option) != getattr(usual, option):
                words += f" --{option} {getattr(self, option)}"
        return words

    @property
    def has_all_clips(self) -> bool:
        """Whether means are those that are promised."""
        return len(self.sources) == len(NAMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all parts are given."""

    runs: Runs
    choice: Choice
    part: str
    is_recorded: bool = True
    """Whether results and bars are written; not for toys."""
    work: Path = WORK
    results: Path = RESULTS
    bars: Path = BARS

    @property
    def command(self) -> str:
        """What to type to measure it again."""
        return f"{COMMAND} {self.part}{self.choice.words}"

    def keep(self, row: str, value: float, unit: str, target: str, met: bool) -> None:
        """Print one bar, and record it unless these are toys.

        Args:
            row: What is measured.
            value: The measurement.
            unit: Its unit.
            target: What was promised; in parentheses what was hoped for.
            met: Whether the promise is kept.
        """
        print(f"{row}: {value:.4g} {unit} ({target}{'' if met else ', missed'})", flush=True)
        if self.is_recorded:
            record(ISSUE, row, round(value, 4), unit, target, met, self.command, path=self.bars)

    def write(self, name: str, tables: Tables) -> None:
        """Write ``codec_NAME.json`` unless these are toys.

        Args:
            name: The part, with what tells its files apart.
            tables: What was found.

        Raises:
            OutputError: If it cannot be written.
        """
        if not self.is_recorded:
            return
        facts: dict[str, Any] = {"command": self.command, "commit": commit()}
        facts |= {"hardware": asdict(hardware())} | tables
        path = self.results / f"codec_{name}.json"
        try:
            path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror}; make room for it") from error

    def need_cores(self) -> None:
        """Refuse to take times that are promised for other cores.

        Raises:
            InputError: If this process may use more or fewer cores than ``CORES``.
        """
        cores = hardware().cores
        if self.is_recorded and cores != CORES:
            raise InputError(
                f"{self.part} is promised for {CORES} cores, this process may use {cores}; "
                f"run it under taskset -c 0-{CORES - 1}"
            )


def rows_of(results: Path, name: str, key: str) -> list[Row]:
    """Return rows of ``codec_NAME.json``; none where there is no such file."""
    path = results / f"codec_{name}.json"
    if not path.is_file():
        return []
    facts: Mapping[str, list[Row]] = json.loads(path.read_text(encoding="utf-8"))
    return facts.get(key, [])
