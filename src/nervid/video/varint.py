"""Numbers as LEB128 bytes, and a reader that never goes beyond the bytes that are there."""

from nervid.errors import CorruptSectionError

_LONGEST = 10
"""Bytes of the longest number read; 64 bits need 10 groups of 7."""


def append_unsigned(out: bytearray, value: int) -> None:
    """Append ``value`` (0 or more, below 2**70) in groups of 7 bits, lowest first.

    The high bit of a byte says that another byte follows.

    Source:
        LEB128 as in DWARF 5, section 7.6.
    """
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def append_signed(out: bytearray, value: int) -> None:
    """Append ``value`` so that small magnitudes are short: 0, -1, 1, -2 become 0, 1, 2, 3."""
    append_unsigned(out, value << 1 if value >= 0 else (-value << 1) - 1)


class ByteReader:
    """Reads numbers and blocks from bytes that nobody vouches for."""

    def __init__(self, data: bytes, *, what: str) -> None:
        self._data = data
        self._at = 0
        self._what = what

    def _damaged(self, problem: str) -> CorruptSectionError:
        return CorruptSectionError(f"{self._what}: {problem} at byte {self._at}; the file is damaged")

    def byte(self) -> int:
        """Read one byte, 0 to 255.

        Raises:
            CorruptSectionError: If none is left.
        """
        if self._at >= len(self._data):
            raise self._damaged("one more byte was expected")
        self._at += 1
        return self._data[self._at - 1]

    def unsigned(self) -> int:
        """Read what ``append_unsigned`` wrote.

        Raises:
            CorruptSectionError: If it is cut short or longer than 10 bytes.
        """
        value = 0
        for group in range(_LONGEST):
            byte = self.byte()
            value |= (byte & 127) << 7 * group
            if byte < 128:
                return value
        raise self._damaged("a number is too long")

    def signed(self) -> int:
        """Read what ``append_signed`` wrote.

        Raises:
            CorruptSectionError: If it is cut short or longer than 10 bytes.
        """
        value = self.unsigned()
        return value >> 1 if value & 1 == 0 else -(value + 1 >> 1)

    def count(self, *, bytes_each: int) -> int:
        """Read a count of items that need at least ``bytes_each`` bytes each.

        Raises:
            CorruptSectionError: If so many items cannot be in the bytes that are left.
        """
        count = self.unsigned()
        if count * bytes_each > len(self._data) - self._at:
            raise self._damaged(f"{count} items cannot follow")
        return count

    def take(self, size: int) -> bytes:
        """Read a block of ``size`` bytes.

        Raises:
            CorruptSectionError: If fewer are left; nothing is allocated then.
        """
        if size > len(self._data) - self._at:
            raise self._damaged(f"{size} bytes were expected, {len(self._data) - self._at} are left,")
        self._at += size
        return self._data[self._at - size : self._at]

    def expect_end(self) -> None:
        """Check that all bytes were read.

        Raises:
            CorruptSectionError: If some are left.
        """
        if self._at != len(self._data):
            raise self._damaged(f"{len(self._data) - self._at} bytes too many")
