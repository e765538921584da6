"""RoundingSchedule: what stands for rounding in the course of a fit."""

import math
from typing import Final

from nervid.fit.rd.multiplier import dearness
from nervid.fit.rd.relaxation import Relaxation

CHEAP, DEAR = 2.5, 10.0
"""Prices of a bit, as multipliers, between which a fit goes from many rounded steps to few. Where bits are
dear, most codes are 0, and rounding seen for long lets too many become 1; where they are cheap, it is noise
that does harm (docs/log.md)."""
ROUNDED_STEPS: Final = (800, 250)
"""Last steps that see rounded numbers, where bits are cheap and where they are dear."""
LEAST_SHARE: Final = (0.1, 0.02)
"""Least share of all steps that they are, alike."""
MOST_SHARE: Final = (0.75, 0.4)
"""Most of them, alike."""
FIRST_SOFTNESS, LAST_SOFTNESS = 0.6, 0.2
"""Softness of soft rounding, where bits are dear, at the first and at the last step that sees noise; in
between it falls along a line. It is divided by how dear bits are, so that noise alone is left where they are
cheap."""


class RoundingSchedule:
    """Noise between soft roundings for most of a fit, then rounding.

    Args:
        multiplier: What a bit is expected to cost, in thousandths of mean squared error per pixel.
    """

    def __init__(self, multiplier: float) -> None:
        self.dearness = dearness(multiplier, cheap=CHEAP, dear=DEAR)
        """0 where bits are cheap, 1 where they are dear."""

    def noisy_steps(self, steps: int) -> float:
        """Return how many of a fit's steps see noise."""
        most, share = self._between(ROUNDED_STEPS), self._between(LEAST_SHARE)
        return steps * (1 - min(max(most / steps, share), self._between(MOST_SHARE)))

    def at(self, step: int, steps: int) -> tuple[Relaxation, float]:
        """Return what stands for rounding in a step, and the softness of the roundings around noise.

        Softness is infinite, and soft rounding no rounding at all, where bits are cheap.

        Args:
            step: Steps taken.
            steps: Of the fit.
        """
        noisy = self.noisy_steps(steps)
        share = min(step / noisy, 1.0)
        softness = FIRST_SOFTNESS + (LAST_SOFTNESS - FIRST_SOFTNESS) * share
        kind: Relaxation = "noise" if step < noisy else "straight"
        return kind, softness / self.dearness if self.dearness else math.inf

    def _between(self, ends: tuple[float, float]) -> float:
        return ends[0] + (ends[1] - ends[0]) * self.dearness
