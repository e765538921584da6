"""RowState: what is known of an unfinished row, kept between calls."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.reproduction.records import write_text

_NAME: Final = "state.json"


@dataclass(slots=True, kw_only=True)
class RowState:
    """Facts about one row in one folder; :meth:`write` keeps them."""

    folder: Path
    """Where they are kept, with the row's checkpoint and file."""
    key: str
    """Names the row and how it is run; facts of another key are not taken over."""
    network: dict[str, Any] | None = None
    """Quality of the network in float weights, once measured."""
    file: dict[str, Any] | None = None
    """What playing the file gave, once it has been played."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Time that each part took, over all calls."""
    restarts: dict[str, int] = field(default_factory=dict)
    """Times that a diverging fit went back, by phase."""
    calls: int = 0
    """Calls that worked on the row."""
    commits: list[str] = field(default_factory=list)
    """The code that they ran, oldest first."""

    @classmethod
    def read(cls, folder: Path, key: str) -> "RowState":
        """Return what earlier calls kept under this key, or a fresh state."""
        try:
            known = json.loads((folder / _NAME).read_text(encoding="utf-8"))
            if known["key"] == key:
                return cls(folder=folder, **known)
        except (OSError, ValueError, TypeError, KeyError):
            pass
        return cls(folder=folder, key=key)

    def write(self) -> None:
        """Keep the state.

        Raises:
            OutputError: If the folder cannot be written.
        """
        facts = asdict(self)
        del facts["folder"]
        write_text(self.folder / _NAME, json.dumps(facts, indent=2) + "\n")

    def forget(self) -> None:
        """Remove the state: the row is finished."""
        (self.folder / _NAME).unlink(missing_ok=True)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the time of the block to that of earlier calls, however it ends."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds[part] = self.seconds.get(part, 0.0) + time.monotonic() - start
            self.write()
