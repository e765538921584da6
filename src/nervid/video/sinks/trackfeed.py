"""Feeds the packets of one track into a container, in step with the video."""

from dataclasses import replace
from fractions import Fraction

from av.audio.codeccontext import AudioCodecContext
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition

from nervid.errors import InputError
from nervid.video.sinks.blank import open_blank
from nervid.video.track import Track


class TrackFeed:
    """One stream of an output file that copies a track.

    Raises:
        InputError: If the container does not allow the track's codec.
    """

    def __init__(self, container: OutputContainer, track: Track, suffix: str) -> None:
        self.codec = track.codec
        self._container = container
        self._track = _without_repeats(track) if track.codec == "mov_text" else track
        self._next = 0
        self._blank = open_blank(track)
        try:
            self._stream = container.add_stream_from_template(self._blank.streams[0])
        except ValueError:
            self._blank.close()
            advice = "leave the track out" if suffix == ".mkv" else "write to .mkv or leave the track out"
            raise InputError(
                f"codec {track.codec} of the {track.kind} track is not allowed in {suffix}; {advice}"
            ) from None
        context = self._stream.codec_context
        if self._track.extradata:
            context.extradata = self._track.extradata
        if isinstance(context, AudioCodecContext):
            context.sample_rate = track.sample_rate
            context.layout = track.layout
        self._stream.time_base = track.time_base
        self._stream.disposition = Disposition(track.disposition)
        self._stream.metadata.update(track.metadata)
        if track.language:
            self._stream.metadata["language"] = track.language

    def mux_until(self, stop_seconds: Fraction | None) -> None:
        """Write the packets that are due before ``stop_seconds``; all that are left for None."""
        packets = self._track.packets
        while self._next < len(packets):
            source = packets[self._next]
            due = source.pts if source.dts is None else source.dts
            if stop_seconds is not None and due is not None and due * self._track.time_base > stop_seconds:
                return
            packet = Packet(source.data)
            packet.stream = self._stream
            packet.time_base = self._track.time_base
            packet.pts, packet.dts, packet.duration = source.pts, source.dts, source.duration or 0
            packet.is_keyframe = source.is_keyframe
            self._container.mux(packet)
            self._next += 1

    def close(self) -> None:
        """Close the model that the stream was made after."""
        self._blank.close()


def _without_repeats(track: Track) -> Track:
    """Leave out what FFmpeg's mp4 muxer adds to timed text by itself, or every copy would hold it twice.

    That is a bit rate box (btrt, 20 bytes) behind the set-up bytes and an empty text between two cues.
    """
    extradata = track.extradata
    while extradata[-20:-12] == b"\0\0\0\x14btrt":
        extradata = extradata[:-20]
    cues = tuple(packet for packet in track.packets if packet.data != b"\0\0")
    return replace(track, extradata=extradata, packets=cues)
