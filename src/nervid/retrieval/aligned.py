"""An aligned file as search needs it: one vector and one time per frame, and who made the vectors."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float, Int64

from nervid.container import NervFile, read_timestamps
from nervid.decoder.alignment import FrameVectors, read_alignment, read_frame_vectors
from nervid.errors import CorruptSectionError, FormatError, InputError
from nervid.retrieval.moment import FrameTimes
from nervid.teachers import TeacherRecord


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlignedFile:
    """What was read of a file: its head, its times and the sections that its vectors come from."""

    path: str
    """The file, as it was named."""
    teacher: TeacherRecord
    """Whose space the vectors are in."""
    frames: FrameVectors
    """One vector of length 1 per frame, as the file has it."""
    ticks: Int64[np.ndarray, " frames"]
    """Timestamp of each frame."""
    time_base: Fraction
    """Seconds per tick."""
    frame_rate: Fraction
    """Average frames per second."""
    size_bytes: int
    """Size of the whole file."""
    bytes_read: int
    """How much of it was read."""

    @property
    def vectors(self) -> Float[np.ndarray, "frames dimension"]:
        """One vector of length 1 per frame, all of them made anew: cosines do without."""
        return self.frames.rows()

    @property
    def times(self) -> FrameTimes:
        """When the frames are on screen, as a decoder of the file says."""
        # Multiplied first: one rounding, as in the decoder's times.
        starts = self.ticks * float(self.time_base.numerator) / self.time_base.denominator
        return FrameTimes(starts=starts, end_seconds=float(starts[-1]) + float(1 / self.frame_rate))

    def vector_at(self, seconds: float) -> Float[np.ndarray, " dimension"]:
        """Return the vector of the frame on screen at a time.

        Args:
            seconds: Time on the file's own clock.

        Raises:
            InputError: If no frame is on screen then.
            CorruptSectionError: If the vector is not finite.
        """
        times = self.times
        first, end = float(times.starts[0]), times.end_seconds
        if not first <= seconds < end:
            raise InputError(
                f"{self.path}: no frame at {seconds:g} s; the file plays from {first:g} s to {end:g} s"
            )
        # Half a tick of tolerance, so that a frame's own rounded time finds that frame.
        ticks = seconds / float(self.time_base) + 0.5
        index = int(np.searchsorted(self.ticks, ticks, side="right")) - 1
        with np.errstate(invalid="ignore", over="ignore"):
            vector: Float[np.ndarray, " dimension"] = self.frames.rows(slice(index, index + 1))[0]
        self._check_finite(vector)
        return vector

    def scores(self, query: Float[np.ndarray, " dimension"]) -> Float[np.ndarray, " frames"]:
        """Return the cosine of each frame with a query of length 1.

        Raises:
            CorruptSectionError: If the file's vectors are not finite.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            scores = self.frames.cosines(query)
        self._check_finite(scores)
        return scores

    def _check_finite(self, values: np.ndarray) -> None:
        if not np.isfinite(values).all():
            raise CorruptSectionError(
                f"{self.path}: wanted finite latents, got NaN or infinity; encode the video again"
            )


def read_aligned(path: str | os.PathLike[str]) -> AlignedFile:
    """Read the vectors and times of a file, and nothing else of it.

    Raises:
        InputError: If the file cannot be read or has no alignment.
        FormatError: If it is not .nerv, newer than this nervid, or damaged; the message names the file.
    """
    name = os.fspath(path)
    with _naming(name), NervFile.open(path) as file:
        alignment = read_alignment(file)
        if alignment is None:
            raise InputError(
                f"{name} has no alignment with a teacher, so it cannot be searched; encode it with --align"
            )
        frames = read_frame_vectors(file, alignment)
        wanted = (file.header.frames, alignment.teacher.dimension)
        if frames.shape != wanted:
            raise CorruptSectionError(
                f"wanted {wanted[0]} vectors of {wanted[1]} numbers, got {list(frames.shape)}; "
                "encode the video again"
            )
        return AlignedFile(
            path=name,
            teacher=alignment.teacher,
            frames=frames,
            ticks=read_timestamps(file),
            time_base=Fraction(*file.header.time_base),
            frame_rate=Fraction(*file.header.frame_rate),
            size_bytes=file.size_bytes,
            bytes_read=file.bytes_read,
        )


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Put the file's path in front of what is wrong with it, unless it is said already."""
    try:
        yield
    except (FormatError, InputError) as error:
        if name in str(error):
            raise
        raise type(error)(f"{name}: {error}") from error
