"""Collects the packets of one audio or subtitle stream into a Track."""

from fractions import Fraction
from typing import TYPE_CHECKING, Literal, cast

from av.audio.codeccontext import AudioCodecContext
from av.packet import Packet
from av.stream import Stream

from nervid.video.track import Track, TrackPacket

# PyAV's stubs call Packet generic, at run time it is not.
if TYPE_CHECKING:
    AnyPacket = Packet[Stream]
else:
    AnyPacket = Packet

# Matroska writes statistics about the file it once was.
_STATISTICS = ("duration", "bps", "number_of_", "_statistics", "encoder")


class TrackReader:
    """Packets of one stream, in the order the file holds them."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._packets: list[TrackPacket] = []

    @staticmethod
    def can_read(stream: Stream) -> bool:
        """Whether the codec of ``stream`` is known, so that a writer can name it again."""
        return stream.codec_context is not None and stream.time_base is not None

    def add(self, packet: AnyPacket) -> None:
        """Copy ``packet``; the empty one that ends a stream is passed over."""
        if packet.size == 0 and packet.pts is None:
            return
        self._packets.append(
            TrackPacket(
                data=bytes(packet),
                pts=packet.pts,
                dts=packet.dts,
                duration=packet.duration,
                is_keyframe=packet.is_keyframe,
            )
        )

    def track(self) -> Track:
        """Everything collected so far as a track."""
        context = self.stream.codec_context
        audio = context if isinstance(context, AudioCodecContext) else None
        return Track(
            kind=cast(Literal["audio", "subtitle"], self.stream.type),
            codec=context.codec.canonical_name,
            time_base=self.stream.time_base or Fraction(1, 1000),
            extradata=context.extradata or b"",
            sample_rate=audio.sample_rate if audio else 0,
            layout=audio.layout.name if audio else "",
            delay_samples=audio.delay if audio else 0,
            language=self.stream.language or "",
            metadata={
                key: value
                for key, value in self.stream.metadata.items()
                if key != "language" and not key.lower().startswith(_STATISTICS)
            },
            disposition=int(self.stream.disposition),
            packets=tuple(self._packets),
        )
