"""Stopping long work by a signal, between two of its steps."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stop_on_signal(*, twice_kills: bool) -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C or SIGTERM stop the work between two steps, and a second one kill.

    torchrun may signal a process that is about to stop once more: there only its SIGKILL ends a save.

    Args:
        twice_kills: Whether a second signal raises KeyboardInterrupt.

    Yields:
        What tells whether a signal came.
    """
    stopped: list[int] = []

    def handle(number: int, _: object) -> None:
        if stopped and twice_kills:
            raise KeyboardInterrupt
        stopped.append(number)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(stopped)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
