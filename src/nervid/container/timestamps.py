"""Frame timestamps and the bytes of section TIME: zigzag varints of second differences, deflated."""

import zlib

import numpy as np
from jaxtyping import Int64, UInt8, UInt64

from nervid.container.format import MAX_FRAMES, TIME
from nervid.container.header import MAX_START, MAX_STEP, EvenTimestamps
from nervid.container.reader import NervFile
from nervid.errors import CorruptSectionError, InputError

MAX_VARINT_BYTES = 10
"""Bytes that 64 bits take at 7 bits each."""


def even_spacing(ticks: Int64[np.ndarray, " frames"]) -> EvenTimestamps | None:
    """Return the start and step that give exactly ``ticks``, or None when no step does.

    One frame alone has step 1.

    Raises:
        InputError: If there are no frames.
    """
    _check_count(len(ticks))
    start = int(ticks[0])
    step = int(ticks[1]) - start if len(ticks) > 1 else 1
    if not (-MAX_START <= start <= MAX_START and 1 <= step <= MAX_STEP):
        return None
    even = EvenTimestamps(start=start, step=step)
    return even if np.array_equal(_spread(even, len(ticks)), ticks) else None


def read_timestamps(file: NervFile) -> Int64[np.ndarray, " frames"]:
    """Return the timestamp of every frame of a file, ticks of its time base.

    Raises:
        CorruptSectionError: If they are in section TIME and that is missing or damaged.
    """
    header = file.header
    if header.timestamps is None:
        return decode_timestamps(file.read(TIME), header.frames)
    return _spread(header.timestamps, header.frames)


def encode_timestamps(ticks: Int64[np.ndarray, " frames"]) -> bytes:
    """Return the payload of section TIME.

    With differences modulo 2**64, so that every int64 sequence survives,

        s[0] = t[0],  s[1] = t[1] - t[0],  s[i] = (t[i] - t[i-1]) - (t[i-1] - t[i-2])

    each s is read as signed, zigzag-coded as z = 2 s if s >= 0 else -2 s - 1, and written as a varint:
    7 bits a byte, low ones first, the top bit set on all bytes but the last. zlib deflates the result.

    Args:
        ticks: Timestamps of the frames in order, any values.

    Raises:
        InputError: If there are no frames or more than MAX_FRAMES.

    Source:
        Varint and zigzag as in Protocol Buffers' encoding; zlib stream as in RFC 1950.

    Example:
        >>> zlib.decompress(encode_timestamps(np.array([0, 512, 1025, 1536]))).hex(" ")
        '00 80 08 02 03'
    """
    _check_count(len(ticks))
    seconds = ticks.copy()
    seconds[1:] -= ticks[:-1]
    seconds[2:] -= seconds[1:-1].copy()
    zigzag = (seconds << 1) ^ (seconds >> 63)
    return zlib.compress(_write_varints(zigzag.view(np.uint64)).tobytes(), 9)


def decode_timestamps(payload: bytes, frames: int) -> Int64[np.ndarray, " {frames}"]:
    """Undo :func:`encode_timestamps`.

    Args:
        payload: The bytes of section TIME.
        frames: Number of frames, from the header; it bounds what is inflated.

    Raises:
        CorruptSectionError: If the payload is not one zlib stream of exactly ``frames`` shortest varints.
        InputError: If ``frames`` is not 1 to MAX_FRAMES.
    """
    _check_count(frames)
    inflater = zlib.decompressobj()
    limit = frames * MAX_VARINT_BYTES
    try:
        data = inflater.decompress(payload, limit + 1)
    except zlib.error:
        raise _wrong("one zlib stream", "something else") from None
    if not inflater.eof and len(data) <= limit:
        raise _wrong("one zlib stream", "one that is cut short")
    if inflater.unused_data:
        raise _wrong("one zlib stream", f"{len(inflater.unused_data)} bytes more")
    zigzag = _read_varints(np.frombuffer(data, np.uint8), frames)
    seconds = (zigzag >> np.uint64(1)).view(np.int64) ^ -(zigzag & np.uint64(1)).view(np.int64)
    seconds[1:] = np.cumsum(seconds[1:])
    return np.cumsum(seconds)


def _write_varints(values: UInt64[np.ndarray, " count"]) -> UInt8[np.ndarray, " size"]:
    """Return the varints of ``values`` one after another."""
    lengths = np.ones(len(values), np.int64)
    for position in range(1, MAX_VARINT_BYTES):
        lengths += values >= np.uint64(1 << 7 * position)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    out = np.empty(int(ends[-1]), np.uint8)
    # A loop over the ten byte positions, not over millions of values.
    for position in range(int(lengths.max())):
        has_byte = lengths > position
        groups = (values[has_byte] >> np.uint64(7 * position)).astype(np.uint8) & np.uint8(0x7F)
        goes_on = (lengths[has_byte] > position + 1).astype(np.uint8) << np.uint8(7)
        out[starts[has_byte] + position] = groups | goes_on
    return out


def _read_varints(data: UInt8[np.ndarray, " size"], count: int) -> UInt64[np.ndarray, " {count}"]:
    """Return the ``count`` values whose shortest varints make up ``data``."""
    ends = np.flatnonzero(data < 0x80) + 1
    if len(ends) != count or ends[-1] != len(data):
        raise _wrong(f"{count} timestamps", f"{len(ends)} in {len(data)} bytes")
    lengths = np.diff(ends, prepend=0)
    last = data[ends - 1]
    is_long = (lengths > MAX_VARINT_BYTES) | ((lengths == MAX_VARINT_BYTES) & (last > 1))
    if np.any(is_long | ((lengths > 1) & (last == 0))):
        raise _wrong("shortest 64-bit varints", "longer ones")
    values = np.zeros(count, np.uint64)
    for position in range(int(lengths.max())):
        has_byte = lengths > position
        groups = (data[(ends - lengths)[has_byte] + position] & np.uint8(0x7F)).astype(np.uint64)
        values[has_byte] |= groups << np.uint64(7 * position)
    return values


def _spread(even: EvenTimestamps, frames: int) -> Int64[np.ndarray, " {frames}"]:
    """Return evenly spaced timestamps one by one."""
    return even.start + even.step * np.arange(frames, dtype=np.int64)


def _check_count(frames: int) -> None:
    """Refuse a number of frames that no file holds."""
    if not 1 <= frames <= MAX_FRAMES:
        raise InputError(f"timestamps: wanted 1 to {MAX_FRAMES} frames, got {frames}")


def _wrong(wanted: str, got: str) -> CorruptSectionError:
    """Return the error of a TIME payload that is not what was wanted."""
    return CorruptSectionError(f"section TIME: wanted {wanted}, got {got}; encode the video again")
