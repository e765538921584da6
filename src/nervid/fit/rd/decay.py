"""How the learning rates of a fit fall, by the price of a bit."""

from typing import Final

from nervid.fit.rd.multiplier import dearness

CHEAP, DEAR = 20.0, 50.0
"""Prices of a bit, as multipliers, between which rates go from staying high for long to the plain cosine:
where bits are dear, too many numbers would not settle at 0 in time (docs/log.md)."""
LEAST_POWER: Final = 0.5
"""Power of the cosine where bits are cheap."""


def decay_power(multiplier: float) -> float:
    """Return the ``power`` of :func:`nervid.fit.schedule.learning_rate` for a fit.

    Args:
        multiplier: What a bit is expected to cost, in thousandths of mean squared error per pixel.

    Example:
        >>> decay_power(1.0), decay_power(100.0)
        (0.5, 1.0)
    """
    return LEAST_POWER + (1 - LEAST_POWER) * dearness(multiplier, cheap=CHEAP, dear=DEAR)
