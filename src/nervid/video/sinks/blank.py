"""Blank streams: how packets that are encoded already are told to PyAV."""

import io
import struct
from fractions import Fraction

import av
from av.container import InputContainer

from nervid.errors import InputError
from nervid.video.track import Track

# Matroska's name of each codec; https://www.matroska.org/technical/codec_specs.html
_MATROSKA_CODECS = {
    "aac": "A_AAC",
    "ac3": "A_AC3",
    "alac": "A_ALAC",
    "dts": "A_DTS",
    "eac3": "A_EAC3",
    "flac": "A_FLAC",
    "mp2": "A_MPEG/L2",
    "mp3": "A_MPEG/L3",
    "opus": "A_OPUS",
    "pcm_f32le": "A_PCM/FLOAT/IEEE",
    "pcm_f64le": "A_PCM/FLOAT/IEEE",
    "pcm_s16be": "A_PCM/INT/BIG",
    "pcm_s16le": "A_PCM/INT/LIT",
    "pcm_s24be": "A_PCM/INT/BIG",
    "pcm_s24le": "A_PCM/INT/LIT",
    "pcm_s32be": "A_PCM/INT/BIG",
    "pcm_s32le": "A_PCM/INT/LIT",
    "pcm_u8": "A_PCM/INT/LIT",
    "truehd": "A_TRUEHD",
    "vorbis": "A_VORBIS",
    "ass": "S_TEXT/ASS",
    "dvb_subtitle": "S_DVBSUB",
    "dvd_subtitle": "S_VOBSUB",
    "hdmv_pgs_subtitle": "S_HDMV/PGS",
    "subrip": "S_TEXT/UTF8",
    "webvtt": "D_WEBVTT/SUBTITLES",
}


def open_blank(track: Track) -> InputContainer:
    """Make a container in memory whose only stream has the track's codec and no packets.

    PyAV can set up an output stream for encoded packets, extradata included, only after the model of an
    input stream; this is such a model.

    Args:
        track: Audio or subtitles.

    Returns:
        The open container; the caller closes it.

    Raises:
        InputError: If the codec has a name in none of the known containers.
    """
    if track.codec in _MATROSKA_CODECS:
        return av.open(io.BytesIO(_matroska(track)), "r")
    for muxer in ("mp4", "avi"):
        buffer = io.BytesIO()
        try:
            with av.open(buffer, "w", format=muxer) as container:
                container.add_mux_stream(track.codec, rate=track.sample_rate or None)
                container.start_encoding()
            blank = av.open(io.BytesIO(buffer.getvalue()), "r")
        except (OSError, ValueError):
            continue
        if len(blank.streams) == 1 and blank.streams[0].codec_context is not None:
            return blank
        blank.close()
    raise InputError(f"codec {track.codec} of the {track.kind} track cannot be copied; leave the track out")


def _matroska(track: Track) -> bytes:
    """Spell a Matroska file with one track and an empty cluster.

    Source:
        RFC 9559 (Matroska) and RFC 8794 (EBML); the element names stand behind their codes.
    """
    entry = [
        _number("d7", 1),  # TrackNumber
        _number("73c5", 1),  # TrackUID
        _number("83", 2 if track.kind == "audio" else 17),  # TrackType
        _element("86", _MATROSKA_CODECS[track.codec].encode()),  # CodecID
    ]
    if track.kind == "audio":
        rate = max(1, track.sample_rate)
        # Matroska has no times below 0: packets before 0 are known by the delay, or all streams get shifted.
        early = -min((packet.time or 0 for packet in track.packets[:1]), default=0) * track.time_base
        delay = Fraction(track.delay_samples, rate) or max(Fraction(0), early)
        entry.append(_number("56aa", round(delay * 10**9)))  # CodecDelay, nanoseconds
        audio = _element("b5", struct.pack(">d", rate)) + _number("9f", 1)  # SamplingFrequency, Channels
        if track.codec.startswith("pcm_"):
            audio += _number("6264", int("".join(filter(str.isdigit, track.codec))))  # BitDepth
        entry.append(_element("e1", audio))  # Audio
    segment = [
        _element("1549a966", _number("2ad7b1", 10**6)),  # Info: TimestampScale
        _element("1654ae6b", _element("ae", b"".join(entry))),  # Tracks: TrackEntry
        _element("1f43b675", _number("e7", 0)),  # Cluster: Timestamp
    ]
    head = _element("1a45dfa3", _element("4282", b"matroska"))  # EBML: DocType
    return head + _element("18538067", b"".join(segment))


def _element(code: str, payload: bytes) -> bytes:
    """One EBML element with its length in 8 bytes."""
    return bytes.fromhex(code) + (len(payload) | 1 << 56).to_bytes(8, "big") + payload


def _number(code: str, value: int) -> bytes:
    """One EBML element that holds an unsigned number."""
    return _element(code, value.to_bytes(8, "big"))
