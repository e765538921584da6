"""Writes frames to a file, a folder or standard output; a result appears whole or not at all."""

import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from jaxtyping import UInt8

from nervid.errors import InputError, NervidError, OutputError
from nervid.video.info import VideoInfo
from nervid.video.sinks import CONTAINERS, ArraySink, ImageSink, MuxSink, RawSink, Sink, Y4mSink
from nervid.video.track import Track


def open_writer(
    target: str | os.PathLike[str],
    info: VideoInfo,
    *,
    codec: str = "libx264",
    crf: int | None = None,
    tracks: Sequence[Track] = (),
) -> "VideoWriter":
    """Open a writer for frames of ``info.width`` x ``info.height``.

    Args:
        target: .mp4, .mov or .mkv (encoded, with timestamps, colors, pixel aspect, rotation, metadata and
            tracks), .y4m (uncompressed), .npy (uint8 [frames, 3, height, width]), a name without suffix
            (a new folder of PNG images), or "-" (raw RGB on standard output).
        info: What the frames are; ``Clip.info`` gives a clip back as it was.
        codec: PyAV's name of a video encoder for .mp4, .mov and .mkv. If a side is odd, 4:4:4 is used.
        crf: Constant rate factor, lower is better; None for 18 (libx264) or what suits the encoder.
        tracks: Copied into .mp4, .mov and .mkv; other targets hold no tracks and drop them.

    Returns:
        A writer to be used in a ``with`` statement.

    Raises:
        InputError: If the suffix, codec or crf cannot be used, or a track's codec not in that container.
        OutputError: If the target cannot be written.
    """
    if str(target) == "-":
        return VideoWriter(RawSink(), info, None, None)
    path = Path(target)
    suffix = path.suffix.lower()
    if suffix not in {*CONTAINERS, ".y4m", ".npy", ""}:
        raise InputError(f"{path}: wanted .mp4, .mov, .mkv, .y4m, .npy, a folder or -, got {suffix}")
    if path.is_dir() and (suffix or any(path.iterdir())):
        raise OutputError(f"{path}: a folder with this name is in the way; choose another name")
    if not suffix and path.is_file():
        raise OutputError(f"{path}: a file is where a folder was to be made; choose another name")
    # Beside the target, because a file can only be renamed on its own disk.
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    sink: Sink
    try:
        if suffix in CONTAINERS:
            sink = MuxSink(beside, suffix, info, codec, crf, tracks)
        elif suffix == ".y4m":
            sink = Y4mSink(beside, info)
        elif suffix == ".npy":
            sink = ArraySink(beside, info)
        else:
            sink = ImageSink(beside, info)
    except BaseException as error:
        _remove(beside)
        raise _as_output_error(path, error) from None
    return VideoWriter(sink, info, path, beside)


class VideoWriter:
    """Takes frames in order; use it in a ``with`` statement.

    The target appears when the block ends without an exception. Otherwise nothing is left and a file that
    was there before is untouched.
    """

    def __init__(self, sink: Sink, info: VideoInfo, path: Path | None, beside: Path | None) -> None:
        self._sink = sink
        self._info = info
        self._path = path
        self._beside = beside
        self._last_timestamp: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether more frames are of use: false once the reader of standard output has gone."""
        return not isinstance(self._sink, RawSink) or self._sink.is_open

    @property
    def unwritten(self) -> int:
        """Frames taken and not yet written: none, :meth:`write` returns when it is done."""
        return 0

    def write(self, frame: UInt8[np.ndarray, "height width 3"], timestamp: int) -> None:
        """Write the next frame.

        Args:
            frame: RGB of the writer's size.
            timestamp: Ticks of ``info.time_base``, above that of the frame before.

        Raises:
            InputError: If the size is another or the timestamp does not increase.
            OutputError: If it cannot be written, for example because the disk is full.
        """
        shape = (self._info.height, self._info.width, 3)
        if frame.shape != shape or frame.dtype != np.uint8:
            raise InputError(f"a frame must be uint8 {list(shape)}, got {frame.dtype} {list(frame.shape)}")
        if self._last_timestamp is not None and timestamp <= self._last_timestamp:
            raise InputError(f"timestamps must increase, got {timestamp} after {self._last_timestamp}")
        self._last_timestamp = timestamp
        try:
            self._sink.write(frame, int(timestamp))
        except (OSError, ValueError) as error:
            raise _as_output_error(self._path, error) from None

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._give_up()
            return
        try:
            if self._last_timestamp is None:
                raise InputError(f"{self._path or 'standard output'}: no frame was written, 1 is needed")
            self._sink.finish()
            if self._path is not None and self._beside is not None:
                os.replace(self._beside, self._path)
        except BaseException as problem:
            self._give_up()
            raise _as_output_error(self._path, problem) from None

    def _give_up(self) -> None:
        self._sink.abort()
        if self._beside is not None:
            _remove(self._beside)


def _remove(path: Path) -> None:
    """Remove what has been written so far, if anything."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _as_output_error(path: Path | None, error: BaseException) -> BaseException:
    """Say in one line why a target cannot be written; other kinds of errors stay as they are."""
    if isinstance(error, NervidError) or not isinstance(error, (OSError, ValueError)):
        return error
    reason = getattr(error, "strerror", None) or str(error)
    return OutputError(
        f"{path or 'standard output'}: cannot be written ({reason}); nothing was changed there"
    )
