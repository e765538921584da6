"""A video file in a container: frames are encoded, tracks copied."""

import os
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from jaxtyping import UInt8

from nervid.errors import InputError
from nervid.video.info import RGB_MATRIX, Color, VideoInfo
from nervid.video.sinks.trackfeed import TrackFeed
from nervid.video.sinks.yuv import YuvConverter
from nervid.video.track import Track

CONTAINERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""FFmpeg's muxer for each suffix."""

_USUAL_CRF = {"libx264": 18, "libx264rgb": 18, "libx265": 20, "libsvtav1": 28}
"""Constant rate factors at which losses are hard to see; chosen, untuned."""
_QUIET = {"libx265": {"x265-params": "log-level=none"}}


class MuxSink:
    """Encodes frames with any encoder PyAV has and copies tracks beside them.

    4:2:0 is used where the encoder knows it and both sides are even, 4:4:4 otherwise; lossless-only
    encoders (ffv1, png) get RGB. The container's ticks are 1 / denominator of the time base, so in mp4 and
    mov every timestamp is exact; Matroska rounds to milliseconds.
    """

    def __init__(
        self, path: Path, suffix: str, info: VideoInfo, codec: str, crf: int | None, tracks: Sequence[Track]
    ) -> None:
        self._info = info
        self._base = Fraction(1, info.time_base.denominator)
        self._feeds: list[TrackFeed] = []
        self._color = _tags(info.color)
        # The file is Python's, so a full disk is an error here and not a line in FFmpeg's log.
        self._file = path.open("wb")
        try:
            self._container = av.open(
                self._file,
                "w",
                format=CONTAINERS[suffix],
                container_options=_container_options(suffix, self._base),
            )
            self._container.metadata.update(info.metadata)
            self._stream, pixel_format = self._add_video(suffix, codec, crf)
            self._feeds = [TrackFeed(self._container, track, suffix) for track in tracks]
            self._start(suffix, codec)
        except BaseException:
            self.abort()
            raise
        self._converter = YuvConverter(pixel_format, matrix=self._color.matrix, color_range=self._color.range)

    def _add_video(self, suffix: str, codec: str, crf: int | None) -> tuple[VideoStream, str]:
        """Set up the encoder."""
        info = self._info
        try:
            found = av.Codec(codec, "w")
            if found.type != "video":
                raise InputError(f"codec {codec} is for {found.type}; name a video encoder such as libx264")
            stream = self._container.add_stream(codec, rate=info.frame_rate)
        except av.codec.codec.UnknownCodecError:
            raise InputError(
                f"codec {codec} is unknown; name an encoder such as libx264 or libx265"
            ) from None
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"codec {codec} is not allowed in {suffix}; write to .mkv instead") from None
        assert isinstance(stream, VideoStream)
        pixel_format = _pixel_format(found, info)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = info.width, info.height, pixel_format
        context.time_base = self._base
        stream.time_base = self._base
        context.sample_aspect_ratio = info.pixel_aspect
        is_yuv = pixel_format.startswith("yuv")
        context.color_primaries, context.color_trc = self._color.primaries, self._color.transfer
        context.colorspace = self._color.matrix if is_yuv else RGB_MATRIX
        context.color_range = self._color.range if is_yuv else 0
        # SVT-AV1 reports on standard error unless its own variable forbids it.
        os.environ.setdefault("SVT_LOG", "0")
        context.options = dict(_QUIET.get(codec, {}))
        crf = _USUAL_CRF.get(codec) if crf is None else crf
        if crf is not None:
            if not any(option.name == "crf" for option in context.supported_options.private):
                raise InputError(f"codec {codec} knows no crf; leave crf out or choose libx264")
            context.options["crf"] = str(crf)
        if info.rotation:
            stream.set_display_rotation(info.rotation)
        try:
            context.open()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise InputError(
                f"codec {codec} refuses {info.width}x{info.height} {pixel_format} ({reason}); "
                "choose libx264 or another size or crf"
            ) from None
        return stream, pixel_format

    def _start(self, suffix: str, codec: str) -> None:
        """Write the container's header."""
        try:
            self._container.start_encoding()
        except (av.error.ArgumentError, av.error.InvalidDataError, av.error.ExperimentalError):
            names = ", ".join([codec, *(feed.codec for feed in self._feeds)])
            raise InputError(f"{suffix} cannot hold {names} together; write to .mkv instead") from None

    def write(self, frame: UInt8[np.ndarray, "height width 3"], timestamp: int) -> None:
        """Encode the next frame and write packets that are ready, tracks in step."""
        picture = self._converter.convert(frame)
        picture.colorspace, picture.color_range = self._stream.colorspace, self._stream.color_range
        picture.color_primaries, picture.color_trc = self._color.primaries, self._color.transfer
        picture.time_base = self._base
        picture.pts = timestamp * self._info.time_base.numerator
        picture.duration = self._info.frame_ticks * self._info.time_base.numerator
        self._mux(picture)

    def _mux(self, picture: av.VideoFrame | None) -> None:
        for packet in self._stream.encode(picture):
            time = packet.pts if packet.dts is None else packet.dts
            for feed in self._feeds:
                feed.mux_until(None if time is None else time * self._base)
            self._container.mux(packet)

    def finish(self) -> None:
        """Write the frames and packets that are left, and the container's index."""
        self._mux(None)
        for feed in self._feeds:
            feed.mux_until(None)
            feed.close()
        self._container.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abort(self) -> None:
        """Close the file first: PyAV writes no index to a closed one."""
        with suppress(OSError):
            self._file.close()
        for feed in self._feeds:
            feed.close()


def _tags(color: Color) -> Color:
    """Color as it can be said of encoded samples: RGB is stored as BT.709 in limited range."""
    if color.matrix != RGB_MATRIX:
        return color
    return Color(primaries=color.primaries, transfer=color.transfer, matrix=1, range=1)


def _pixel_format(codec: av.Codec, info: VideoInfo) -> str:
    """Choose among the formats that an encoder takes."""
    names = [known.name for known in codec.video_formats or ()]
    is_even = info.width % 2 == 0 and info.height % 2 == 0
    if codec.lossless and not codec.lossy:
        wanted = ["rgb24", "bgr0", "gbrp", "yuv444p"]
    else:
        wanted = ["yuv420p", "yuv444p"] if is_even else ["yuv444p"]
    for name in [*wanted, "rgb24", "bgr0", "gbrp"]:
        if name in names:
            return name
    raise InputError(
        f"codec {codec.name} cannot store {info.width}x{info.height} 8-bit frames; "
        "choose libx264" + ("" if is_even else " or an even width and height")
    )


def _container_options(suffix: str, base: Fraction) -> dict[str, str]:
    """Options that keep times exact and files the same from run to run."""
    options = {"fflags": "+bitexact"}
    if suffix in (".mp4", ".mov"):
        options["video_track_timescale"] = str(base.denominator)
        # A late start is an entry of the edit list, which counts in ticks of the movie.
        options["movie_timescale"] = str(base.denominator)
    return options
