"""Runs of the meta-learning benchmark: several processes of one thread each, finished ones kept."""

import hashlib
import json
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import torch

from benchmarks.bars import ROOT

WORK: Final = ROOT / "out" / "meta"
"""Finished runs and unfinished learning; git ignores it."""
WORKERS: Final = 2
DECIDING: Final = ("compress", "fit", "initializations", "models")
"""Folders of the library whose code decides what a fit leads to."""

Facts = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One piece of work."""

    key: str
    """Names all that decides its outcome."""
    arguments: tuple[Any, ...]
    """What the function is called with; both it and they go to another process."""


class Runs:
    """Does pieces of work, side by side, and remembers what came out.

    Use it in a ``with`` statement. Times that runs measure are those of one thread beside others.

    Args:
        folder: Keeps what is finished, so that the same call goes on after a break; None keeps nothing.
        workers: Processes; 0 works in this one.
    """

    def __init__(self, folder: Path | None, workers: int = WORKERS) -> None:
        self._path = None if folder is None else folder / "finished.jsonl"
        self._known: dict[str, Facts] = {}
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._known = _read(self._path)
        self._pool: ProcessPoolExecutor | None = None
        if workers:
            self._pool = ProcessPoolExecutor(
                workers, mp_context=multiprocessing.get_context("spawn"), initializer=_one_thread
            )

    def outcomes(self, function: Callable[..., Facts], runs: Sequence[Run]) -> list[Facts]:
        """Return what ``function`` returns for each run, in order; JSON objects.

        Args:
            function: A module's own, if there are workers. Its name belongs to the runs' names.
            runs: Those that are known already are not done again.
        """
        names = [f"{function.__name__} {run.key}" for run in runs]
        missing = {name: run for name, run in zip(names, runs, strict=True) if name not in self._known}
        if self._pool is None:
            for name, run in missing.items():
                self._keep(name, function(*run.arguments))
        else:
            started = {self._pool.submit(function, *run.arguments): name for name, run in missing.items()}
            for done in as_completed(started):
                self._keep(started[done], done.result())
        return [self._known[name] for name in names]

    def _keep(self, name: str, facts: Facts) -> None:
        self._known[name] = facts
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"name": name, "facts": facts}) + "\n")

    def __enter__(self) -> "Runs":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def key_of(*parts: object) -> str:
    """Return a short name for what parts say, bytes as they are, all else by its ``repr``."""
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else repr(part).encode()
        digest.update(f"{len(data)} ".encode() + data)
    return digest.hexdigest()[:32]


@cache
def code_version(package: Path = ROOT / "src" / "nervid", folders: tuple[str, ...] = DECIDING) -> str:
    """Return a hash over the code in some of the library's folders, committed or not."""
    paths = sorted(path for folder in folders for path in (package / folder).rglob("*.py"))
    return key_of(*(part for path in paths for part in (path.name, path.read_bytes())))


def _read(path: Path) -> dict[str, Facts]:
    """Return what is kept; a last line that a kill cut short is dropped."""
    known = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            known[entry["name"]] = entry["facts"]
        # A cut line has no end of line, and the next entry would be glued to it.
        lines = [json.dumps({"name": name, "facts": facts}) + "\n" for name, facts in known.items()]
        path.write_text("".join(lines), encoding="utf-8")
    return known


def _one_thread() -> None:
    torch.set_num_threads(1)
