"""Headers, sections and whole files to test with, and the checksum written the slow way."""

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from nervid.container import (
    EMBD,
    MODL,
    TIME,
    TRAK,
    WGHT,
    WHOLE_FILE,
    EvenTimestamps,
    Header,
    Section,
    TrackSummary,
    canonical_json,
)
from nervid.container.reference import InitializationReference

GOLDEN = Path(__file__).parent.parent / "golden" / "container_v1.nerv"

PLAIN = Header(
    width=16,
    height=17,
    frames=1,
    time_base=(1, 25),
    frame_rate=(25, 1),
    timestamps=EvenTimestamps(start=0, step=1),
    segments=(1,),
)
"""One frame, one segment, every other field at its default."""

_texts = st.text(st.characters(codec="utf-8"), max_size=8)
_ratios = st.tuples(*[st.integers(1, 2**31 - 1)] * 2)
_codes = st.integers(0, 255)
_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: not x.is_integer())
    | _texts
)
json_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)
"""JSON values that canonical JSON keeps as they are: no float among them equals an integer."""


@st.composite
def header_fields(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the fields of any valid header.

    The test makes the Header: checking its types uses ``random``, which strategies may not.
    """
    segments = tuple(draw(st.lists(st.integers(1, 1000), min_size=1, max_size=4)))
    even = st.builds(EvenTimestamps, start=st.integers(-(2**62), 2**62), step=st.integers(1, 2**38))
    tracks = st.builds(
        TrackSummary, kind=st.sampled_from(["audio", "subtitle"]), codec=_texts, language=st.none() | _texts
    )
    reference = st.builds(
        InitializationReference,
        name=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8),
        sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
    )
    return {
        "width": draw(st.integers(16, 4096)),
        "height": draw(st.integers(16, 4096)),
        "frames": sum(segments),
        "time_base": draw(_ratios),
        "frame_rate": draw(_ratios),
        "timestamps": draw(st.none() | even),
        "segments": segments,
        "color_primaries": draw(_codes),
        "color_transfer": draw(_codes),
        "color_matrix": draw(_codes),
        "color_range": draw(_codes),
        "pixel_aspect": draw(_ratios),
        "rotation": draw(st.integers(-360, 360)),
        "bit_depth": draw(st.integers(1, 16)),
        "metadata": draw(st.dictionaries(_texts, _texts, max_size=3)),
        "tracks": tuple(draw(st.lists(tracks, max_size=2))),
        "provenance": draw(st.dictionaries(_texts, json_values, max_size=3)),
        "initialization": draw(st.none() | reference),
    }


@st.composite
def files(draw: st.DrawFn) -> tuple[dict[str, Any], list[Section]]:
    """Draw header fields with sections that such a file may have, in any order."""
    drawn = draw(header_fields())
    names = [(tag, index) for tag in (MODL, WGHT, EMBD) for index in range(len(drawn["segments"]))]
    names += [(TRAK, index) for index in range(len(drawn["tracks"]))]
    names += [(TIME, WHOLE_FILE), ("note", WHOLE_FILE), ("x9Z0", 7)]
    chosen = draw(st.lists(st.sampled_from(names), unique=True, max_size=8))
    return drawn, [Section(tag, segment, draw(st.binary(max_size=40))) for tag, segment in chosen]


def with_segments(count: int) -> Header:
    """Return a header of ``count`` segments of one frame."""
    return replace(PLAIN, frames=count, segments=(1,) * count)


def plain_document(**changes: object) -> dict[str, Any]:
    """Return the JSON object of PLAIN with some members changed."""
    document: dict[str, Any] = {
        "bit_depth": 8,
        "color_matrix": 2,
        "color_primaries": 2,
        "color_range": 0,
        "color_transfer": 2,
        "frame_rate": [25, 1],
        "frames": 1,
        "height": 17,
        "metadata": {},
        "pixel_aspect": [1, 1],
        "provenance": {},
        "rotation": 0,
        "schema": 1,
        "segments": [1],
        "time_base": [1, 25],
        "timestamps": {"start": 0, "step": 1},
        "tracks": [],
        "width": 16,
    }
    return {**document, **changes}


def slow_crc32c(data: bytes) -> int:
    """Return the CRC-32C bit by bit: reflected polynomial 0x82f63b78, all ones in and out."""
    crc = 0xFFFF_FFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F6_3B78 if crc & 1 else 0)
    return crc ^ 0xFFFF_FFFF


def sealed(block: bytes) -> bytes:
    """Return a block followed by its checksum."""
    return block + struct.pack("<I", slow_crc32c(block))


def forged(
    *,
    header: bytes | None = None,
    rows: list[tuple[bytes, int, int, int, int]] | None = None,
    tail: bytes = b"",
    version: int = 1,
    flags: int = 0,
    header_length: int | None = None,
    count: int | None = None,
) -> bytes:
    """Return a file with right checksums around whatever it is told to claim."""
    text = canonical_json(plain_document()) if header is None else header
    rows = rows or []
    length = len(text) if header_length is None else header_length
    preamble = struct.pack(
        "<8sHHII", b"\x89NRV\r\n\x1a\n", version, flags, length, len(rows) if count is None else count
    )
    table = b"".join(struct.pack("<4sIQQI", *row) for row in rows)
    return sealed(preamble) + sealed(text) + sealed(table) + tail
