"""Notices a fit that diverges: not-a-number, or a collapse of quality in mid-fit."""

import math
from dataclasses import dataclass
from typing import Final

COLLAPSE_FACTOR: Final = 4.0
"""Smoothed loss over best smoothed loss that counts as a collapse: well above the spread between hard and
easy frames. Chosen, untuned."""


@dataclass(slots=True)
class DivergenceGuard:
    """Follows the loss and says when to go back to the last good state.

    NeRV-style fits are known to lose all quality within some steps for some seeds (issue 1 of the DNeRV
    repository). The smoothed loss of a healthy fit falls; ``collapse_factor`` times its best value so far
    counts as collapsed.
    """

    smoothing: float = 0.98
    """Decay of the running mean of the loss, per step."""
    collapse_factor: float = COLLAPSE_FACTOR
    """Smoothed loss over best smoothed loss that counts as a collapse."""
    patience: int = 100
    """Steps before the running mean is trusted."""
    smoothed: float = 0.0
    """Running mean of the loss, biased towards 0 in the first steps."""
    best: float = math.inf
    """Smallest bias-corrected running mean so far."""
    seen: int = 0
    """Losses seen since the last restart."""

    def is_healthy(self, loss: float) -> bool:
        """Take the loss of one step in and return False if the fit has diverged."""
        if not math.isfinite(loss):
            return False
        self.seen += 1
        self.smoothed = self.smoothing * self.smoothed + (1 - self.smoothing) * loss
        mean = self.smoothed / (1 - self.smoothing**self.seen)
        if self.seen < self.patience:
            return True
        self.best = min(self.best, mean)
        return mean <= self.collapse_factor * self.best
