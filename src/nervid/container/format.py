"""The .nerv format, version 1, as code: constants, struct layouts, limits, sections and canonical JSON.

docs/format.md says the same in prose, with a worked hex dump.
"""

import json
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import google_crc32c

from nervid.errors import InputError

SIGNATURE = b"\x89NRV\r\n\x1a\n"
"""First 8 bytes of every file; like PNG's, they reveal 7-bit and text-mode transfers."""
VERSION = 1
"""Format version written, and the newest one read."""
SCHEMA_VERSION = 1
"""Version of the header's JSON keys."""

PREAMBLE = struct.Struct("<8sHHII")
"""Signature, version, flags (0), header length in bytes, section count; a CRC-32C follows."""
CHECKSUM = struct.Struct("<I")
"""CRC-32C (Castagnoli) of the bytes that the text names, little-endian."""
TABLE_ROW = struct.Struct("<4sIQQI")
"""Tag, segment, offset from the file's start, length, CRC-32C of the payload."""
PREAMBLE_BYTES = PREAMBLE.size + CHECKSUM.size
"""Bytes to read before anything else is known, checksum included."""

WHOLE_FILE = 0xFFFF_FFFF
"""Segment number of a section that belongs to no segment."""
MODL = "MODL"
"""One per segment: canonical JSON of the model configuration and the quantizer."""
WGHT = "WGHT"
"""One per segment: coded weights."""
EMBD = "EMBD"
"""One per segment: coded embeddings; absent for models that have none (NeRV)."""
ALGN = "ALGN"
"""Whole file: the teacher that latents are aligned to and the map into its space; absent without one."""
TIME = "TIME"
"""Whole file: timestamps, present only when they are not evenly spaced."""
TRAK = "TRAK"
"""One per copied audio or subtitle track; its segment number is the track's index in the header."""
SEGMENT_TAGS = frozenset({MODL, WGHT, EMBD})
"""Tags whose segment number is an index into the header's segments."""
KNOWN_TAGS = SEGMENT_TAGS | {ALGN, TIME, TRAK}
"""Every tag of version 1."""

MAX_HEADER_BYTES = 1 << 20
"""Longest header JSON."""
MAX_SECTIONS = 1 << 20
"""Most rows in the section table."""
MAX_SECTION_BYTES = 1 << 40
"""Longest payload (chosen: far above any video, far below what breaks 64-bit sums)."""
MIN_SIDE, MAX_SIDE = 16, 4096
"""Smallest and largest width and height, pixels."""
MAX_FRAMES = 1 << 24
"""Most frames in one file: 77 hours at 60 frames a second."""

DAMAGED = "the file is damaged, copy or encode it again"
"""How a message about changed bytes ends."""
CUT_SHORT = "the file is cut short, copy or encode it again"
"""How a message about missing bytes ends."""

_TAG = re.compile(r"[A-Za-z0-9]{4}", re.ASCII)
_EXACT_FLOAT_INTEGERS = 1 << 53


@dataclass(frozen=True, slots=True)
class Section:
    """One tagged block of bytes, before it is placed in a file."""

    tag: str
    """Four characters of [A-Za-z0-9]; a lower-case first letter lets older readers skip the section."""
    segment: int
    """Segment index, track index for TRAK, or WHOLE_FILE."""
    payload: bytes
    """The bytes, any number of them."""


@dataclass(frozen=True, slots=True)
class SectionEntry:
    """One row of the section table: where a payload lies and what it must check to."""

    tag: str
    """Four characters of [A-Za-z0-9]."""
    segment: int
    """Segment index, track index for TRAK, or WHOLE_FILE."""
    offset: int
    """First byte, counted from the file's start."""
    length: int
    """Payload bytes."""
    checksum: int
    """CRC-32C of the payload."""

    @property
    def end(self) -> int:
        """Offset of the first byte after the payload."""
        return self.offset + self.length

    @property
    def label(self) -> str:
        """The section's name in messages, such as ``section WGHT of segment 3``."""
        return section_label(self.tag, self.segment)


def section_label(tag: str, segment: int) -> str:
    """Return the name of a section in messages, such as ``section WGHT of segment 3``."""
    if segment == WHOLE_FILE:
        return f"section {tag}"
    return f"section {tag} of {'track' if tag == TRAK else 'segment'} {segment}"


def is_well_formed(tag: str) -> bool:
    """Return whether ``tag`` is four characters of [A-Za-z0-9]."""
    return _TAG.fullmatch(tag) is not None


def is_ancillary(tag: str) -> bool:
    """Return whether a reader that does not know ``tag`` may skip its sections (as in PNG)."""
    return tag[0].islower()


def placement_problem(tag: str, segment: int, *, segments: int, tracks: int) -> str | None:
    """Say what is wrong with a known tag's segment number, or return None when nothing is.

    Args:
        tag: A well-formed tag; ancillary ones may carry any segment number.
        segment: The section's segment number, 0 to WHOLE_FILE.
        segments: Number of segments in the header.
        tracks: Number of tracks in the header.
    """
    if tag in SEGMENT_TAGS and segment >= segments:
        return f"wanted a segment number below {segments}, got {segment}"
    if tag == TRAK and segment >= tracks:
        return f"wanted a track number below {tracks}, got {segment}"
    if tag == TIME and segment != WHOLE_FILE:
        return f"wanted segment number {WHOLE_FILE} (whole file), got {segment}"
    return None


def crc32c(data: bytes, start: int = 0) -> int:
    """Return the CRC-32C (Castagnoli) of ``data``, continuing from the checksum ``start``.

    Source:
        RFC 3720, appendix B.4: CRC-32C of 32 zero bytes is 0x8a9136aa.

    Example:
        >>> hex(crc32c(bytes(32)))
        '0x8a9136aa'
    """
    return int(google_crc32c.extend(start, data))


def canonical_json(value: object) -> bytes:
    """Write ``value`` as the one JSON text that the format allows for it, in UTF-8.

    Keys are sorted by code point, nothing is spaced, no character is escaped that need not be, and a
    float that equals an integer below 2**53 in magnitude is written as that integer.

    Args:
        value: None, bool, int, finite float, str, and lists, tuples and str-keyed mappings of these.

    Raises:
        InputError: If ``value`` holds anything else, NaN, infinity or text that is not Unicode.

    Example:
        >>> canonical_json({"b": 2.0, "a": (True, None, 0.5)})
        b'{"a":[true,null,0.5],"b":2}'
    """
    try:
        text = json.dumps(_plain(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError("JSON text wanted Unicode characters, got a lone surrogate; remove it") from None
    except RecursionError:
        raise InputError("JSON value is nested too deeply; flatten it") from None


def _plain(value: object) -> object:
    """Return ``value`` in JSON's own types, with integers in place of integral floats."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InputError(f"JSON wanted a finite number, got {value}; leave it out")
        return int(value) if value.is_integer() and abs(value) < _EXACT_FLOAT_INTEGERS else value
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise InputError(f"JSON wanted text keys, got {key!r}; convert it")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int):
        return value
    raise InputError(f"JSON wanted text, numbers, lists or mappings, got {type(value).__name__}; convert it")
