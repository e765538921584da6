"""Segments side by side: one process per device, each with one segment's frames."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from subprocess import DEVNULL, Popen

import numpy as np
from jaxtyping import UInt8

from nervid.encoder.job import CodedSegment
from nervid.encoder.segment import SegmentProgress
from nervid.encoder.task import SegmentTask
from nervid.encoder.worker import STOP, STOPPED, Failure, WorkerSetup
from nervid.errors import NervidError
from nervid.fit.trainer import Interrupted

Frames = Iterator[UInt8[np.ndarray, "height width 3"]]

POLL_SECONDS = 0.1
"""Longest time until a wish to stop is noticed."""
_CODE = (
    "from sys import argv, path; path.append(argv[2]); from nervid.encoder.worker import main; main(argv[1])"
)


class Pool:
    """Encodes segments on several devices at a time; the same bytes come out as on one of them.

    Every device gets a process: a fit is Python that starts some hundred small operations per step, and
    threads would wait for one another. The processes are started afresh, by a command of their own, as CUDA
    wants it; a script that calls :func:`nervid.encode` is not run again in them, as it would be by
    ``multiprocessing``, and needs no ``if __name__ == "__main__"``.

    Frames are decoded here and handed over one by one, so that memory holds one segment per device.

    Args:
        on_coded: Called with every finished segment, in the order in which they are.
        on_progress: Called with the reports of all segments.
        should_stop: Asked several times a second; True saves the states and raises ``Interrupted``.
    """

    def __init__(
        self,
        *,
        on_coded: Callable[[SegmentTask, CodedSegment], None],
        on_progress: Callable[[SegmentProgress], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        self._on_coded, self._on_progress, self._should_stop = on_coded, on_progress, should_stop
        self._workers: list[_Worker] = []
        self._stopping = False
        self._error: Exception | None = None

    def run(self, setups: Sequence[WorkerSetup], tasks: Sequence[SegmentTask], frames: Frames) -> None:
        """Encode segments; the processes have ended when this returns or raises.

        Args:
            setups: One for each process.
            tasks: What to do, in the order of the clip.
            frames: The frames of all tasks, one after the other.

        Raises:
            Interrupted: When asked to stop, after all states are saved.
            NervidError: What any segment met, or that its process was killed; the others save their states
                first.
        """
        waiting = list(reversed(tasks))
        try:
            for setup in setups:
                self._workers.append(_Worker(setup))
            while True:
                for worker in self._workers:
                    if worker.task is None and waiting and not self._stopping:
                        self._hand_over(worker, waiting.pop(), frames)
                busy = {worker.connection: worker for worker in self._workers if worker.task is not None}
                if not busy:
                    break
                for connection in wait(list(busy), POLL_SECONDS):
                    assert isinstance(connection, Connection)
                    self._hear(busy[connection])
                if self._should_stop is not None and self._should_stop():
                    self._stop()
        finally:
            for worker in self._workers:
                worker.end()
        if self._error is not None:
            raise self._error
        if self._stopping:
            raise Interrupted

    def _hand_over(self, worker: "_Worker", task: SegmentTask, frames: Frames) -> None:
        try:
            worker.start(task, frames)
        except OSError:
            self._fail(worker.death())

    def _hear(self, worker: "_Worker") -> None:
        """Take one message of a worker."""
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            self._fail(worker.death())
            return
        if isinstance(message, SegmentProgress):
            if self._on_progress is not None:
                self._on_progress(message)
            return
        task, worker.task = worker.task, None
        if isinstance(message, CodedSegment):
            assert task is not None
            self._on_coded(task, message)
        elif isinstance(message, Failure):
            if message.kind is not None:
                self._fail(message.kind(message.text))
            else:
                self._fail(RuntimeError(f"a segment failed on {worker.setup.device}:\n{message.text}"))
        else:
            assert message == STOPPED

    def _fail(self, error: Exception) -> None:
        """Remember the first error and let the others save what they have."""
        self._error = self._error or error
        self._stop()

    def _stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            for worker in self._workers:
                worker.ask_to_stop()


class _Worker:
    """A process as its parent sees it."""

    def __init__(self, setup: WorkerSetup) -> None:
        self.setup = setup
        self.task: SegmentTask | None = None
        self.connection, theirs = Pipe()
        with theirs:
            self.process = Popen(
                [sys.executable, "-P", "-c", _CODE, str(theirs.fileno()), _package_folder()],
                pass_fds=[theirs.fileno()],
                stdin=DEVNULL,
                stdout=DEVNULL,
                # Ctrl-C is for the parent, which tells the workers.
                start_new_session=True,
            )
        with suppress(OSError):  # if it is gone already, that shows with its first segment
            self.connection.send(setup)

    def start(self, task: SegmentTask, frames: Frames) -> None:
        """Hand over a segment.

        Raises:
            OSError: If the process is gone.
        """
        self.task = task
        self.connection.send(task)
        for _ in range(task.frames):
            self.connection.send_bytes(np.ascontiguousarray(next(frames)).reshape(-1).data)

    def ask_to_stop(self) -> None:
        """Let it save its state and answer; if it is gone, that shows when the answer is awaited."""
        with suppress(OSError):
            self.connection.send(STOP)

    def death(self) -> NervidError:
        """Say that the process has ended by itself."""
        task, self.task = self.task, None
        code = self.process.wait()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        assert task is not None
        return NervidError(
            f"the process that fitted segment {task.number} on {self.setup.device} {how}; if memory ran out, "
            f"name fewer devices or a smaller --max-segment-frames, then run again"
        )

    def end(self) -> None:
        """End the process; what it had to save is saved, or was not to be."""
        self.connection.close()
        self.process.kill()
        self.process.wait()


def _package_folder() -> str:
    """The folder from which this process has nervid."""
    return str(Path(__file__).parents[2])
