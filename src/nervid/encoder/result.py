"""A finished encoding: the file's bytes and what was measured on the way."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nervid.container import save
from nervid.encoder.job import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeReport:
    """Measured facts about an encoding."""

    size_bytes: int
    """Size of the file."""
    bits_per_pixel: float
    """8 * size_bytes / (frames * height * width)."""
    psnr_db: float
    """Mean over frames of the PSNR of the uint8 frames that the file's bytes decode to."""
    frames: int
    width: int
    height: int
    segments: int
    parameters: int
    """Weights and embedding values of all segments."""
    seconds: float
    """Wall-clock time, resumed time included."""
    precision: str
    """Type of the convolutions while fitting, "float32" or "bfloat16"."""
    device: str
    """Where it was fitted."""
    alignment_cosine: float | None = None
    """Mean cosine between the file's vectors and the teacher's, of an aligned file."""
    warnings: tuple[str, ...] = ()
    """What the user should know, one line each."""

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return asdict(self) | {"warnings": list(self.warnings)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """An encoded video in memory."""

    data: bytes
    """The whole .nerv file."""
    report: EncodeReport
    """What was measured."""
    job: Job | None = None
    """The work folder, if there was one; it goes once the result is saved."""

    def save(self, path: str | Path) -> Path:
        """Write the file beside ``path`` and rename it into place; return the path.

        Raises:
            OutputError: If it cannot be written; an existing file is untouched then.
        """
        target = Path(path)
        save(self.data, target)
        if self.job is not None:
            self.job.remove()
        return target

    def __repr__(self) -> str:
        return f"Encoded({self.report})"
