"""Aligned files and a teacher to test with: a space of three numbers that mean red, green and blue.

The files are real ones, with their vectors in two ancillary sections that other readers skip; ``install``
lets search read those in place of ALGN, so that every test knows each frame's vector to the last bit.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from nervid.container import (
    EMBD,
    MODL,
    TIME,
    WGHT,
    WHOLE_FILE,
    EvenTimestamps,
    Header,
    NervFile,
    Section,
    encode_timestamps,
    pack,
)
from nervid.decoder.alignment import FrameVectors
from nervid.errors import InputError
from nervid.teachers import TeacherRecord

COLORS = {"red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0), "blue": (0.0, 0.0, 1.0)}
RECORD = TeacherRecord(name="colors", revision="1", sha256="ab" * 32, dimension=3)
JUNK = bytes(range(256)) * 400
"""Weights that no network could have, larger than all the rest of a file."""


@dataclass
class ColorTeacher:
    """A teacher that knows three words, and of a picture its mean color."""

    record: TeacherRecord = RECORD
    device: str = "cpu"
    asked: list[str] = field(default_factory=list)
    answer: Tensor | None = None
    """What it returns whatever it is asked, in place of what it knows."""

    def images(self, frames: UInt8[Tensor, "frames 3 height width"]) -> Float[Tensor, "frames dimension"]:
        means = frames.float().mean(dim=(2, 3))
        return means / means.norm(dim=1, keepdim=True) if self.answer is None else self.answer

    def text(self, queries: Sequence[str]) -> Float[Tensor, "queries dimension"]:
        self.asked += queries
        return torch.tensor([COLORS[query] for query in queries]) if self.answer is None else self.answer


def vectors_of(words: Sequence[str]) -> Float[np.ndarray, "frames dimension"]:
    """Return the vector of each word, one frame a word."""
    return np.array([COLORS[word] for word in words], dtype=np.float32)


def write_aligned(
    path: Path,
    vectors: Float[np.ndarray, "frames dimension"],
    *,
    record: TeacherRecord | None = RECORD,
    ticks: Sequence[int] | None = None,
    frame_rate: int = 10,
) -> Path:
    """Write a file with a vector per frame and weights that cannot be decoded.

    Args:
        path: The file.
        vectors: One row per frame.
        record: The teacher; None for a file without alignment.
        ticks: Milliseconds of each frame; evenly spaced from 0 if not given.
        frame_rate: Frames per second.
    """
    header = Header(
        width=16,
        height=16,
        frames=len(vectors),
        time_base=(1, 1000),
        frame_rate=(frame_rate, 1),
        timestamps=EvenTimestamps(start=0, step=1000 // frame_rate) if ticks is None else None,
        segments=(len(vectors),),
    )
    sections = [Section(MODL, 0, b"{}"), Section(WGHT, 0, JUNK), Section(EMBD, 0, b"")]
    if ticks is not None:
        sections.append(Section(TIME, WHOLE_FILE, encode_timestamps(np.array(ticks, dtype=np.int64))))
    path.write_bytes(pack(header, sections + _alignment(vectors, record)))
    return path


def align(path: Path, target: Path, vectors: Float[np.ndarray, "frames dimension"]) -> Path:
    """Write a copy of a file that plays, with vectors."""
    with NervFile.open(path) as file:
        sections = [
            Section(item.tag, item.segment, file.read(item.tag, item.segment)) for item in file.entries
        ]
        target.write_bytes(pack(file.header, sections + _alignment(vectors, RECORD)))
    return target


def _alignment(vectors: np.ndarray, record: TeacherRecord | None) -> list[Section]:
    if record is None:
        return []
    teacher = json.dumps(record.to_json()).encode()
    rows = np.ascontiguousarray(vectors, dtype=np.float32).tobytes()
    return [Section("tchr", WHOLE_FILE, teacher), Section("rows", WHOLE_FILE, rows)]


def _read_alignment(file: NervFile) -> SimpleNamespace | None:
    if not file.has("tchr"):
        return None
    return SimpleNamespace(teacher=TeacherRecord.from_json(json.loads(file.read("tchr"))))


def _read_frame_vectors(file: NervFile, alignment: SimpleNamespace) -> FrameVectors:
    rows: Any = np.frombuffer(file.read("rows"), dtype=np.float32)
    return FrameVectors(rows.reshape(-1, alignment.teacher.dimension))


def install(monkeypatch: pytest.MonkeyPatch) -> list[ColorTeacher]:
    """Let search read these files and load this teacher; return the list of the teachers it has loaded."""
    loaded: list[ColorTeacher] = []

    def load(name: str, *, device: str = "cpu", sha256: str | None = None) -> ColorTeacher:
        if name != RECORD.name:
            raise InputError(f"no teacher {name}; choose colors")
        assert sha256 == RECORD.sha256
        loaded.append(ColorTeacher(device=device))
        return loaded[-1]

    def load_recorded(record: TeacherRecord, *, device: str = "cpu") -> ColorTeacher:
        return load(record.name, device=device, sha256=record.sha256)

    monkeypatch.setattr("nervid.retrieval.aligned.read_alignment", _read_alignment)
    monkeypatch.setattr("nervid.retrieval.aligned.read_frame_vectors", _read_frame_vectors)
    monkeypatch.setattr("nervid.retrieval.search.load_teacher", load)
    monkeypatch.setattr("nervid.retrieval.search.load_recorded", load_recorded)
    return loaded
