"""Reads a .nerv file: its head at once, each section when asked, nothing before its length is bounded."""

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from nervid.container.format import (
    CHECKSUM,
    CUT_SHORT,
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
    WHOLE_FILE,
    SectionEntry,
    crc32c,
    is_ancillary,
    is_well_formed,
    placement_problem,
)
from nervid.container.header import Header
from nervid.container.source import BinaryFile, ByteSource, open_source
from nervid.errors import CorruptSectionError, FormatError, InputError, NotNervError, UnsupportedVersionError

VERIFY_PIECE_BYTES = 1 << 20
"""Bytes held at a time while checking a whole file."""


class NervFile:
    """An open .nerv file of which only the head has been read.

    Reading is safe from several threads, and after a fork when the file is a real one. Closing waits
    for nobody: close when no thread reads any more.

    Example:
        >>> from nervid.container import NervFile, WGHT
        >>> with NervFile.open("clip.nerv") as file:  # doctest: +SKIP
        ...     weights = file.read(WGHT, segment=0)
    """

    header: Header
    """What the file says about its video."""
    entries: tuple[SectionEntry, ...]
    """The section table, in file order, unknown ancillary sections included."""

    def __init__(self, source: ByteSource, close: Callable[[], None], *, name: str | None = None) -> None:
        self._name = name
        self._source = source
        # Also called when the file is forgotten without closing it.
        self._close = weakref.finalize(self, close)
        self._is_closed = False
        self.size_bytes: int = source.size
        # One count per thread, each written by its own thread alone: needs no lock, which a fork could
        # copy in its locked state.
        self._bytes_by_thread: dict[int, int] = {}
        with _naming(name):
            self.header, self.entries = self._read_head()
        self._by_name = {(entry.tag, entry.segment): entry for entry in self.entries}

    @classmethod
    def open(cls, file: str | os.PathLike[str] | BinaryFile | ByteSource) -> "NervFile":
        """Open a file and read its head, in two reads.

        Args:
            file: A path, a seekable binary file object, or a ByteSource; what the caller opened stays
                open after :meth:`close`.

        Raises:
            InputError: If the path cannot be read.
            NotNervError: If it is some other kind of file.
            UnsupportedVersionError: If it was written by a newer nervid.
            FormatError: If it is cut short, damaged, or claims what no file may.
        """
        source, close = open_source(file)
        name = os.fspath(file) if isinstance(file, str | os.PathLike) else None
        try:
            return cls(source, close, name=name)
        except BaseException:
            close()
            raise

    @property
    def bytes_read(self) -> int:
        """Bytes asked of the source so far, by every thread of this process."""
        return sum(list(self._bytes_by_thread.values()))

    def has(self, tag: str, segment: int = WHOLE_FILE) -> bool:
        """Return whether the file has this section."""
        return (tag, segment) in self._by_name

    def read(self, tag: str, segment: int = WHOLE_FILE) -> bytes:
        """Return one section's payload, with its checksum verified.

        Raises:
            CorruptSectionError: If the file has no such section or its bytes have changed.
            InputError: If the file is closed or the source cannot be read.
        """
        with _naming(self._name):
            entry = self._by_name.get((tag, segment))
            if entry is None:
                label = SectionEntry(tag, segment, 0, 0, 0).label
                raise CorruptSectionError(f"{label}: wanted it in the file, it is not there; {DAMAGED}")
            payload = self._fetch(entry.offset, entry.length, entry.label)
            _verify(crc32c(payload), entry.checksum, entry.label)
            return payload

    def verify(self) -> None:
        """Check every section against its checksum, holding one piece of the file at a time.

        Raises:
            CorruptSectionError: If bytes have changed; the message names the first such section.
            InputError: If the file is closed or the source cannot be read.
        """
        for entry in self.entries:
            with _naming(self._name):
                checksum = 0
                for offset in range(entry.offset, entry.end, VERIFY_PIECE_BYTES):
                    length = min(VERIFY_PIECE_BYTES, entry.end - offset)
                    checksum = crc32c(self._fetch(offset, length, entry.label), checksum)
                _verify(checksum, entry.checksum, entry.label)

    def close(self) -> None:
        """Close the file if :meth:`open` opened it; closing twice is fine."""
        self._is_closed = True
        self._close()

    def __enter__(self) -> "NervFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read_head(self) -> tuple[Header, tuple[SectionEntry, ...]]:
        header_length, count = _parse_preamble(self._fetch_preamble(), self.size_bytes)
        table_start = PREAMBLE_BYTES + header_length + CHECKSUM.size
        head_end = table_start + count * TABLE_ROW.size + CHECKSUM.size
        if head_end > self.size_bytes:
            raise _cut_short("the section table", head_end, self.size_bytes)
        rest = self._fetch(PREAMBLE_BYTES, head_end - PREAMBLE_BYTES, "the section table")
        split = table_start - PREAMBLE_BYTES
        header = Header.from_json(_checked(rest[:split], "header"))
        entries = _parse_table(_checked(rest[split:], "section table"), header, head_end, self.size_bytes)
        if len({(entry.tag, entry.segment) for entry in entries}) != len(entries):
            raise CorruptSectionError(f"section table: wanted each section once, got one twice; {DAMAGED}")
        return header, entries

    def _fetch_preamble(self) -> bytes:
        """Return the first bytes of the file once they are known to be there and to be .nerv."""
        start = self._fetch(0, min(PREAMBLE_BYTES, self.size_bytes), "the preamble")
        if start[: len(SIGNATURE)] != SIGNATURE:
            raise NotNervError(_what_it_is_instead(start))
        if self.size_bytes < PREAMBLE_BYTES:
            raise _cut_short("the preamble", PREAMBLE_BYTES, self.size_bytes)
        return start

    def _fetch(self, offset: int, length: int, label: str) -> bytes:
        """Return ``length`` bytes that the file's size promised."""
        if self._is_closed:
            raise InputError(f"cannot read {label}: the file is closed; open it again")
        try:
            data = self._source.read_range(offset, length)
        except OSError as error:
            raise InputError(f"cannot read {label}: {error.strerror or error}; try again") from error
        thread = threading.get_ident()
        self._bytes_by_thread[thread] = self._bytes_by_thread.get(thread, 0) + len(data)
        if len(data) != length:
            raise _cut_short(label, offset + length, offset + len(data))
        return data


@contextmanager
def _naming(name: str | None) -> Iterator[None]:
    """Put the file's path in front of what is wrong with it."""
    try:
        yield
    except FormatError as error:
        if name is None:
            raise
        raise type(error)(f"{name}: {error}") from error


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


def _parse_preamble(data: bytes, size: int) -> tuple[int, int]:
    """Return the header's length in bytes and the number of sections, both within their limits."""
    body = _checked(data, "preamble")
    _, version, flags, header_length, count = PREAMBLE.unpack(body)
    # The checksum comes first: every version keeps this preamble, so a flipped bit is no newer version.
    if version > VERSION:
        raise UnsupportedVersionError(
            f"format version {version} is newer than {VERSION}, the newest this nervid reads; update nervid"
        )
    if flags != 0:
        raise UnsupportedVersionError(f"preamble: wanted flags 0, got {flags:#06x}; update nervid")
    if version == 0:
        raise FormatError(f"preamble: wanted a format version from 1, got 0; {DAMAGED}")
    if header_length > MAX_HEADER_BYTES:
        raise FormatError(f"header: wanted at most {MAX_HEADER_BYTES} bytes, got {header_length}; {DAMAGED}")
    if count > MAX_SECTIONS:
        raise FormatError(f"section table: wanted at most {MAX_SECTIONS} sections, got {count}; {DAMAGED}")
    header_end = PREAMBLE_BYTES + header_length + CHECKSUM.size
    if header_end > size:
        raise _cut_short("the header", header_end, size)
    return header_length, count


def _parse_table(table: bytes, header: Header, head_end: int, size: int) -> tuple[SectionEntry, ...]:
    """Return the rows of the section table, which must lie one after another up to the file's end."""
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
            raise _cut_short(entry.label, entry.end, size)
        expected = entry.end
        entries.append(entry)
    if expected != size:
        raise CorruptSectionError(
            f"wanted the file to end at byte {expected}, it is {size} bytes long; {DAMAGED}"
        )
    return tuple(entries)


def _checked(data: bytes, label: str) -> bytes:
    """Return ``data`` without the checksum that ends it."""
    body, stored = data[: -CHECKSUM.size], CHECKSUM.unpack(data[-CHECKSUM.size :])[0]
    _verify(crc32c(body), stored, label)
    return body


def _verify(checksum: int, stored: int, label: str) -> None:
    """Refuse a checksum that differs from the stored one."""
    if checksum != stored:
        raise CorruptSectionError(
            f"{label}: checksum {checksum:#010x} does not match stored {stored:#010x}; {DAMAGED}"
        )


def _cut_short(label: str, end: int, size: int) -> CorruptSectionError:
    """Return the error of a part that ends after the file does."""
    return CorruptSectionError(f"{label} ends at byte {end}, but the file is {size} bytes long; {CUT_SHORT}")
