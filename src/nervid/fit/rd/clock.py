"""Clock: how many steps fit into a time, asked anew before every step."""

import time
from typing import Final

UNTIMED_STEPS: Final = 3
"""First steps of a run, slower than the rest, that tell nothing of its pace."""
PACE_DECAY: Final = 0.98
"""Decay of the running mean of a step's time, per step."""


class Clock:
    """Counts the time that steps take; breaks between runs do not count.

    Args:
        limit_seconds: Time for all steps.
    """

    def __init__(self, limit_seconds: float) -> None:
        self._limit = limit_seconds
        self.seconds = 0.0
        """Time that steps have taken so far, earlier runs included."""
        self._last: float | None = None
        self._seen = 0
        self._pace: float | None = None

    def resume(self, seconds: float) -> None:
        """Go on after a break, ``seconds`` being taken."""
        self.seconds, self._last, self._seen = seconds, None, 0

    def steps_in_all(self, step: int, planned: int) -> int:
        """Return how many steps the fit will have had when the time is up.

        Args:
            step: Steps taken; another one follows, whatever the time.
            planned: What was said before, kept until there is a pace.
        """
        now = time.monotonic()
        if self._last is not None:
            taken = now - self._last
            self.seconds += taken
            self._seen += 1
            if self._seen > UNTIMED_STEPS:
                pace = taken if self._pace is None else self._pace
                self._pace = PACE_DECAY * pace + (1 - PACE_DECAY) * taken
        self._last = now
        if self._pace is None:
            return planned
        return step + max(1, round((self._limit - self.seconds) / max(self._pace, 1e-6)))
