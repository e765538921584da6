"""A process that encodes segments on one device for the process that started it.

The two talk over a socket pair. The parent sends a :class:`WorkerSetup`, then, one segment at a time, a
:class:`SegmentTask` followed by the bytes of each of its frames, and at any time ``STOP``. The worker answers
with :class:`SegmentProgress` and ends each segment with a :class:`CodedSegment`, ``STOPPED`` or a
:class:`Failure`. When the parent is gone, the worker ends at once.
"""

import os
import queue
import threading
import time
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import UInt8

from nervid.encoder.job import CodedSegment, Job
from nervid.encoder.segment import SegmentEncoder, SegmentProgress
from nervid.encoder.task import SegmentTask
from nervid.errors import NervidError
from nervid.fit.trainer import Interrupted
from nervid.hardware import grow_on_huge_pages

STOP: Final = "stop"
"""What the parent sends for: save the state of the running segment and leave it."""
STOPPED: Final = "stopped"
"""What the worker answers when it has."""
REPORT_SECONDS = 0.1
"""Least time between two reports but the last one of a fit: a screen shows no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSetup:
    """What a worker has to know before its first segment."""

    device: str
    """Where it encodes: "cpu", "cuda:1"."""
    threads: int
    """Threads of an operation on the CPU, as in the parent: they decide the order of sums."""
    job: tuple[Path, str] | None
    """Folder and key of the parent's job."""
    save_seconds: float
    """Time between two saves of the state, in seconds."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a segment could not be encoded."""

    kind: type[NervidError] | None
    """The error, or None for one that nobody expected."""
    text: str
    """Its message, or the traceback."""


Answer = SegmentProgress | CodedSegment | Failure | str
Segment = tuple[SegmentTask, UInt8[np.ndarray, "frames height width 3"]]


def main(descriptor: str) -> None:
    """Encode what comes in over the open socket of this number until its other end is closed."""
    connection = Connection(int(descriptor))
    setup = connection.recv()
    grow_on_huge_pages()
    torch.set_num_threads(setup.threads)
    if setup.device != "cpu":
        torch.cuda.set_device(setup.device)
    inbox = _Inbox(connection)
    encoder = SegmentEncoder(
        device=setup.device,
        job=None if setup.job is None else Job(*setup.job),
        on_progress=_Reporter(connection).report,
        should_stop=inbox.stop_asked.is_set,
        save_seconds=setup.save_seconds,
    )
    while True:
        connection.send(_encode(encoder, inbox.segments.get()))


def _encode(encoder: SegmentEncoder, segment: Segment) -> Answer:
    task, frames = segment
    try:
        return encoder.encode(task, torch.from_numpy(frames).permute(0, 3, 1, 2))
    except Interrupted:
        return STOPPED
    except NervidError as error:
        return Failure(type(error), str(error))
    except Exception:
        return Failure(None, traceback.format_exc())


class _Inbox:
    """Reads what the parent sends, in a thread of its own, so that a stop is heard in the midst of a fit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.segments: queue.SimpleQueue[Segment] = queue.SimpleQueue()
        self.stop_asked = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while True:
                message = self._connection.recv()
                if message == STOP:
                    self.stop_asked.set()
                else:
                    self.segments.put((message, self._read_frames(message)))
        except (EOFError, OSError):
            pass  # the parent is gone, perhaps killed: what runs here is lost, as it would be there
        except BaseException:
            traceback.print_exc()
        os._exit(1)

    def _read_frames(self, task: SegmentTask) -> UInt8[np.ndarray, "frames height width 3"]:
        frames = np.empty((task.frames, task.height, task.width, 3), dtype=np.uint8)
        for frame in frames:
            self._connection.recv_bytes_into(frame.reshape(-1).data)
        return frames


class _Reporter:
    """Tells the parent of steps, but no more often than a screen can show."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._told = 0.0

    def report(self, progress: SegmentProgress) -> None:
        now = time.monotonic()
        if progress.share_done == 1 or now - self._told >= REPORT_SECONDS:
            self._told = now
            self._connection.send(progress)
