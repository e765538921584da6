"""Timestamps as bytes and as even steps."""

import zlib
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervid.container import (
    TIME,
    WHOLE_FILE,
    EvenTimestamps,
    NervFile,
    Section,
    decode_timestamps,
    encode_timestamps,
    even_spacing,
    pack,
    read_timestamps,
)
from nervid.errors import CorruptSectionError, InputError

from .samples import PLAIN

int64s = st.integers(-(2**63), 2**63 - 1)


def slow_bytes(ticks: list[int]) -> bytes:
    """Return the varints before deflation, one value at a time."""
    out = bytearray()
    for index, tick in enumerate(ticks):
        second = tick
        if index == 1:
            second = tick - ticks[0]
        if index > 1:
            second = tick - 2 * ticks[index - 1] + ticks[index - 2]
        second = (second + 2**63) % 2**64 - 2**63
        zigzag = 2 * second if second >= 0 else -2 * second - 1
        while zigzag >= 0x80:
            out.append(zigzag & 0x7F | 0x80)
            zigzag >>= 7
        out.append(zigzag)
    return bytes(out)


@given(st.lists(int64s, min_size=1, max_size=30) | st.lists(st.integers(-99, 99), min_size=1, max_size=30))
def test_any_timestamps_survive_and_equal_the_slow_bytes(ticks: list[int]) -> None:
    payload = encode_timestamps(np.array(ticks, np.int64))
    assert zlib.decompress(payload) == slow_bytes(ticks)
    assert decode_timestamps(payload, len(ticks)).tolist() == ticks


def test_literal_bytes() -> None:
    ticks = np.array([-1, 511, 1023, 1536], np.int64)
    # s = -1, 512, 0, 1 -> z = 1, 1024, 0, 2
    assert zlib.decompress(encode_timestamps(ticks)) == bytes.fromhex("01 80 08 00 02")


@given(st.integers(-(2**40), 2**40), st.integers(1, 2**20), st.integers(1, 50))
def test_even_spacing_finds_start_and_step(start: int, step: int, frames: int) -> None:
    ticks = start + step * np.arange(frames, dtype=np.int64)
    even = EvenTimestamps(start=start, step=step if frames > 1 else 1)
    assert even_spacing(ticks) == even
    header = replace(PLAIN, frames=frames, segments=(frames,), timestamps=even)
    assert read_timestamps(NervFile.open(BytesIO(pack(header, [])))).tolist() == ticks.tolist()


@pytest.mark.parametrize("ticks", [[0, 1, 3], [0, 0], [5, 4], [2**63 - 1], [0, 2**39]])
def test_even_spacing_is_none_for_other_timestamps(ticks: list[int]) -> None:
    assert even_spacing(np.array(ticks, np.int64)) is None


def test_uneven_timestamps_are_read_from_their_section() -> None:
    ticks = np.array([3, 5, 10], np.int64)
    header = replace(PLAIN, frames=3, segments=(3,), timestamps=None)
    file = NervFile.open(BytesIO(pack(header, [Section(TIME, WHOLE_FILE, encode_timestamps(ticks))])))
    assert read_timestamps(file).tolist() == [3, 5, 10]


@pytest.mark.parametrize(
    ("payload", "frames", "message"),
    [
        (b"", 1, "wanted one zlib stream, got one that is cut short"),
        (b"xx", 1, "wanted one zlib stream, got something else"),
        (zlib.compress(b"\x00")[:-1], 1, "wanted one zlib stream, got one that is cut short"),
        (zlib.compress(b"\x00") + b"ab", 1, "wanted one zlib stream, got 2 bytes more"),
        (zlib.compress(b"\x00\x00"), 1, "wanted 1 timestamps, got 2 in 2 bytes"),
        (zlib.compress(b""), 1, "wanted 1 timestamps, got 0 in 0 bytes"),
        (zlib.compress(b"\x00\x80"), 1, "wanted 1 timestamps, got 1 in 2 bytes"),
        (zlib.compress(b"\x80\x00"), 1, "wanted shortest 64-bit varints, got longer ones"),
        (zlib.compress(b"\xff" * 9 + b"\x02"), 1, "wanted shortest 64-bit varints, got longer ones"),
        (zlib.compress(b"\xff" * 10 + b"\x01"), 2, "wanted 2 timestamps, got 1 in 11 bytes"),
        (zlib.compress(bytes(10_000_000)), 3, "wanted 3 timestamps, got 31 in 31 bytes"),
    ],
)
def test_each_wrong_payload_is_refused(payload: bytes, frames: int, message: str) -> None:
    with pytest.raises(CorruptSectionError) as caught:
        decode_timestamps(payload, frames)
    assert str(caught.value) == f"section TIME: {message}; encode the video again"


@given(st.binary(max_size=40), st.integers(1, 6))
def test_random_varints_decode_to_what_encodes_to_them_or_are_refused(data: bytes, frames: int) -> None:
    try:
        ticks = decode_timestamps(zlib.compress(data), frames)
    except CorruptSectionError:
        return
    assert zlib.decompress(encode_timestamps(ticks)) == data


def test_no_frames_are_refused() -> None:
    none = np.array([], np.int64)
    for call in (
        lambda: encode_timestamps(none),
        lambda: even_spacing(none),
        lambda: decode_timestamps(b"", 0),
    ):
        with pytest.raises(InputError, match="timestamps: wanted 1 to 16777216 frames, got 0"):
            call()
