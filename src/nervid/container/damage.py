"""Damage: checksums compared, and what is said of bytes that changed or are missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from nervid.container.format import CHECKSUM, CUT_SHORT, DAMAGED, crc32c
from nervid.errors import CorruptSectionError, FormatError


def verify_checksum(checksum: int, stored: int, label: str) -> None:
    """Refuse a checksum that differs from the stored one.

    Raises:
        CorruptSectionError: If it does; the message names ``label``.
    """
    if checksum != stored:
        raise CorruptSectionError(
            f"{label}: checksum {checksum:#010x} does not match stored {stored:#010x}; {DAMAGED}"
        )


def without_checksum(data: bytes, label: str) -> bytes:
    """Return ``data`` without the checksum that ends it.

    Raises:
        CorruptSectionError: If the checksum is not that of the bytes before it.
    """
    body, stored = data[: -CHECKSUM.size], CHECKSUM.unpack(data[-CHECKSUM.size :])[0]
    verify_checksum(crc32c(body), stored, label)
    return body


def cut_short(label: str, end: int, size: int) -> CorruptSectionError:
    """Return the error of a part that ends at byte ``end`` of a file of only ``size`` bytes."""
    return CorruptSectionError(f"{label} ends at byte {end}, but the file is {size} bytes long; {CUT_SHORT}")


@contextmanager
def naming(name: str | None) -> Iterator[None]:
    """Put the file's path in front of what is wrong with it; None leaves messages as they are."""
    try:
        yield
    except FormatError as error:
        if name is None:
            raise
        raise type(error)(f"{name}: {error}") from error
