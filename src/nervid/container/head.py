"""The head of a file: preamble, header and section table, checked against limits and the file's size."""

from dataclasses import dataclass

from nervid.container.damage import cut_short, without_checksum
from nervid.container.format import (
    CHECKSUM,
    DAMAGED,
    KNOWN_TAGS,
    MAX_HEADER_BYTES,
    MAX_SECTION_BYTES,
    MAX_SECTIONS,
    PREAMBLE,
    PREAMBLE_BYTES,
    SIGNATURE,
    TABLE_ROW,
    VERSION,
    SectionEntry,
    is_ancillary,
    is_well_formed,
    placement_problem,
)
from nervid.container.header import Header
from nervid.errors import CorruptSectionError, FormatError, NotNervError, UnsupportedVersionError


@dataclass(frozen=True, slots=True)
class Preamble:
    """What the first bytes of a file say about the rest of its head."""

    header_bytes: int
    """JSON of the header, without its checksum."""
    sections: int
    """Rows of the section table."""

    @property
    def table_start(self) -> int:
        """First byte of the section table."""
        return PREAMBLE_BYTES + self.header_bytes + CHECKSUM.size

    @property
    def head_end(self) -> int:
        """First byte after the section table and its checksum."""
        return self.table_start + self.sections * TABLE_ROW.size + CHECKSUM.size

    @classmethod
    def from_bytes(cls, data: bytes, size: int) -> "Preamble":
        """Read the first ``PREAMBLE_BYTES`` bytes of a file of ``size`` bytes (all of it, if it is shorter).

        Raises:
            NotNervError: If it is some other kind of file.
            UnsupportedVersionError: If it was written by a newer nervid.
            FormatError: If it is cut short, damaged, or asks for more than a file may.
        """
        if data[: len(SIGNATURE)] != SIGNATURE:
            raise NotNervError(_what_it_is_instead(data))
        if size < PREAMBLE_BYTES:
            raise cut_short("the preamble", PREAMBLE_BYTES, size)
        body = without_checksum(data, "preamble")
        _, version, flags, header_bytes, sections = PREAMBLE.unpack(body)
        # The checksum comes first: every version keeps this preamble, so a flipped bit is no newer version.
        if version > VERSION:
            raise UnsupportedVersionError(
                f"format version {version} is newer than {VERSION}, the newest this nervid reads; "
                "update nervid"
            )
        if flags != 0:
            raise UnsupportedVersionError(f"preamble: wanted flags 0, got {flags:#06x}; update nervid")
        if version == 0:
            raise FormatError(f"preamble: wanted a format version from 1, got 0; {DAMAGED}")
        if header_bytes > MAX_HEADER_BYTES:
            raise FormatError(
                f"header: wanted at most {MAX_HEADER_BYTES} bytes, got {header_bytes}; {DAMAGED}"
            )
        if sections > MAX_SECTIONS:
            raise FormatError(
                f"section table: wanted at most {MAX_SECTIONS} sections, got {sections}; {DAMAGED}"
            )
        preamble = cls(header_bytes, sections)
        if preamble.table_start > size:
            raise cut_short("the header", preamble.table_start, size)
        if preamble.head_end > size:
            raise cut_short("the section table", preamble.head_end, size)
        return preamble


def parse_head(preamble: Preamble, rest: bytes, size: int) -> tuple[Header, tuple[SectionEntry, ...]]:
    """Read what follows the preamble, up to its ``head_end``, in a file of ``size`` bytes.

    Raises:
        FormatError: If it is damaged or claims what no file may.
    """
    split = preamble.table_start - PREAMBLE_BYTES
    header = Header.from_json(without_checksum(rest[:split], "header"))
    table = without_checksum(rest[split:], "section table")
    return header, _parse_table(table, header, preamble.head_end, size)


def _parse_table(table: bytes, header: Header, head_end: int, size: int) -> tuple[SectionEntry, ...]:
    """Return the rows of the section table, which must lie one after another up to the file's end.

    Args:
        table: The rows, without their checksum.
        header: Says how many segments and tracks there are.
        head_end: Where the first payload must start, bytes from the start of the file.
        size: Bytes of the file.

    Raises:
        CorruptSectionError: If a row is impossible, or rows overlap, leave gaps or end before the file.
        UnsupportedVersionError: If a section that may not be skipped is of an unknown kind.
    """
    entries = []
    expected = head_end
    for raw_tag, segment, offset, length, checksum in TABLE_ROW.iter_unpack(table):
        tag = raw_tag.decode("ascii", "backslashreplace")
        entry = SectionEntry(tag, segment, offset, length, checksum)
        if not is_well_formed(tag):
            raise CorruptSectionError(
                f"section table: wanted tags of four letters or digits, got {tag!r}; {DAMAGED}"
            )
        if tag not in KNOWN_TAGS and not is_ancillary(tag):
            raise UnsupportedVersionError(f"{entry.label}: this nervid does not know its kind; update nervid")
        problem = placement_problem(tag, segment, segments=len(header.segments), tracks=len(header.tracks))
        if problem is not None:
            raise CorruptSectionError(f"section {tag}: {problem}; {DAMAGED}")
        if length > MAX_SECTION_BYTES:
            raise CorruptSectionError(
                f"{entry.label}: wanted at most {MAX_SECTION_BYTES} bytes, got {length}; {DAMAGED}"
            )
        if offset != expected:
            raise CorruptSectionError(
                f"{entry.label}: wanted it to start at byte {expected}, got {offset}; {DAMAGED}"
            )
        if entry.end > size:
            raise cut_short(entry.label, entry.end, size)
        expected = entry.end
        entries.append(entry)
    if expected != size:
        raise CorruptSectionError(
            f"wanted the file to end at byte {expected}, it is {size} bytes long; {DAMAGED}"
        )
    if len({(entry.tag, entry.segment) for entry in entries}) != len(entries):
        raise CorruptSectionError(f"section table: wanted each section once, got one twice; {DAMAGED}")
    return tuple(entries)


def _what_it_is_instead(start: bytes) -> str:
    """Say why bytes that do not begin with the signature are no .nerv file."""
    choose = "choose a file that nervid encode wrote"
    if not start:
        return f"wanted a .nerv file, got an empty one; {choose}"
    if start[1:4] == SIGNATURE[1:4]:
        return (
            "wanted a .nerv file, got one whose signature was altered, as a transfer in text mode does; "
            "copy it again in binary mode"
        )
    return f"wanted a .nerv file, got one that begins with {start[:8].hex(' ')}; {choose}"
