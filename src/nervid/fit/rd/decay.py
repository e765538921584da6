"""How the learning rates of a fit fall: as a cosine, or as a power of it that stays high for longer."""

from typing import Final

from nervid.fit.rd.multiplier import dearness

LEAST_POWER: Final = 0.5
"""Power of the schedule's cosine in fits of ``LONG`` steps and more, for kernels and biases whatever a bit
costs, for feature grids and quantization steps where it is cheap (docs/log.md)."""
SHORT, LONG = 325, 650
"""Steps of a fit between which the power falls from 1: rates that are high late let short fits miss their
size, and what is then cut off costs them decibels."""
CHEAP, DEAR = 20.0, 50.0
"""Prices of a bit, as multipliers, between which the power for grids and quantization steps rises back to 1:
where bits are dear, too many numbers would not settle at 0 in time."""


def weights_power(steps: int) -> float:
    """Return the ``power`` of :func:`nervid.fit.schedule.learning_rate` for kernels and biases.

    Args:
        steps: Of the fit, 1 or more.

    Returns:
        From ``LEAST_POWER`` to 1. All of this is ours, chosen by the experiments of docs/log.md.

    Example:
        >>> weights_power(300), weights_power(650)
        (1.0, 0.5)
    """
    return 1 - (1 - LEAST_POWER) * min(max((steps - SHORT) / (LONG - SHORT), 0.0), 1.0)


def grids_power(steps: int, multiplier: float) -> float:
    """Return it for feature grids and all quantization steps, from :func:`weights_power` to 1.

    Args:
        steps: Of the fit, 1 or more.
        multiplier: What a bit is expected to cost, in thousandths of mean squared error per pixel.

    Example:
        >>> grids_power(650, 1.0), grids_power(650, 100.0)
        (0.5, 1.0)
    """
    least = weights_power(steps)
    return least + (1 - least) * dearness(multiplier, cheap=CHEAP, dear=DEAR)
