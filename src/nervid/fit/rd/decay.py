"""How the learning rates of a fit fall: as the root of a cosine, or where bits are dear as the cosine."""

from typing import Final

from nervid.fit.rd.multiplier import dearness

ROOT: Final = 0.5
"""Power of the schedule's cosine for kernels and biases, and where bits are cheap for all: rates stay high
for longer and then fall more steeply (docs/log.md)."""
CHEAP, DEAR = 20.0, 50.0
"""Prices of a bit, as multipliers, between which feature grids and quantization steps go from that to the
plain cosine: where bits are dear, too many numbers would not settle at 0 in time."""


def grids_power(multiplier: float) -> float:
    """Return the ``power`` of :func:`nervid.fit.schedule.learning_rate` for feature grids and all steps.

    Args:
        multiplier: What a bit is expected to cost, in thousandths of mean squared error per pixel.

    Example:
        >>> grids_power(1.0), grids_power(100.0)
        (0.5, 1.0)
    """
    return ROOT + (1 - ROOT) * dearness(multiplier, cheap=CHEAP, dear=DEAR)
