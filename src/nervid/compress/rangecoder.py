"""Range coder: runs of symbols under integer frequency tables <-> bytes."""

from functools import lru_cache

import constriction
import numpy as np
from jaxtyping import Int32, Int64

from nervid.compress.frequency import uniform_table
from nervid.errors import CorruptSectionError


def _model(table: Int64[np.ndarray, " alphabet"]) -> constriction.stream.model.Categorical:
    """Return the coder's model with exactly the frequencies of ``table``.

    constriction (with perfect=False) places symbol i at floor(scale * sum(weights[:i])) + i, where
    scale = (2**24 - alphabet) / sum(weights) makes room for one guaranteed count per symbol. Handing it
    the frequencies less that one makes scale exactly 1 and every partial sum an integer below 2**24. So
    only additions and one division of equal numbers happen, exact in IEEE arithmetic on any machine, and
    the model is the table itself.
    """
    return constriction.stream.model.Categorical(table - 1.0, perfect=False)


@lru_cache(maxsize=256)
def _uniform_model(choices: int) -> constriction.stream.model.Categorical:
    """Return the model of `uniform_table`."""
    return _model(uniform_table(choices))


def _sealed(coder: constriction.stream.queue.RangeEncoder) -> bytes:
    """Return the coder's words as bytes.

    Big-endian, because the first word is the most significant digit of the number that a range coder
    writes; then zero bytes at the end can go, because the decoder reads zeros past the end. One byte
    stays, so that only a stream of nothing is empty.
    """
    words: np.ndarray = coder.get_compressed()
    return words.astype(">u4").tobytes().rstrip(b"\0") or bytes(min(1, words.size))


class RangeWriter:
    """Codes runs of symbols, each under its own table, into one string of bytes.

    Example:
        >>> writer = RangeWriter()
        >>> writer.write(np.array([3, 0], dtype=np.int32), np.full(4, 2**22))
        >>> writer.finish().hex()
        'c0'
    """

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()

    def write(self, symbols: Int32[np.ndarray, " count"], table: Int64[np.ndarray, " alphabet"]) -> None:
        """Append ``symbols``, each in [0, alphabet), under frequencies that sum to `TOTAL`."""
        self._coder.encode(symbols, _model(table))

    def write_field(self, value: int, choices: int) -> None:
        """Append a number in [0, ``choices``), all alike likely; 2 to 256 choices."""
        self._coder.encode(np.array([value], dtype=np.int32), _uniform_model(choices))

    def finish(self) -> bytes:
        """Return everything written: big-endian 32-bit words, with zero bytes at the end cut off."""
        return _sealed(self._coder)


class RangeReader:
    """Reads back, with the same tables in the same order, what a `RangeWriter` wrote.

    What is read is written again on the side (that costs a fifth of the reading), so that `finish` can
    tell that the bytes are exactly those of these symbols: none missing, none left over, none changed.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._echo = constriction.stream.queue.RangeEncoder()
        words = np.frombuffer(data + bytes(-len(data) % 4), dtype=">u4").astype(np.uint32)
        self._coder = constriction.stream.queue.RangeDecoder(words)

    def read(self, count: int, table: Int64[np.ndarray, " alphabet"]) -> Int32[np.ndarray, " count"]:
        """Return the next ``count`` symbols, written under ``table``.

        Raises:
            CorruptSectionError: If the bytes cannot come from a range coder with these tables.
        """
        return self._read(count, _model(table))

    def read_field(self, choices: int) -> int:
        """Return the next number, written as one of ``choices``.

        Raises:
            CorruptSectionError: As `read`.
        """
        return int(self._read(1, _uniform_model(choices))[0])

    def finish(self) -> None:
        """Check that the bytes are exactly those that the symbols read so far are coded to.

        Raises:
            CorruptSectionError: If bytes are missing, left over or changed.
        """
        expected = _sealed(self._echo)
        if expected != self._data:
            raise CorruptSectionError(
                f"coded symbols: expected exactly {len(expected)} bytes that code the symbols they hold, "
                f"got {len(self._data)} that do not; the file is damaged, re-download or re-encode it"
            )

    def _read(self, count: int, model: constriction.stream.model.Categorical) -> Int32[np.ndarray, " count"]:
        try:
            symbols: np.ndarray = self._coder.decode(model, count)
        except AssertionError:
            # constriction's way to say that the number read lies outside every symbol's range.
            raise CorruptSectionError(
                "coded symbols: the bytes fit no symbol of their table; "
                "the file is damaged, re-download or re-encode it"
            ) from None
        self._echo.encode(symbols, model)
        return symbols
