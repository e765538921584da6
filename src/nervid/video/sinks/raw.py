"""Raw RGB on standard output, for piping into another program."""

import os
import sys

import numpy as np
from jaxtyping import UInt8


class RawSink:
    """Writes 3 bytes per pixel (rgb24), rows from the top, frames without anything in between."""

    def __init__(self) -> None:
        self._out = sys.stdout.buffer
        self.is_open = True

    def write(self, frame: UInt8[np.ndarray, "height width 3"], timestamp: int) -> None:
        """Write the next frame; nothing once the other program has gone."""
        if self.is_open:
            try:
                self._out.write(np.ascontiguousarray(frame).data)
                self._out.flush()
            except BrokenPipeError:
                self._close_quietly()

    def finish(self) -> None:
        """Flush; standard output stays open."""
        if self.is_open:
            try:
                self._out.flush()
            except BrokenPipeError:
                self._close_quietly()

    def abort(self) -> None:
        """Leave what has been written."""

    def _close_quietly(self) -> None:
        """Stop writing and keep Python's own flush at exit from failing on the closed pipe."""
        self.is_open = False
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
