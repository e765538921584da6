"""Writes frames on a thread of its own, while the next ones are being drawn."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from jaxtyping import UInt8

from nervid.video.write import VideoWriter

QUEUE_BYTES = 64 << 20
"""Memory of the frames that wait: 24 of 1280x720, 388 of 320x180."""


class BackgroundWriter:
    """Takes frames in order and hands them to a thread; made by :func:`in_background`."""

    def __init__(self, writer: VideoWriter, queue_bytes: int) -> None:
        self._writer = writer
        self._limit = queue_bytes
        self._waiting: deque[tuple[np.ndarray, int]] = deque()
        self._unwritten = 0
        self._error: BaseException | None = None
        self._is_stopped = self._has_ended = False
        # Guards all of the above, and tells both sides of every change.
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="nervid-writer", daemon=True)
        self._thread.start()

    @property
    def unwritten(self) -> int:
        """Frames taken and not yet written."""
        return self._unwritten

    def write(self, frame: UInt8[np.ndarray, "height width 3"], timestamp: int) -> None:
        """Queue the next frame, which must not be changed afterwards; wait while the queue is full.

        Args:
            frame: RGB of the writer's size.
            timestamp: Ticks of the video's time base, above that of the frame before.

        Raises:
            InputError: If an earlier frame could not be written: another size, or times do not increase.
            OutputError: If an earlier frame could not be written, for example because the disk is full.
        """
        with self._changed:
            room = max(1, self._limit // max(1, frame.nbytes))
            self._changed.wait_for(lambda: self._has_ended or self._unwritten < room)
            self._raise_error()
            self._waiting.append((frame, timestamp))
            self._unwritten += 1
            self._changed.notify_all()

    def finish(self) -> None:
        """Wait until every frame is written.

        Raises:
            InputError: As :meth:`write`.
            OutputError: As :meth:`write`.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._has_ended or not self._unwritten)
            self._raise_error()

    def stop(self) -> None:
        """Drop the frames that wait and end the thread."""
        while True:
            try:
                with self._changed:
                    self._waiting.clear()
                    self._is_stopped = True
                    self._changed.notify_all()
                    # Not join alone: interrupted, it takes a running thread for ended (Python < 3.13).
                    self._changed.wait_for(lambda: self._has_ended)
                # A thread that has said so may still be leaving; an interpreter that ends then aborts.
                self._thread.join()
                return
            except KeyboardInterrupt:
                # One frame is still being encoded; its file may not be closed before that is over.
                continue

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        """Write frames until stopped or failed."""
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._waiting or self._is_stopped)
                    if self._is_stopped:
                        break
                    frame, timestamp = self._waiting.popleft()
                self._writer.write(frame, timestamp)
                with self._changed:
                    # Only now: a frame counts until nothing needs its memory.
                    self._unwritten -= 1
                    self._changed.notify_all()
        except BaseException as error:
            self._error = error
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()


@contextmanager
def in_background(writer: VideoWriter, *, queue_bytes: int = QUEUE_BYTES) -> Iterator[BackgroundWriter]:
    """Let a thread write, so that drawing frames need not wait for color conversion and encoding.

    The target is the same, byte for byte, and appears when the block ends without an exception, after the
    last frame is written. Otherwise nothing is left, as with the writer itself.

    Args:
        writer: What writes; it is entered and left here.
        queue_bytes: Memory that waiting frames may take. One frame may wait in any case.

    Raises:
        InputError: As :meth:`VideoWriter.write`, at a later frame or at the end of the block.
        OutputError: Likewise.
    """
    with writer:
        background = BackgroundWriter(writer, queue_bytes)
        try:
            yield background
            background.finish()
        finally:
            background.stop()
