"""Budget: the time that one call may take."""

import time
from collections.abc import Callable

SHARE_FOR_SAVING = 0.05
"""Share of the time that is left unused, for writing the checkpoint and leaving."""


class Budget:
    """Says when to stop, so that a call ends in time and every call gets something done.

    Args:
        seconds: Time of the call from now on; None for no limit.
        clock: Seconds that only go forward.
    """

    def __init__(self, seconds: float | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = None if seconds is None else clock() + (1 - SHARE_FOR_SAVING) * seconds
        self._steps = 0

    def stop(self) -> None:
        """End the time now, as a signal asks for."""
        self._end = self._clock()

    def is_spent(self) -> bool:
        """Asked before each step: whether to stop instead. The first step of a call is always taken."""
        if self._steps and self._left() <= 0:
            return True
        self._steps += 1
        return False

    def allows(self, seconds: float) -> bool:
        """Tell whether to begin what takes ``seconds`` and cannot be stopped half-way.

        Always true before the call's second step: a call too short for it would come back for ever.
        """
        return self._steps <= 1 or self._left() >= seconds

    def _left(self) -> float:
        return float("inf") if self._end is None else self._end - self._clock()
