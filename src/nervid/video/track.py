"""One audio or subtitle stream, copied packet by packet, and its bytes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal

from nervid.errors import CorruptSectionError, UnsupportedVersionError
from nervid.video.varint import ByteReader, append_signed, append_unsigned

VERSION = 1
_HAS_PTS, _HAS_DTS, _HAS_DURATION, _KEYFRAME = 1, 2, 4, 8
_HEAD_TYPES = {
    "kind": str,
    "codec": str,
    "time_base": list,
    "sample_rate": int,
    "layout": str,
    "delay_samples": int,
    "language": str,
    "metadata": dict,
    "disposition": int,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackPacket:
    """One encoded packet, exactly as the source file held it; times are ticks of the track's time base."""

    data: bytes
    """The codec's bytes."""
    pts: int | None
    """When it is presented; None if the file does not say."""
    dts: int | None
    """When it is decoded; None if the file does not say."""
    duration: int | None = None
    """How long it lasts; None if the file does not say."""
    is_keyframe: bool = True
    """Whether decoding may begin here."""

    @property
    def time(self) -> int | None:
        """Presentation time in ticks, or decoding time if only that is known."""
        return self.dts if self.pts is None else self.pts


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One audio or subtitle stream with all its packets, never re-encoded."""

    kind: Literal["audio", "subtitle"]
    """What the packets hold."""
    codec: str
    """FFmpeg's name of the codec, for example "aac" or "subrip"."""
    time_base: Fraction
    """Seconds per tick of the packets' times, above 0."""
    extradata: bytes = b""
    """The codec's set-up bytes, empty if it has none."""
    sample_rate: int = 0
    """Samples per second of audio; 0 for subtitles."""
    layout: str = ""
    """FFmpeg's name of the channel layout of audio, for example "5.1"; empty for subtitles."""
    delay_samples: int = 0
    """Samples that an audio decoder drops at the start."""
    language: str = ""
    """ISO 639 code as in the file, empty if unknown."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """The stream's own metadata."""
    disposition: int = 0
    """FFmpeg's bit set of roles: 1 default, 64 forced and so on."""
    packets: tuple[TrackPacket, ...] = ()
    """Packets in the order of the file."""

    def shifted(self, start_seconds: Fraction, stop_seconds: Fraction | None) -> "Track":
        """Keep the packets presented in [start, stop) and make ``start`` their time 0.

        Args:
            start_seconds: Time in the source that becomes 0.
            stop_seconds: Time in the source where the clip ends; None for no end.

        Returns:
            A track of the packets inside the range, times moved by whole ticks.
        """
        shift = round(start_seconds / self.time_base)
        kept = []
        for packet in self.packets:
            if packet.time is None or packet.time < shift:
                continue
            if stop_seconds is not None and packet.time * self.time_base >= stop_seconds:
                continue
            pts = None if packet.pts is None else packet.pts - shift
            dts = None if packet.dts is None else packet.dts - shift
            kept.append(replace(packet, pts=pts, dts=dts))
        return replace(self, packets=tuple(kept))

    def to_bytes(self) -> bytes:
        """Write the track as bytes that ``from_bytes`` turns into an equal track.

        Layout: version (1 byte); head (canonical JSON, UTF-8) and extradata, each behind its length;
        packet count; per packet one byte of flags (1 pts, 2 dts, 4 duration, 8 keyframe), its size,
        then the present ones of pts - previous pts, dts - pts (or dts - previous dts without a pts) and
        duration; at last the data of all packets. Lengths and sizes are unsigned LEB128 numbers,
        times are zigzag LEB128 numbers.

        Returns:
            The bytes; equal tracks give equal bytes.
        """
        head = _head_bytes(self)
        out = bytearray([VERSION])
        for block in (head, self.extradata):
            append_unsigned(out, len(block))
            out += block
        append_unsigned(out, len(self.packets))
        _append_packets(out, self.packets)
        return bytes(out)

    @staticmethod
    def from_bytes(data: bytes) -> "Track":
        """Read what ``to_bytes`` wrote.

        Args:
            data: Bytes of one track; they may come from an untrusted file.

        Returns:
            The track.

        Raises:
            UnsupportedVersionError: If a newer nervid wrote it.
            CorruptSectionError: If it is cut short, damaged or followed by other bytes.
        """
        reader = ByteReader(data, what="track")
        version = reader.byte()
        if version != VERSION:
            raise UnsupportedVersionError(
                f"track: version {version} is unknown, this nervid reads version {VERSION}; update nervid"
            )
        head = _parse_head(reader.take(reader.unsigned()))
        extradata = reader.take(reader.unsigned())
        packets = _read_packets(reader)
        reader.expect_end()
        return replace(head, extradata=extradata, packets=packets)


def _append_packets(out: bytearray, packets: Sequence[TrackPacket]) -> None:
    """Append headers of all packets, then their data."""
    previous_pts = previous_dts = 0
    for packet in packets:
        pts, dts, duration = packet.pts, packet.dts, packet.duration
        flags = _HAS_PTS * (pts is not None) | _HAS_DTS * (dts is not None)
        out.append(flags | _HAS_DURATION * (duration is not None) | _KEYFRAME * packet.is_keyframe)
        append_unsigned(out, len(packet.data))
        if pts is not None:
            append_signed(out, pts - previous_pts)
            previous_pts = pts
        if dts is not None:
            append_signed(out, dts - (previous_dts if pts is None else pts))
            previous_dts = dts
        if duration is not None:
            append_signed(out, duration)
    for packet in packets:
        out += packet.data


def _read_packets(reader: ByteReader) -> tuple[TrackPacket, ...]:
    """Read the packet headers, then hand each its data."""
    # Every packet needs two bytes of header, so a count beyond that is refused before any allocation.
    headers: list[tuple[int, int, int | None, int | None, int | None]] = []
    previous_pts = previous_dts = 0
    for _ in range(reader.count(bytes_each=2)):
        flags = reader.byte()
        if flags > 15:
            raise CorruptSectionError(f"track: packet flags {flags} are unknown; the file is damaged")
        size = reader.unsigned()
        pts = dts = duration = None
        if flags & _HAS_PTS:
            pts = previous_pts = previous_pts + reader.signed()
        if flags & _HAS_DTS:
            dts = previous_dts = (previous_dts if pts is None else pts) + reader.signed()
        if flags & _HAS_DURATION:
            duration = reader.signed()
        if any(value is not None and abs(value) >= 1 << 63 for value in (pts, dts)):
            raise CorruptSectionError("track: a packet time does not fit 64 bits; the file is damaged")
        headers.append((flags, size, pts, dts, duration))
    return tuple(
        TrackPacket(
            data=reader.take(size), pts=pts, dts=dts, duration=duration, is_keyframe=bool(flags & _KEYFRAME)
        )
        for flags, size, pts, dts, duration in headers
    )


def _head_bytes(track: Track) -> bytes:
    """Canonical JSON of all fields but extradata and packets."""
    head = {name: getattr(track, name) for name in _HEAD_TYPES}
    head["time_base"] = [track.time_base.numerator, track.time_base.denominator]
    head["metadata"] = dict(track.metadata)
    return json.dumps(head, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _parse_head(text: bytes) -> Track:
    """Make a track without packets from its head; anything unexpected is damage."""
    try:
        head = json.loads(text.decode())
        if not isinstance(head, dict) or set(head) != set(_HEAD_TYPES):
            raise ValueError("wrong fields")
        for name, kind in _HEAD_TYPES.items():
            if type(head[name]) is not kind or (kind is int and not 0 <= head[name] < 1 << 31):
                raise ValueError(f"wrong {name}")
        if head["kind"] not in ("audio", "subtitle"):
            raise ValueError("wrong kind")
        if not all(isinstance(value, str) for value in head["metadata"].values()):
            raise ValueError("wrong metadata")
        ticks = head.pop("time_base")
        if [type(tick) for tick in ticks] != [int, int] or not all(0 < tick < 1 << 31 for tick in ticks):
            raise ValueError("wrong time_base")
        track = Track(time_base=Fraction(*ticks), **head)
        # Only the canonical spelling is accepted, so equal tracks always have equal bytes.
        if _head_bytes(track) != text:
            raise ValueError("not canonical")
    except (ValueError, RecursionError) as error:
        raise CorruptSectionError(f"track: its head cannot be read ({error}); the file is damaged") from None
    return track
