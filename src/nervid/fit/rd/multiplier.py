"""Multiplier: what a bit costs against distortion, moved while fitting so that a size asked for is met."""

import math
from typing import Final

import torch
from torch import Tensor

LEAST, MOST = 1e-3, 1e5
"""Bounds of the usual cost, and of the one that follows a size."""
MOST_TIMES: Final = 3.0
"""How many times what it usually costs a bit costs at first, in long fits, and how many times as fast it gets
cheaper as dearer: from few numbers other than 0 to more is the better way, and of those that have become 0
few come back late (docs/log.md)."""
STEPS_PER_TIME: Final = 650
"""Steps of a fit for each of those times: a short one has no time to find its way back."""
FREE_SHARE: Final = 0.05
"""Share of the steps in which it does not follow the size: nothing has a size yet."""
EARLY_SHARE: Final = 0.4
"""Share of the steps in which the aim falls to the size that was asked."""
EARLY_EXCESS: Final = 2.0
"""Excess over the asked size that is allowed at the start: fine steps come before sparse codes."""
REACTION: Final = 0.05
"""Share of the steps in which twice the size doubles it."""
LOOKAHEAD: Final = 0.05
"""Share of the steps by which it looks ahead: quantization steps that grow do not stop at once."""
TREND_SHARE: Final = 0.02
"""Share of the steps over which the size's trend is averaged."""
FALL_SHARE: Final = 0.5
"""Share of the steps in which a cost that follows no size falls to the usual one."""


def dearness(price: float, *, cheap: float, dear: float) -> float:
    """Return where a price lies between two on a logarithmic axis.

    Args:
        price: Cost of a bit per pixel, in thousandths of mean squared error, 0 or more.
        cheap: Up to which it is 0, at least ``LEAST``.
        dear: From which on it is 1, above ``cheap``.

    Example:
        >>> [dearness(price, cheap=1.0, dear=100.0) for price in (0.5, 10.0, 200.0)]
        [0.0, 0.5, 1.0]
    """
    return min(max(math.log(max(price, LEAST) / cheap) / math.log(dear / cheap), 0.0), 1.0)


class Multiplier:
    """Makes bits dearer or cheaper while a fit runs.

    At first they cost from one to ``MOST_TIMES`` times the usual, the more steps the more. Then, where the
    size, as its trend lets it expect, is above the aim by a factor, the logarithm of the cost grows by that
    factor's in every ``REACTION`` of the fit; where it is below, it falls, as many times as fast. Without an
    aim it falls to the usual.

    Args:
        aim_bytes: Size wanted of weights and feature grids; None for a cost that follows none.
        usual: What a bit per pixel usually costs for that size, in thousandths of squared error
            (``usual_multiplier`` of ``nervid.models.nervid_sizing``); without a size its cost in the end.
    """

    def __init__(self, aim_bytes: float | None, *, usual: float) -> None:
        self._aim, self._usual = aim_bytes, math.log(min(max(usual, LEAST), MOST))
        # Its logarithm, real over reckoned size, the reckoned size's logarithm (0 before there is one) and
        # that one's trend a step: in one tensor, so that a checkpoint holds them.
        self._state = torch.tensor([self._usual, 1.0, 0.0, 0.0], dtype=torch.float64)

    @property
    def usual(self) -> float:
        """The usual cost, within ``LEAST`` and ``MOST``."""
        return math.exp(self._usual)

    @property
    def value(self) -> float:
        """Cost of a bit per pixel, in thousandths of mean squared error of colors in [0, 1]."""
        return math.exp(float(self._state[0]))

    @property
    def coded_share(self) -> float:
        """Bytes by the entropy coder over those that the fit reckons."""
        return float(self._state[1])

    def correct(self, coded_bytes: float, reckoned_bytes: float) -> None:
        """Take note of what the entropy coder makes of a state of the fit, beside what the fit reckons."""
        self._state[1] = min(max(coded_bytes / max(reckoned_bytes, 1.0), 0.25), 4.0)

    def forget_trend(self) -> None:
        """Take what follows as the first size that is known."""
        self._state[2:] = 0

    def follow(self, reckoned_bytes: float, *, step: int, steps: int, taken: int) -> None:
        """Move by what ``taken`` steps may move it.

        Args:
            reckoned_bytes: Size by the fit's own model of codes.
            step: Steps taken.
            steps: Steps of the fit in all.
            taken: Steps since the call before.
        """
        size = math.log(max(reckoned_bytes, 1.0))
        if self._state[2] > 0:
            weight = min(1.0, taken / (TREND_SHARE * steps))
            trend = (size - float(self._state[2])) / taken
            self._state[3] += weight * (trend - float(self._state[3]))
        self._state[2] = size
        times = min(max(steps / STEPS_PER_TIME, 1.0), MOST_TIMES)
        if self._aim is None:
            self._state[0] = self._usual + math.log(times) * max(0.0, 1 - step / (FALL_SHARE * steps))
            return
        if step < FREE_SHARE * steps:
            self._state[0] = self._usual + math.log(times)
            return
        early = max(0.0, 1 - step / (EARLY_SHARE * steps))
        expected = size + float(self._state[3]) * LOOKAHEAD * steps
        excess = expected + math.log(float(self._state[1]) / self._aim)
        if excess > 0:
            excess = max(0.0, excess - math.log(1 + EARLY_EXCESS * early))
        excess = min(max(excess, -1.0), 1.0)
        reaction = REACTION if excess > 0 else REACTION / times
        moved = float(self._state[0]) + excess * taken / (reaction * steps)
        self._state[0] = min(max(moved, math.log(LEAST)), math.log(MOST))

    def state_tensor(self) -> Tensor:
        """Return all that changes."""
        return self._state
