"""Multiplier: what a bit costs against distortion, moved while fitting so that the size is met."""

import math
from typing import Final

import torch
from torch import Tensor

LEAST, MOST = 1e-3, 1e5
FREE_SHARE: Final = 0.05
"""Share of the steps in which it stays as it is: nothing has a size yet."""
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


class Multiplier:
    """Follows the size of a fit and makes bits dearer or cheaper.

    Where the size, as its trend lets it expect, is above the aim by a factor, the logarithm of the cost grows
    by that factor's in every ``REACTION`` of the fit.

    Args:
        aim_bytes: Size wanted of weights and feature grids; None for a cost that stays as it is.
        first: Cost of a bit per pixel to begin with, in thousandths of squared error: the nearer to the one
            that the clip needs, the less of the fit is spent on another (``usual_multiplier`` of
            ``nervid.models.nervid_sizing``).
    """

    def __init__(self, aim_bytes: float | None, *, first: float) -> None:
        self._aim = aim_bytes
        first = min(max(first, LEAST), MOST)
        # Its logarithm, real over reckoned size, the reckoned size's logarithm (0 before there is one) and
        # that one's trend a step: in one tensor, so that a checkpoint holds them.
        self._state = torch.tensor([math.log(first), 1.0, 0.0, 0.0], dtype=torch.float64)

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
        if self._aim is None or step < FREE_SHARE * steps:
            return
        early = max(0.0, 1 - step / (EARLY_SHARE * steps))
        expected = size + float(self._state[3]) * LOOKAHEAD * steps
        excess = expected + math.log(float(self._state[1]) / self._aim)
        if excess > 0:
            excess = max(0.0, excess - math.log(1 + EARLY_EXCESS * early))
        excess = min(max(excess, -1.0), 1.0)
        moved = float(self._state[0]) + excess * taken / (REACTION * steps)
        self._state[0] = min(max(moved, math.log(LEAST)), math.log(MOST))

    def state_tensor(self) -> Tensor:
        """Return all that changes."""
        return self._state
