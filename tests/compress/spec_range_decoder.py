"""The range decoder of docs/entropy.md in plain Python integers, for decoders written from that page."""

from collections.abc import Iterator


class SpecRangeDecoder:
    """Reads symbols under tables of frequencies."""

    def __init__(self, data: bytes) -> None:
        self.tail: Iterator[int] = iter(data[8:])
        self.point = int.from_bytes(data[:8].ljust(8, b"\0"), "big")
        self.width = 2**64 - 1

    def symbol(self, table: list[int]) -> int:
        assert sum(table) == 2**24
        assert min(table) >= 1
        scale = self.width >> 24
        left, s = 0, 0
        while left + table[s] <= self.point // scale:
            left += table[s]
            s += 1
        self.point -= scale * left
        self.width = scale * table[s]
        if self.width < 2**32:
            for _ in range(4):
                self.point = self.point * 256 + next(self.tail, 0)
            self.width <<= 32
        return s

    def field(self, n: int) -> int:
        return self.symbol([2**24 // n + 2**24 % n] + [2**24 // n] * (n - 1))
