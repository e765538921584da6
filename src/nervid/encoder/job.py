"""The side folder of a long encoding: finished segments, the running one's checkpoint, time spent."""

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nervid.errors import OutputError


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedSegment:
    """A segment as it goes into the file, and what was measured of it."""

    modl: bytes
    """Payload of section MODL."""
    wght: bytes
    """Payload of section WGHT."""
    embd: bytes | None
    """Payload of section EMBD, if the representation stores embeddings."""
    psnr_db: float
    """Mean PSNR of its decoded frames."""
    parameters: int
    """Weights and embedding values."""

    @property
    def size_bytes(self) -> int:
        """Bytes of the three payloads."""
        return len(self.modl) + len(self.wght) + len(self.embd or b"")


class Job:
    """Remembers an encoding on disk so that the same command goes on where it was stopped.

    Args:
        folder: Where to keep it; created if missing. A folder of another clip or other options is emptied.
        key: Names clip, options and version.

    Raises:
        OutputError: If the folder cannot be written.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._folder = folder
        self.resumed = False
        try:
            if folder.is_dir():
                known = _read_json(folder / "job.json")
                self.resumed = known is not None and known.get("key") == key
                if not self.resumed:
                    shutil.rmtree(folder)
            folder.mkdir(parents=True, exist_ok=True)
            if not self.resumed:
                self._write_json("job.json", {"key": key, "seconds": 0.0})
        except OSError as error:
            raise OutputError(f"cannot write {folder}: {error.strerror}; choose another output") from error
        self._key = key

    @property
    def seconds(self) -> float:
        """Time spent in earlier runs, in seconds."""
        return float((_read_json(self._folder / "job.json") or {}).get("seconds", 0.0))

    def add_seconds(self, seconds: float) -> None:
        """Add the time of this run, if it can be written; no result depends on it."""
        with suppress(OSError):
            self._write_json("job.json", {"key": self._key, "seconds": self.seconds + seconds})

    def checkpoint(self, name: str) -> Path:
        """Return the path of the checkpoint of the fit called ``name``."""
        return self._folder / f"{name}.safetensors"

    def load(self, name: str) -> CodedSegment | None:
        """Return the finished fit called ``name``, or None."""
        facts = _read_json(self._folder / f"{name}.json")
        if facts is None:
            return None
        blob = (self._folder / f"{name}.bin").read_bytes()
        modl, wght, embd = (int(facts[key]) for key in ("modl", "wght", "embd"))
        if len(blob) != modl + wght + max(embd, 0):
            return None
        return CodedSegment(
            modl=blob[:modl],
            wght=blob[modl : modl + wght],
            embd=blob[modl + wght :] if embd >= 0 else None,
            psnr_db=float(facts["psnr_db"]),
            parameters=int(facts["parameters"]),
        )

    def store(self, name: str, segment: CodedSegment) -> None:
        """Keep a finished fit and drop its checkpoint; the small JSON file comes last and makes it valid."""
        try:
            (self._folder / f"{name}.bin").write_bytes(segment.modl + segment.wght + (segment.embd or b""))
            self._write_json(
                f"{name}.json",
                {
                    "modl": len(segment.modl),
                    "wght": len(segment.wght),
                    "embd": -1 if segment.embd is None else len(segment.embd),
                    "psnr_db": segment.psnr_db,
                    "parameters": segment.parameters,
                },
            )
            self.checkpoint(name).unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot write {self._folder}: {error.strerror}; free space, then run again"
            ) from error

    def remove(self) -> None:
        """Delete the folder: the result is in place."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write_json(self, name: str, value: dict[str, Any]) -> None:
        beside = self._folder / (name + ".new")
        beside.write_text(json.dumps(value), encoding="utf-8")
        beside.replace(self._folder / name)


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
