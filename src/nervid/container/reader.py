"""Reads a .nerv file: its head at once, each section when asked, nothing before its length is bounded."""

import os
import threading
import weakref
from collections.abc import Callable
from types import TracebackType

from nervid.container.damage import cut_short, naming, verify_checksum
from nervid.container.format import DAMAGED, PREAMBLE_BYTES, WHOLE_FILE, SectionEntry, crc32c, section_label
from nervid.container.head import Preamble, parse_head
from nervid.container.header import Header
from nervid.container.source import BinaryFile, ByteSource, open_source
from nervid.errors import CorruptSectionError, InputError

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
        with naming(name):
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
        with naming(self._name):
            entry = self._by_name.get((tag, segment))
            if entry is None:
                label = section_label(tag, segment)
                raise CorruptSectionError(f"{label}: wanted it in the file, it is not there; {DAMAGED}")
            payload = self._fetch(entry.offset, entry.length, entry.label)
            verify_checksum(crc32c(payload), entry.checksum, entry.label)
            return payload

    def verify(self) -> None:
        """Check every section against its checksum, holding one piece of the file at a time.

        Raises:
            CorruptSectionError: If bytes have changed; the message names the first such section.
            InputError: If the file is closed or the source cannot be read.
        """
        for entry in self.entries:
            with naming(self._name):
                checksum = 0
                for offset in range(entry.offset, entry.end, VERIFY_PIECE_BYTES):
                    length = min(VERIFY_PIECE_BYTES, entry.end - offset)
                    checksum = crc32c(self._fetch(offset, length, entry.label), checksum)
                verify_checksum(checksum, entry.checksum, entry.label)

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
        start = self._fetch(0, min(PREAMBLE_BYTES, self.size_bytes), "the preamble")
        preamble = Preamble.from_bytes(start, self.size_bytes)
        length = preamble.head_end - PREAMBLE_BYTES
        return parse_head(preamble, self._fetch(PREAMBLE_BYTES, length, "the section table"), self.size_bytes)

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
            raise cut_short(label, offset + length, offset + len(data))
        return data
