"""The segments of an encoding, one after the other or side by side on several devices."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from nervid.encoder.job import CodedSegment, Job
from nervid.encoder.pool import Pool
from nervid.encoder.progress import ProgressMeter
from nervid.encoder.segment import SegmentEncoder
from nervid.encoder.task import PreviousSegment, SegmentTask
from nervid.encoder.worker import WorkerSetup
from nervid.fit.distributed import Ranks
from nervid.video import Clip


@dataclass(slots=True, kw_only=True)
class SegmentRuns:
    """Encodes a clip's segments; those that a job has finished are taken from it."""

    clip: Clip
    ranges: Sequence[range]
    """Frames of each segment."""
    devices: Sequence[str]
    """Where: each takes one segment at a time. Segments that start from the one before need a single one."""
    ranks: Ranks
    """Processes that share every batch; several of them have one device each."""
    save_seconds: float
    """Time between two saves of the state, in seconds."""
    job: Job | None
    """Keeps finished segments and the running one's state, if there is one."""
    place: tuple[Path, str] | None
    """The job's folder and key, for other processes."""
    meter: ProgressMeter | None
    """Who is told of every step."""
    should_stop: Callable[[], bool] | None
    """Asked before every step; True saves the state and raises Interrupted."""
    _coded: dict[int, CodedSegment] = field(default_factory=dict, init=False)

    def run(self, tasks: Sequence[SegmentTask]) -> list[CodedSegment]:
        """Return the coded segment of every task, in order.

        Args:
            tasks: One for each segment of the clip, in order.

        Raises:
            Interrupted: When asked to stop; the state is saved.
            NervidError: What any segment met.
        """
        pending = self._pending(tasks)
        devices = self.devices[: len(pending)]
        if len(devices) > 1:
            self._encode_side_by_side(pending, devices)
        else:
            self._encode_one_by_one(pending, self.devices[0])
        return [self._coded[task.number] for task in tasks]

    def _pending(self, tasks: Sequence[SegmentTask]) -> list[SegmentTask]:
        """Take the finished segments from the job; return the tasks of the others."""
        if self.job is not None:
            for task in tasks:
                known = self.job.load(task.name)
                if known is not None:
                    self._take(task, known)
        self._coded = self.ranks.from_first(self._coded)
        return [task for task in tasks if task.number not in self._coded]

    def _take(self, task: SegmentTask, segment: CodedSegment) -> None:
        self._coded[task.number] = segment
        if self.meter is not None:
            self.meter.finish(task.number, segment.size_bytes)

    def _encode_one_by_one(self, tasks: Sequence[SegmentTask], device: str) -> None:
        encoder = SegmentEncoder(
            device=device,
            job=self.job,
            on_progress=None if self.meter is None else self.meter.update,
            should_stop=self.should_stop,
            save_seconds=self.save_seconds,
            ranks=self.ranks,
        )
        arrays = self.clip.iter_segments([self.ranges[task.number] for task in tasks])
        for task in tasks:
            ready = self._with_previous(task)
            # The array gets no name here: a segment's frames must be gone before the next one's come.
            self._take(task, encoder.encode(ready, torch.from_numpy(next(arrays)).permute(0, 3, 1, 2)))

    def _with_previous(self, task: SegmentTask) -> SegmentTask:
        """Give a task the segment before it, where it may start from that."""
        if not task.config.follows_previous or task.number == 0:
            return task
        before = task.number - 1
        previous = PreviousSegment(coded=self._coded[before], frames=len(self.ranges[before]))
        return replace(task, previous=previous)

    def _encode_side_by_side(self, tasks: Sequence[SegmentTask], devices: Sequence[str]) -> None:
        setups = [
            WorkerSetup(
                device=device,
                threads=torch.get_num_threads(),
                job=self.place,
                save_seconds=self.save_seconds,
            )
            for device in devices
        ]
        pool = Pool(
            on_coded=self._take,
            on_progress=None if self.meter is None else self.meter.update,
            should_stop=self.should_stop,
        )
        pool.run(setups, tasks, self._frames_of(tasks))

    def _frames_of(self, tasks: Sequence[SegmentTask]) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        """Decode the frames of some segments in one pass."""
        ranges = [self.ranges[task.number] for task in tasks]
        wanted = {index for frames in ranges for index in frames}
        start, stop = ranges[0].start, ranges[-1].stop
        for index, frame in enumerate(self.clip.iter_frames(start, stop), start):
            if index in wanted:
                yield frame
