"""Progress of meta-training: what is reported after a step, and the means that it is reported by."""

import math
from dataclasses import dataclass
from typing import Final

DECAY: Final = 0.05
"""Share of a new step in the running means that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaProgress:
    """What meta-training reports after a step."""

    step: int
    """Learning steps taken."""
    steps: int
    """Learning steps in all."""
    frames: int
    """Frames that windows have at present."""
    start_db: float
    """Running mean of the windows' PSNR before their inner steps, in dB; NaN before the first finite one."""
    adapted_db: float
    """Running mean of their PSNR after them, in dB."""
    held_out_start_db: float | None
    """The latest PSNR of held-out windows before the inner steps, in dB."""
    held_out_db: float | None
    """The latest PSNR of held-out windows after the inner steps, in dB."""
    seconds: float
    """Time spent so far, earlier runs included."""
    seconds_left: float
    """Time that the remaining steps take at the mean speed of this run; infinite before its first step."""


@dataclass(slots=True, kw_only=True)
class Averages:
    """Means over learning steps of the windows' PSNR in dB, before and after their inner steps.

    Steps whose windows have no finite one, those of a learning that diverges, are left out.
    """

    start_db: float = math.nan
    """Running mean, before the inner steps."""
    adapted_db: float = math.nan
    """Running mean, after them."""
    start_sum: float = 0.0
    """Sum since :meth:`take`."""
    adapted_sum: float = 0.0
    """Sum since :meth:`take`."""
    counted: int = 0
    """Steps in the sums."""

    def add(self, start_db: float, adapted_db: float) -> None:
        """Count a step in."""
        if not (math.isfinite(start_db) and math.isfinite(adapted_db)):
            return
        if math.isnan(self.start_db):
            self.start_db, self.adapted_db = start_db, adapted_db
        self.start_db += DECAY * (start_db - self.start_db)
        self.adapted_db += DECAY * (adapted_db - self.adapted_db)
        self.start_sum += start_db
        self.adapted_sum += adapted_db
        self.counted += 1

    def take(self) -> tuple[float, float] | tuple[None, None]:
        """Return the means since the last call, None if no step counts, and begin new ones."""
        means = None if not self.counted else (self.start_sum / self.counted, self.adapted_sum / self.counted)
        self.start_sum = self.adapted_sum = 0.0
        self.counted = 0
        return means or (None, None)
