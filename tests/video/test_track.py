"""Tracks survive their bytes exactly, and damaged bytes are refused."""

from contextlib import suppress
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervid.errors import CorruptSectionError, FormatError, InputError, UnsupportedVersionError
from nervid.video import Track, TrackPacket
from nervid.video.varint import ByteReader, append_signed, append_unsigned

_times = st.none() | st.integers(-(2**62), 2**62)
_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_packets = st.fixed_dictionaries(
    {
        "data": st.binary(max_size=20),
        "pts": _times,
        "dts": _times,
        "duration": _times,
        "is_keyframe": st.booleans(),
    }
)
# Tracks are built in the test: the run-time type checks draw random numbers, which strategies must not.
_tracks = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["audio", "subtitle"]),
        "codec": _text,
        "time_base": st.builds(Fraction, st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1)),
        "extradata": st.binary(max_size=20),
        "sample_rate": st.integers(0, 2**31 - 1),
        "layout": _text,
        "delay_samples": st.integers(0, 2**31 - 1),
        "language": _text,
        "metadata": st.dictionaries(_text, _text, max_size=3),
        "disposition": st.integers(0, 2**31 - 1),
    }
)
_SAMPLE = Track(
    kind="audio",
    codec="aac",
    time_base=Fraction(1, 48000),
    extradata=b"\x11\x90",
    sample_rate=48000,
    layout="stereo",
    language="eng",
    metadata={"title": "Sound"},
    disposition=1,
    packets=tuple(
        TrackPacket(data=bytes([n, n]), pts=1024 * n - 1024, dts=1024 * n - 1024, duration=1024)
        for n in range(4)
    ),
)


@given(st.integers(0, 2**64))
def test_every_unsigned_number_comes_back(value: int) -> None:
    out = bytearray()
    append_unsigned(out, value)
    reader = ByteReader(bytes(out), what="test")
    assert reader.unsigned() == value
    reader.expect_end()


@given(st.integers(-(2**64), 2**64))
def test_every_signed_number_comes_back(value: int) -> None:
    out = bytearray()
    append_signed(out, value)
    assert ByteReader(bytes(out), what="test").signed() == value


def test_numbers_have_the_bytes_of_leb128() -> None:
    out = bytearray()
    append_unsigned(out, 624485)
    append_signed(out, -2)
    assert out == b"\xe5\x8e\x26\x03"


@given(_tracks, st.lists(_packets, max_size=5))
def test_every_track_comes_back_from_its_bytes(fields: dict[str, Any], packets: list[dict[str, Any]]) -> None:
    track = Track(packets=tuple(TrackPacket(**packet) for packet in packets), **fields)
    assert Track.from_bytes(track.to_bytes()) == track


@given(st.data())
def test_changed_bytes_give_a_track_or_a_format_error(data: st.DataObject) -> None:
    damaged = bytearray(_SAMPLE.to_bytes())
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with suppress(FormatError):
        Track.from_bytes(bytes(damaged))


@given(st.binary(max_size=60))
def test_random_bytes_give_a_format_error(data: bytes) -> None:
    with pytest.raises(FormatError):
        Track.from_bytes(data)


def test_every_shortened_track_is_refused() -> None:
    whole = _SAMPLE.to_bytes()
    for size in range(len(whole)):
        with pytest.raises(CorruptSectionError):
            Track.from_bytes(whole[:size])


def test_bytes_after_a_track_are_refused() -> None:
    with pytest.raises(CorruptSectionError, match="1 bytes too many"):
        Track.from_bytes(_SAMPLE.to_bytes() + b"\0")


def test_a_newer_version_is_named() -> None:
    with pytest.raises(UnsupportedVersionError, match="version 2 is unknown, this nervid reads version 1"):
        Track.from_bytes(b"\x02" + _SAMPLE.to_bytes()[1:])


def test_a_huge_count_of_packets_is_refused_before_allocating() -> None:
    empty = Track(kind="subtitle", codec="ass", time_base=Fraction(1, 1000)).to_bytes()
    huge = bytearray(empty[:-1])
    append_unsigned(huge, 10**15)
    with pytest.raises(CorruptSectionError, match="items cannot follow"):
        Track.from_bytes(bytes(huge))


def test_a_deeply_nested_head_is_damage() -> None:
    head = b"[" * 200_000
    out = bytearray([1])
    append_unsigned(out, len(head))
    with pytest.raises(CorruptSectionError, match="its head cannot be read"):
        Track.from_bytes(bytes(out) + head)


def test_shifting_keeps_the_packets_inside_and_moves_them() -> None:
    shifted = _SAMPLE.shifted(Fraction(1024, 48000), Fraction(2048, 48000))
    assert [(packet.data, packet.pts, packet.dts) for packet in shifted.packets] == [(b"\x02\x02", 0, 0)]
    assert shifted.codec == "aac"


def test_every_error_can_be_caught_as_input_or_format_error() -> None:
    assert issubclass(CorruptSectionError, FormatError)
    assert not issubclass(FormatError, InputError)
