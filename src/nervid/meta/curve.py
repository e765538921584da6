"""Curve: how learning went, step by step, as lines of JSON beside the initialization."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from nervid.errors import OutputError


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """Means over the learning steps since the point before."""

    step: int
    """Learning steps taken."""
    frames: int
    """Frames of a window at that step."""
    start_db: float | None
    """PSNR of the windows before their inner steps, in dB; None if no step gave finite numbers."""
    adapted_db: float | None
    """PSNR of the windows after them, in dB."""
    held_out_start_db: float | None = None
    """The same of windows that are not learned from, where there are any."""
    held_out_db: float | None = None
    """Their PSNR after the inner steps, in dB."""
    seconds: float
    """Time spent learning so far, earlier runs included."""


class Curve:
    """Points in the order of their steps, mirrored in a file.

    Args:
        path: One JSON object a line; None keeps no file.
        points: What earlier runs measured.
    """

    def __init__(self, path: Path | None, points: list[CurvePoint]) -> None:
        self._path = path
        self.points = list(points)

    def add(self, point: CurvePoint) -> None:
        """Append a point and rewrite the file: a few hundred short lines.

        Raises:
            OutputError: If the file cannot be written.
        """
        self.points.append(point)
        if self._path is None:
            return
        beside = self._path.with_name(self._path.name + ".new")
        try:
            beside.write_text("".join(json.dumps(asdict(point)) + "\n" for point in self.points))
            beside.replace(self._path)
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror}; choose another path") from error
