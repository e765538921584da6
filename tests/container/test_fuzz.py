"""Files that lie, were cut or were damaged: always a FormatError, never a large allocation."""

import io
import re
import struct
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervid.container import NervFile, canonical_json, read_timestamps
from nervid.errors import CorruptSectionError, FormatError, NotNervError, UnsupportedVersionError

from .samples import GOLDEN, forged, plain_document, sealed, slow_crc32c

GOLDEN_BYTES = GOLDEN.read_bytes()
HEADER_LENGTH = struct.unpack_from("<I", GOLDEN_BYTES, 12)[0]
TABLE_START = 24 + HEADER_LENGTH + 4
TABLE_BYTES = 8 * 28
HEAD_BYTES = len(forged())
SMALL_BYTES = 1 << 18
"""More than reading the head of a tiny file takes, far less than any length it could claim."""


def everything_in(data: bytes) -> None:
    """Read all that a file holds."""
    with NervFile.open(io.BytesIO(data)) as file:
        for entry in file.entries:
            file.read(entry.tag, entry.segment)
        file.verify()
        read_timestamps(file)


def refusal(data: bytes) -> str:
    """Return the message with which a file is refused, or nothing for one that is read."""
    try:
        everything_in(data)
    except FormatError as error:
        return str(error)
    return ""


def peak_of_refusing(data: bytes, error: type[FormatError] = FormatError) -> tuple[str, int]:
    """Return the message with which a file is refused, and the most bytes held meanwhile."""
    tracemalloc.start()
    try:
        with pytest.raises(error) as caught:
            everything_in(data)
        return str(caught.value), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_every_flipped_bit_of_the_golden_file_is_found() -> None:
    for position in range(len(GOLDEN_BYTES)):
        for bit in range(8):
            data = bytearray(GOLDEN_BYTES)
            data[position] ^= 1 << bit
            with pytest.raises(FormatError):
                NervFile.open(io.BytesIO(data)).verify()


def test_every_truncation_of_the_golden_file_is_found_before_any_section_is_read() -> None:
    for length in range(len(GOLDEN_BYTES)):
        with pytest.raises(NotNervError if length < 8 else CorruptSectionError) as caught:
            NervFile.open(io.BytesIO(GOLDEN_BYTES[:length]))
        if length >= 8:
            assert re.fullmatch(
                rf".* ends at byte \d+, but the file is {length} bytes long; "
                "the file is cut short, copy or encode it again",
                str(caught.value),
            )


@pytest.mark.parametrize("extra", [b"\0", GOLDEN_BYTES])
def test_bytes_after_the_last_section_are_refused(extra: bytes) -> None:
    size = len(GOLDEN_BYTES)
    message, _ = peak_of_refusing(GOLDEN_BYTES + extra, CorruptSectionError)
    assert message == (
        f"wanted the file to end at byte {size}, it is {size + len(extra)} bytes long; "
        "the file is damaged, copy or encode it again"
    )


@given(st.binary(max_size=300))
def test_random_bytes_after_the_signature_are_refused(noise: bytes) -> None:
    with pytest.raises(FormatError):
        everything_in(b"\x89NRV\r\n\x1a\n" + noise)


def resealed(data: bytearray) -> bytes:
    """Return the golden file's blocks with right checksums, so that only their content can be wrong."""
    blocks = [data[:20], data[24 : TABLE_START - 4], data[TABLE_START : TABLE_START + TABLE_BYTES]]
    return b"".join(sealed(bytes(block)) for block in blocks) + data[TABLE_START + TABLE_BYTES + 4 :]


def test_every_changed_byte_of_a_resealed_head_is_refused_or_harmless() -> None:
    head = [*range(8, 20), *range(24, TABLE_START - 4), *range(TABLE_START, TABLE_START + TABLE_BYTES)]
    for position in head:
        for change in (0x01, 0x90):
            data = bytearray(GOLDEN_BYTES)
            data[position] ^= change
            assert "\n" not in refusal(resealed(data))


@given(st.data())
def test_several_changes_of_a_resealed_file_are_refused_or_harmless(drawn: st.DataObject) -> None:
    data = bytearray(GOLDEN_BYTES)
    for position in drawn.draw(st.lists(st.integers(8, len(data) - 1), max_size=4)):
        data[position] = drawn.draw(st.integers(0, 255))
    assert len(refusal(resealed(data))) < 300


def row(length: int, *, offset: int = HEAD_BYTES + 28, tag: bytes = b"WGHT", segment: int = 0) -> bytes:
    """Return a file of one section that claims ``length`` bytes and has three."""
    return forged(rows=[(tag, segment, offset, length, slow_crc32c(b"abc"))], tail=b"abc")


def claims() -> list[tuple[bytes, str]]:
    """Return files that claim too much, each with the beginning of its refusal."""
    at = HEAD_BYTES + 28
    billion = canonical_json(plain_document(frames=10**9, segments=[10**9]))
    minus = canonical_json(plain_document(frames=1, segments=[2, -1]))
    million = canonical_json(plain_document(frames=2**24, segments=[2**24] * 2))
    twins = [(b"note", 7, at + 28, 3, 0), (b"note", 7, at + 31, 0, 0)]
    overlapping = [(b"note", 7, at + 28, 3, 0), (b"note", 8, at + 28, 3, 0)]
    return [
        (row(2**60), f"section WGHT of segment 0: wanted at most {2**40} bytes, got {2**60};"),
        (row(2**40), f"section WGHT of segment 0 ends at byte {at + 2**40}, but the file is {at + 3} bytes"),
        (row(4), f"section WGHT of segment 0 ends at byte {at + 4}, but the file is {at + 3} bytes long;"),
        (row(2), f"wanted the file to end at byte {at + 2}, it is {at + 3} bytes long;"),
        (row(3, offset=0), f"section WGHT of segment 0: wanted it to start at byte {at}, got 0;"),
        (
            row(3, offset=2**64 - 1),
            f"section WGHT of segment 0: wanted it to start at byte {at}, got {2**64 - 1};",
        ),
        (row(3, segment=1), "section WGHT: wanted a segment number below 1, got 1;"),
        (row(3, tag=b"TIME"), "section TIME: wanted segment number 4294967295 (whole file), got 0;"),
        (row(3, tag=b"TRAK"), "section TRAK: wanted a track number below 0, got 0;"),
        (row(3, tag=b"A\n\xffB"), r"section table: wanted tags of four letters or digits, got 'A\n\\xffB';"),
        (forged(rows=twins, tail=b"abc"), "section table: wanted each section once, got one twice;"),
        (
            forged(rows=overlapping, tail=b"abc"),
            f"section note of segment 8: wanted it to start at byte {at + 31},",
        ),
        (forged(header=billion), "header field frames: wanted an integer from 1 to 16777216, got 1000000000"),
        (forged(header=minus), "header field segments[1]: wanted an integer from 1 to 16777216, got -1"),
        (
            forged(header=million),
            "header field segments: wanted counts that add up to 16777216 frames, got 33554432",
        ),
        (forged(header_length=2**32 - 1), "header: wanted at most 1048576 bytes, got 4294967295;"),
        (forged(header_length=2**20), "the header ends at byte 1048604, but the file is"),
        (forged(count=2**32 - 1), "section table: wanted at most 1048576 sections, got 4294967295;"),
        (forged(count=2**20), f"the section table ends at byte {HEAD_BYTES + 28 * 2**20}, but the file is"),
        (forged(version=0), "preamble: wanted a format version from 1, got 0;"),
    ]


@pytest.mark.parametrize(("data", "beginning"), claims())
def test_a_claim_beyond_limits_or_the_file_is_refused_before_allocating(data: bytes, beginning: str) -> None:
    message, peak = peak_of_refusing(data)
    assert message.startswith(beginning)
    assert "\n" not in message
    assert peak < SMALL_BYTES


def test_a_forged_file_without_lies_is_read() -> None:
    everything_in(forged())
    everything_in(row(3))


def test_timestamps_that_inflate_beyond_the_frames_are_refused_before_allocating() -> None:
    bomb = zlib.compress(bytes(20_000_000))
    header = canonical_json(plain_document(timestamps="TIME"))
    at = len(forged(header=header)) + 28
    entry = (b"TIME", 0xFFFF_FFFF, at, len(bomb), slow_crc32c(bomb))
    message, peak = peak_of_refusing(forged(header=header, rows=[entry], tail=bomb), CorruptSectionError)
    assert message.startswith("section TIME: wanted 1 timestamps, got 11 in 11 bytes;")
    assert peak < SMALL_BYTES


def test_files_of_a_newer_version_are_not_called_damaged() -> None:
    message, _ = peak_of_refusing(forged(version=0xFFFF), UnsupportedVersionError)
    assert message.startswith("format version 65535 is newer than 1")
