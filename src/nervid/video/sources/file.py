"""Frames from a video file, by PyAV."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from nervid.errors import InputError
from nervid.video.info import RGB_MATRIX, UNSPECIFIED, Color, VideoInfo
from nervid.video.sources.base import Digest, Survey, add_file
from nervid.video.sources.repair import repair_timestamps
from nervid.video.sources.tracks import AnyPacket, TrackReader

# FFmpeg takes playlists, device names and even plain text for videos; only real containers are wanted.
_CONTAINERS = frozenset(
    (
        "mov",
        "matroska",
        "avi",
        "gif",
        "apng",
        "yuv4mpegpipe",
        "mpegts",
        "mpeg",
        "mpegvideo",
        "flv",
        "ogg",
        "asf",
        "ivf",
        "h264",
        "hevc",
        "obu",
        "nut",
        "mxf",
        "dv",
        "rm",
    )
)
_NOT_TITLES = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "software"})
_USUAL_FRAME_RATE = Fraction(25)


class FileSource:
    """Frames of the first real video stream of a file, decoded anew for every pass."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = str(path)
        with self._open() as container:
            stream = self._video(container)
            first = next(_Decoding(container, (stream,)).pictures(stream), None)
            if first is None:
                raise InputError(
                    f"{path}: no frame of its video can be decoded; the file is empty or damaged"
                )
            self.info = _describe(container, stream, first)

    def _open(self) -> InputContainer:
        """Open the file; the prefix keeps FFmpeg from reading its name as a web address."""
        try:
            container = av.open(f"file:{self._path}", "r", metadata_errors="replace")
        except (OSError, ValueError) as error:
            if isinstance(error, PermissionError):
                raise InputError(f"{self._path}: may not be read; check its permissions") from None
            raise InputError(f"{self._path}: not a video that can be read; is it the right file?") from None
        if container.format.name.split(",")[0] not in _CONTAINERS:
            found = container.format.name
            container.close()
            raise InputError(
                f"{self._path}: not a video ({found}); wanted mp4, mkv, webm, mov, avi, gif or y4m"
            )
        return container

    def _video(self, container: InputContainer) -> VideoStream:
        for stream in container.streams.video:
            # A cover picture is stored as a video of one frame.
            if stream.codec_context is not None and not stream.disposition & Disposition.attached_pic:
                stream.thread_type = "AUTO"
                return stream
        raise InputError(f"{self._path}: it holds no video stream that can be decoded")

    def pictures(self) -> Iterator[av.VideoFrame]:
        """Decode all frames from the first one; damaged packets are passed over."""
        with self._open() as container:
            stream = self._video(container)
            yield from _Decoding(container, (stream,)).pictures(stream)

    def survey(self) -> Survey:
        """Decode everything once, without making RGB of it."""
        with self._open() as container:
            stream = self._video(container)
            readers = {
                other.index: TrackReader(other)
                for other in container.streams
                if other.type in ("audio", "subtitle") and TrackReader.can_read(other)
            }
            decoding = _Decoding(container, (stream, *(reader.stream for reader in readers.values())))
            raw: list[int | None] = []
            for picture in decoding.pictures(stream, readers):
                raw.append(picture.dts if picture.pts is None else picture.pts)
            timestamps, repaired = repair_timestamps(raw, self.info.frame_ticks)
            warnings = self._damage(container, stream, decoding, len(raw))
            if repaired:
                warnings.append(
                    f"{self.name}: timestamps of {repaired} frames were missing, repeated or out of order "
                    "and were repaired"
                )
            lost = [
                str(other.type)
                for other in container.streams
                if other.type in ("audio", "subtitle") and other.index not in readers
            ]
            if lost:
                warnings.append(f"{self.name}: left out, codec unknown: {', '.join(lost)}")
            return Survey(
                timestamps=timestamps,
                tracks=tuple(reader.track() for reader in readers.values()),
                packets=tuple(decoding.packets),
                warnings=tuple(warnings),
            )

    def _damage(
        self, container: InputContainer, stream: VideoStream, decoding: "_Decoding", frames: int
    ) -> list[str]:
        """Say how many frames a file lost that is cut short or damaged."""
        promised = stream.frames if len(decoding.packets) < stream.frames else 0
        if not promised and container.duration and stream.frames == 0 and decoding.packets:
            # Matroska counts no frames, but it knows how long the file is meant to be.
            missing = Fraction(container.duration, av.time_base) - decoding.last_seconds
            if missing > max(Fraction(1, 10), 3 / self.info.frame_rate):
                promised = frames + round(missing * self.info.frame_rate)
        if promised:
            return [
                f"{self.name}: cut short or damaged; its header promises about {promised} frames, "
                f"the {frames} that decode are used"
            ]
        if decoding.damaged:
            return [
                f"{self.name}: {decoding.damaged} damaged packets were passed over; "
                f"the {frames} frames that decode are used"
            ]
        return []

    def add_to(self, digest: Digest) -> None:
        """Feed size, first and last MiB."""
        add_file(digest, self._path)


class _Decoding:
    """One pass over a file that goes on after damage and keeps count."""

    def __init__(self, container: InputContainer, streams: tuple[Stream, ...]) -> None:
        self._container = container
        self._streams = streams
        self.damaged = 0
        self.packets: list[tuple[int | None, int]] = []
        self.last_seconds = Fraction(0)

    def pictures(
        self, stream: VideoStream, readers: "dict[int, TrackReader] | None" = None
    ) -> Iterator[av.VideoFrame]:
        """Decode frames of ``stream`` and hand the packets of other streams to their readers."""
        for packet in self._demux():
            if packet.stream_index != stream.index:
                if readers is not None:
                    readers[packet.stream_index].add(packet)
                continue
            if packet.size:
                self.packets.append((packet.dts if packet.pts is None else packet.pts, packet.size))
            yield from self._decode(stream, packet)
        # A damaged end leaves the decoder unflushed; flushing twice is an end of file and harmless.
        yield from self._decode(stream, None)

    def _demux(self) -> Iterator[AnyPacket]:
        packets = self._container.demux(*self._streams)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (OSError, ValueError):
                self.damaged += 1
                return
            if packet.size and packet.time_base and packet.pts is not None:
                end = (packet.pts + (packet.duration or 0)) * packet.time_base
                self.last_seconds = max(self.last_seconds, end)
            yield packet

    def _decode(self, stream: VideoStream, packet: AnyPacket | None) -> list[av.VideoFrame]:
        try:
            return stream.codec_context.decode(packet)
        except EOFError:
            return []
        except (OSError, ValueError):
            self.damaged += 1
            return []


def _describe(container: InputContainer, stream: VideoStream, first: av.VideoFrame) -> VideoInfo:
    """Collect what the header and the first frame say."""
    is_rgb = first.format.is_rgb or first.format.has_palette
    return VideoInfo(
        width=first.width,
        height=first.height,
        time_base=stream.time_base or 1 / _USUAL_FRAME_RATE,
        frame_rate=stream.average_rate or stream.guessed_rate or _USUAL_FRAME_RATE,
        color=Color(
            primaries=_known(first.color_primaries),
            transfer=_known(first.color_trc),
            matrix=RGB_MATRIX if is_rgb else _known(first.colorspace),
            range=first.color_range,
        ),
        pixel_aspect=stream.sample_aspect_ratio or Fraction(1),
        rotation=first.rotation,
        bit_depth=max(component.bits for component in first.format.components),
        metadata={k: v for k, v in container.metadata.items() if k.lower() not in _NOT_TITLES},
    )


def _known(code_point: int) -> int:
    """Read the reserved code points 0 and 3, which encoders refuse, as unspecified."""
    return UNSPECIFIED if code_point in (0, 3) else code_point
