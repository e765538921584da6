"""The range coder agrees byte for byte with its definition in unbounded integers."""

from bisect import bisect_right
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervid.compress.frequency import TOTAL, uniform_table
from nervid.compress.rangecoder import RangeReader, RangeWriter
from nervid.errors import CorruptSectionError


def naive_encode(symbols: list[int], table: list[int]) -> bytes:
    """Range coder in unbounded integers, as docs/entropy.md tells it."""
    left = [0, *accumulate(table)]
    low, width, words = 0, 2**64 - 1, 0
    for symbol in symbols:
        low += (width >> 24) * left[symbol]
        width = (width >> 24) * table[symbol]
        if width < 2**32:
            low, width, words = low << 32, width << 32, words + 1
    if not symbols:
        return b""
    return ((low + 2**32 - 1) >> 32).to_bytes(4 * (words + 1), "big").rstrip(b"\0") or b"\0"


def naive_decode(data: bytes, count: int, table: list[int]) -> list[int]:
    """The way back."""
    left = [0, *accumulate(table)]
    data += bytes(8 + 4 * count)
    point, width, position = int.from_bytes(data[:8], "big"), 2**64 - 1, 8
    symbols = []
    for _ in range(count):
        scale = width >> 24
        symbol = bisect_right(left, point // scale) - 1
        point -= scale * left[symbol]
        width = scale * table[symbol]
        if width < 2**32:
            point = (point << 32) + int.from_bytes(data[position : position + 4], "big")
            width, position = width << 32, position + 4
        symbols.append(symbol)
    return symbols


@st.composite
def tables(draw: st.DrawFn) -> list[int]:
    """A table of 2 to 256 symbols, often with frequencies of 1."""
    shares = draw(st.lists(st.integers(0, 1 << 20) | st.just(0), min_size=2, max_size=256))
    free = TOTAL - len(shares)
    table = [1 + share * free // max(1, sum(shares)) for share in shares]
    table[0] += TOTAL - sum(table)
    return table


def written(symbols: list[int], table: list[int]) -> bytes:
    writer = RangeWriter()
    writer.write(np.array(symbols, dtype=np.int32), np.array(table))
    return writer.finish()


@given(st.data(), tables())
def test_bytes_and_symbols_agree_with_a_coder_in_unbounded_integers(
    data: st.DataObject, table: list[int]
) -> None:
    symbols = data.draw(st.lists(st.integers(0, len(table) - 1), max_size=60))
    coded = written(symbols, table)
    assert coded == naive_encode(symbols, table)
    assert naive_decode(coded, len(symbols), table) == symbols
    reader = RangeReader(coded)
    assert reader.read(len(symbols), np.array(table)).tolist() == symbols
    reader.finish()


def test_every_symbol_of_a_skewed_table_has_exactly_its_interval() -> None:
    table = [1, 2, TOTAL - 2**20 - 5, 1, 2**20, 1]
    for symbol in range(6):
        for run in (1, 2, 5):
            assert written([symbol] * run, table) == naive_encode([symbol] * run, table)


def test_a_small_stream_is_these_bytes() -> None:
    # Part of the file format: a change here makes old files unreadable.
    assert written([3, 0, 1, 1, 2], uniform_table(4).tolist()) == bytes.fromhex("c580")
    assert written([0, 0, 5, 1], [TOTAL - 5, 1, 1, 1, 1, 1]) == bytes.fromhex("fffff5fffe050006")


def test_tables_may_change_within_a_stream() -> None:
    writer = RangeWriter()
    writer.write(np.array([1, 0, 1], dtype=np.int32), uniform_table(2))
    writer.write(np.array([200], dtype=np.int32), uniform_table(256))
    reader = RangeReader(writer.finish())
    assert reader.read(3, uniform_table(2)).tolist() == [1, 0, 1]
    assert reader.read(1, uniform_table(256)).tolist() == [200]
    reader.finish()


def test_nothing_written_is_no_bytes() -> None:
    assert RangeWriter().finish() == b""
    RangeReader(b"").finish()


@pytest.mark.parametrize("change", ["cut", "longer", "much longer", "zero added"])
def test_a_stream_of_another_length_is_refused(change: str) -> None:
    data = written(list(range(64)), uniform_table(64).tolist())
    damaged = {
        "cut": data[:-1],
        "longer": data + b"\x01",
        "much longer": data + b"\xab" * 40,
        "zero added": data + b"\0",
    }[change]
    reader = RangeReader(damaged)
    reader.read(64, uniform_table(64))
    with pytest.raises(CorruptSectionError, match="coded symbols: expected exactly"):
        reader.finish()


def test_bytes_outside_every_interval_are_refused() -> None:
    with pytest.raises(CorruptSectionError, match="the bytes fit no symbol of their table"):
        RangeReader(b"\xff" * 12).read(10, uniform_table(4))
