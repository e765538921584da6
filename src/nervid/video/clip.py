"""A clip: the frames, times and tracks that were asked for, decoded as a stream whenever needed."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from itertools import islice
from typing import Any

import av
import numpy as np
from jaxtyping import Int64, UInt8

from nervid.errors import InputError
from nervid.video.info import VideoInfo
from nervid.video.options import ReadOptions
from nervid.video.scaler import Scaler
from nervid.video.scenes import find_cuts, split_at_cuts
from nervid.video.sources import Source, Survey, select_source
from nervid.video.track import Track


def read(
    source: str | os.PathLike[str] | np.ndarray | Any,  # noqa: ANN401 anything with __array__
    *,
    start_seconds: float = 0.0,
    duration_seconds: float | None = None,
    size: tuple[int, int] | None = None,
    every: int = 1,
    frame_rate: float | Fraction | None = None,
    tracks: bool = True,
) -> "Clip":
    """Open a video without decoding more than its first frame.

    Args:
        source: Path of a video (mp4, mkv, webm, mov, avi, gif, y4m), a folder or glob of images of one
            size in natural order, or a uint8 array [frames, 3, height, width] or
            [frames, height, width, 3] (anything with ``__array__``).
        start_seconds: Where to begin, from the first frame, 0 or more.
        duration_seconds: How much to take, above 0; None for all.
        size: (width, height) to resize to, 16 to 4096 each; the pixel aspect follows, so that the picture
            keeps its shape on screen.
        every: Take every n-th frame of that range, 1 or more.
        frame_rate: Frames per second of images and arrays, 25 by default; a file has its own.
        tracks: Whether sound and subtitles belong to the clip.

    Returns:
        The clip. A trimmed clip begins at time 0, an untrimmed one keeps its timestamps.

    Raises:
        InputError: If the source is missing, no video, holds no frame that decodes, or an option is out
            of its range.
    """
    options = ReadOptions(
        start_seconds=start_seconds,
        duration_seconds=duration_seconds,
        size=size,
        every=every,
        frame_rate=None if frame_rate is None else Fraction(str(frame_rate)),
        tracks=tracks,
    )
    clip = Clip(select_source(source, options.frame_rate), options)
    if options.trims:
        len(clip)  # a start beyond the end is refused here, not hours later
    return clip


class Clip:
    """Frames of one video in order; nothing but what is asked for is decoded or kept.

    Counts, timestamps, tracks and warnings come from one pass over the whole source, made when the first
    of them is asked for.
    """

    def __init__(self, source: Source, options: ReadOptions) -> None:
        self._source = source
        self._options = options
        self._cuts: tuple[int, ...] | None = None
        self.info = _delivered(source.info, options)

    def __repr__(self) -> str:
        return f"Clip({self._source.name}, {self.info.width}x{self.info.height})"

    @cached_property
    def _survey(self) -> Survey:
        survey = self._source.survey()
        if len(survey.timestamps) == 0:
            raise InputError(f"{self._source.name}: no frame decodes; the file is empty or damaged")
        return survey

    @cached_property
    def _taken(self) -> range:
        """Indices of the source's frames that belong to the clip."""
        options, base = self._options, self.info.time_base
        if not options.trims:
            return range(0, len(self._survey.timestamps), options.every)
        ticks = self._survey.timestamps - self._survey.timestamps[0]
        start_tick = round(options.start / base)
        first = int(np.searchsorted(ticks, start_tick))
        stop = len(ticks)
        if options.duration is not None:
            stop = int(np.searchsorted(ticks, start_tick + round(options.duration / base)))
        if first >= len(ticks):
            end = float((ticks[-1] + self._source.info.frame_ticks) * base)
            raise InputError(
                f"{self._source.name}: start must be before the end at {end:g} seconds, "
                f"got {float(options.start):g}"
            )
        return range(first, max(stop, first + 1), options.every)

    @cached_property
    def _zero(self) -> int:
        """Tick of the source that is 0 in the clip."""
        return int(self._survey.timestamps[self._taken.start]) if self._options.trims else 0

    @cached_property
    def timestamps(self) -> Int64[np.ndarray, " frames"]:
        """Ticks of ``info.time_base`` of every frame, strictly increasing."""
        taken = self._taken
        return self._survey.timestamps[taken.start : taken.stop : taken.step] - self._zero

    def __len__(self) -> int:
        return len(self._taken)

    @cached_property
    def _stop_seconds(self) -> Fraction | None:
        """Time in the source where the clip ends, None at the source's own end."""
        stop = self._taken.stop
        if stop >= len(self._survey.timestamps):
            return None
        return int(self._survey.timestamps[stop]) * self.info.time_base

    @cached_property
    def tracks(self) -> tuple[Track, ...]:
        """Audio and subtitles; of a trimmed clip the packets inside its range."""
        if not self._options.tracks:
            return ()
        if not self._options.trims:
            return self._survey.tracks
        start = self._zero * self.info.time_base
        return tuple(track.shifted(start, self._stop_seconds) for track in self._survey.tracks)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What is not as it should be: damage, repaired times, lost bits; one line each."""
        depth = self.info.bit_depth
        lines = (f"{self._source.name}: {depth} bits per sample are read as 8",) if depth > 8 else ()
        return lines + self._survey.warnings

    @cached_property
    def source_bits_per_pixel(self) -> float | None:
        """Rate of the source: 8 * bytes of its video packets in the range / pixels of all frames taken.

        None for images and arrays, which have no video packets.
        """
        packets = self._survey.packets
        if packets is None:
            return None
        stop = self._stop_seconds
        size = sum(
            size
            for time, size in packets
            if not self._options.trims
            or time is None
            or (time >= self._zero and (stop is None or time * self.info.time_base < stop))
        )
        return 8 * size / (len(self) * self.info.width * self.info.height)

    @cached_property
    def fingerprint(self) -> str:
        """Hex SHA-256 of the source's content and the reading options, not of its name or date.

        Of files it covers size, first and last MiB; of arrays all bytes.
        """
        digest = hashlib.sha256(repr(self._options).encode())
        self._source.add_to(digest)
        return digest.hexdigest()

    def _pictures(self, start: int, stop: int | None) -> Iterator[av.VideoFrame]:
        """Decode frames [start, stop) of the clip, as stored."""
        wanted = self._taken[start:stop]
        if len(wanted) == 0:
            return
        given = 0
        for picture in islice(self._source.pictures(), wanted.start, wanted.stop, wanted.step):
            yield picture
            given += 1
        if given != len(wanted):
            raise InputError(
                f"{self._source.name}: {len(wanted)} frames were expected, {given} decode now; "
                "was the file changed?"
            )

    def iter_frames(
        self, start: int = 0, stop: int | None = None
    ) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        """Decode frames [start, stop) one by one, as RGB arrays; indices as in a slice."""
        scaler = Scaler(self.info.width, self.info.height)
        for picture in self._pictures(start, stop):
            yield scaler.rgb(picture)

    def load(self, start: int = 0, stop: int | None = None) -> UInt8[np.ndarray, "frames height width 3"]:
        """Decode frames [start, stop) into one array; indices as in a slice."""
        count = len(self._taken[start:stop])
        frames = np.empty((count, self.info.height, self.info.width, 3), dtype=np.uint8)
        for index, frame in enumerate(self.iter_frames(start, stop)):
            frames[index] = frame
        return frames

    def segments(self, max_frames: int) -> list[range]:
        """Divide the clip at scene changes into ranges of frames, none longer than ``max_frames``.

        Scenes are looked for once per clip, in a pass of their own over thumbnails. See
        ``scenes.split_at_cuts`` for the lengths.

        Raises:
            InputError: If ``max_frames`` is below 1.
        """
        if self._cuts is None:
            scaler = Scaler(self.info.width, self.info.height)
            thumbnails = (scaler.thumbnail(picture) for picture in self._pictures(0, None))
            self._cuts = find_cuts(thumbnails, self.info.frame_rate)
        return split_at_cuts(len(self), self._cuts, max_frames)

    def iter_segments(
        self, segments: Sequence[range], first: int = 0
    ) -> Iterator[UInt8[np.ndarray, "frames height width 3"]]:
        """Decode ``segments[first:]`` one after the other in a single pass.

        The iterator keeps no frame of a segment it has handed out. Drop your own reference before you
        ask for the next one (``del``), or the frames of both are in memory.

        Args:
            segments: Ranges with step 1 that do not overlap, in order.
            first: Index of the first segment wanted.
        """
        wanted = segments[first:]
        if not wanted:
            return
        position = wanted[0].start
        frames = self.iter_frames(position, wanted[-1].stop)
        for segment in wanted:
            for _ in islice(frames, segment.start - position):
                pass
            position = segment.stop
            yield self._gather(frames, len(segment))

    def _gather(self, frames: Iterator[np.ndarray], count: int) -> UInt8[np.ndarray, "frames height width 3"]:
        """Put the next ``count`` frames into one array."""
        gathered = np.empty((count, self.info.height, self.info.width, 3), dtype=np.uint8)
        for index, frame in enumerate(islice(frames, count)):
            gathered[index] = frame
        return gathered


def _delivered(info: VideoInfo, options: ReadOptions) -> VideoInfo:
    """Adapt what the source says to the frames that the options deliver."""
    info = replace(info, frame_rate=info.frame_rate / options.every)
    if options.size is None:
        return info
    width, height = options.size
    shape = Fraction(info.width, info.height) / Fraction(width, height)
    return replace(info, width=width, height=height, pixel_aspect=info.pixel_aspect * shape)
