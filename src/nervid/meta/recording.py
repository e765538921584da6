"""A recording: one file of a corpus, opened, whose pictures are decoded from any place on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import av
from av.codec.context import ThreadType
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from nervid.errors import InputError
from nervid.meta.corpus import CorpusFile

_DEMUXERS: Final = {
    # FFmpeg also takes playlists and text for videos; only containers that hold their own data are wanted.
    "video": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpeg,mpegts,mpegvideo,yuv4mpegpipe,asf,flv,ogg,"
    "h264,hevc,m4v",
    "photograph": "image2,bmp_pipe,jpeg_pipe,png_pipe,apng,ppm_pipe,pgm_pipe,tiff_pipe,webp_pipe",
}


class Recording:
    """Decodes on one thread, so that a corpus is read by as many threads as are asked for and no more.

    Made by :func:`open_recording`.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._container = container
        self._stream = stream
        self._is_at_start = True

    @property
    def seconds(self) -> float:
        """Duration as the header says; 0 if it does not."""
        if self._stream.duration is not None and self._stream.time_base is not None:
            return max(0.0, float(self._stream.duration * self._stream.time_base))
        return max(0.0, (self._container.duration or 0) / av.time_base)

    @property
    def frame_rate(self) -> float:
        """Frames per second as the header says; 25 if it does not."""
        return float(self._stream.average_rate or self._stream.guessed_rate or 25)

    def pictures(self, seconds: float) -> Iterator[av.VideoFrame]:
        """Decode pictures in order from the first one at or after a place, until the end or damage.

        Frames before the place are decoded only as far as later ones need them. Of a file that cannot seek
        the pictures from its start are given.

        Args:
            seconds: The place, from the beginning of the stream, 0 or more.
        """
        codec = self._stream.codec_context
        first: int | None = None
        if seconds > 0 and self._stream.time_base:
            first = (self._stream.start_time or 0) + round(seconds / self._stream.time_base)
        if not (first is None and self._is_at_start):
            try:
                self._container.seek(
                    self._stream.start_time or 0 if first is None else first, stream=self._stream
                )
            except (OSError, ValueError):
                first = None
        self._is_at_start = False
        given = False
        for packet in self._packets():
            time = None if packet is None else packet.pts
            is_before = first is not None and time is not None and time < first
            # Exact: what no other frame refers to and nobody asked for is not decoded.
            codec.skip_frame = "NONREF" if is_before else "DEFAULT"
            try:
                pictures = codec.decode(packet)
            except EOFError:
                return
            except (OSError, ValueError):
                if given:
                    return
                continue
            for picture in pictures:
                if first is not None and picture.pts is not None and picture.pts < first:
                    continue
                if picture.is_corrupt:
                    if given:
                        return
                    continue
                given = True
                yield picture

    def _packets(self) -> "Iterator[Packet[VideoStream] | None]":
        """Read packets up to the end or damage, then give what flushes the decoder."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                yield next(packets)
            except (StopIteration, OSError, ValueError):
                return


@contextmanager
def open_recording(file: CorpusFile) -> Iterator[Recording]:
    """Open a video, or a photograph as a video of one frame.

    Raises:
        InputError: If it is no such file or holds no video stream that can be decoded.
    """
    options = {"format_whitelist": _DEMUXERS[file.kind], "protocol_whitelist": "file,subfile"}
    if file.kind == "photograph":
        options["pattern_type"] = "none"
    try:
        container = av.open(file.location, "r", container_options=options, metadata_errors="replace")
    except (OSError, ValueError):
        raise InputError(f"{file.name}: not a {file.kind} that can be read; replace or remove it") from None
    with container:
        for stream in container.streams.video:
            # A cover picture is stored as a video of one frame.
            if stream.codec_context is not None and not stream.disposition & Disposition.attached_pic:
                stream.codec_context.thread_type = ThreadType.NONE
                stream.codec_context.thread_count = 1
                yield Recording(container, stream)
                return
    raise InputError(f"{file.name}: it holds no video stream that can be decoded; replace or remove it")
