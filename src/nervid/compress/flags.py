"""Runs of yes-or-no symbols, each under odds of its own, in a range-coded stream."""

import math

import constriction
import numpy as np
from jaxtyping import Bool, Int, Int64

from nervid.compress.frequency import TOTAL, TOTAL_BITS
from nervid.compress.rangecoder import RangeReader, RangeWriter
from nervid.errors import CorruptSectionError

# A symbol seen counts for `SEEN`; what is believed beforehand counts for `BELIEVED`, two symbols' worth.
SEEN = 512
BELIEVED = 1024

# The coder's model whose table comes with each symbol.
_FAMILY = constriction.stream.model.Categorical(perfect=False)


class AdaptingFlags:
    """The odds of a flag in each of a few contexts, which adapt to the flags seen there.

    Example:
        >>> flags = AdaptingFlags(np.array([256, 512]))
        >>> flags.frequencies().tolist()
        [[12582912, 4194304], [8388608, 8388608]]
    """

    def __init__(self, believed: Int[np.ndarray, " contexts"]) -> None:
        """Start with ``believed / BELIEVED`` as the probability of True, 1 to `BELIEVED` - 1."""
        self._true = believed.astype(np.int64)
        self._all: Int64[np.ndarray, " contexts"] = np.full_like(self._true, BELIEVED)

    def frequencies(self) -> Int64[np.ndarray, "contexts 2"]:
        """Return the frequencies of False and True in each context: at least 1, their sum is `TOTAL`.

        The frequency of True is ``1 + counts[True] * (TOTAL - 2) / (counts[False] + counts[True])``, rounded
        down.
        """
        table = np.empty((self._true.size, 2), dtype=np.int64)
        true = table[:, 1]
        np.floor_divide(self._true * (TOTAL - 2), self._all, out=true)
        true += 1
        np.subtract(TOTAL, true, out=table[:, 0])
        return table

    def observe(self, contexts: Int64[np.ndarray, " count"], true: Int64[np.ndarray, " true"]) -> None:
        """Count flags.

        Args:
            contexts: The context of each flag; fewer than 2**28 in all.
            true: Those of the flags that are True.
        """
        self._all += SEEN * np.bincount(contexts, minlength=self._all.size)
        self._true += SEEN * np.bincount(true, minlength=self._true.size)


class FlagWriter(RangeWriter):
    """Writes flags and numbers that are known.

    Example:
        >>> writer = FlagWriter()
        >>> _ = writer.flags(np.array([[2**23, 2**23]]), np.array([0, 0]), np.array([True, True]))
        >>> writer.finish().hex()
        'c0'
    """

    def flags(
        self,
        frequencies: Int64[np.ndarray, "contexts 2"],
        contexts: Int64[np.ndarray, " count"],
        known: Bool[np.ndarray, " count"] | None,
    ) -> Bool[np.ndarray, " count"]:
        """Append the flags ``known``, each under the row of ``frequencies`` that ``contexts`` names."""
        assert known is not None
        self._coder.encode(known.astype(np.int32), _FAMILY, _weights(frequencies, contexts))
        return known

    def numbers(
        self, table: Int64[np.ndarray, " alphabet"], count: int, known: Int[np.ndarray, " count"] | None
    ) -> Int64[np.ndarray, " count"]:
        """Append the ``count`` numbers ``known``."""
        assert known is not None
        if count:
            self.write(known.astype(np.int32), table)
        return known.astype(np.int64)


class FlagReader(RangeReader):
    """Reads what a `FlagWriter` wrote; see `RangeReader` for what it refuses."""

    def flags(
        self,
        frequencies: Int64[np.ndarray, "contexts 2"],
        contexts: Int64[np.ndarray, " count"],
        known: Bool[np.ndarray, " count"] | None,
    ) -> Bool[np.ndarray, " count"]:
        """Return the next flags, one for each of ``contexts``; ``known`` is not looked at.

        Raises:
            CorruptSectionError: If the bytes cannot come from a range coder with these frequencies.
        """
        weights = _weights(frequencies, contexts)
        try:
            symbols = self._coder.decode(_FAMILY, weights)
        except AssertionError:
            raise CorruptSectionError(
                "coded flags: the bytes fit no flag of their table; "
                "the file is damaged, re-download or re-encode it"
            ) from None
        self._echo.encode(symbols, _FAMILY, weights)
        flags: np.ndarray = symbols.astype(np.bool_)
        return flags

    def numbers(
        self, table: Int64[np.ndarray, " alphabet"], count: int, known: Int[np.ndarray, " count"] | None
    ) -> Int64[np.ndarray, " count"]:
        """Return the next ``count`` numbers; ``known`` is not looked at.

        Raises:
            CorruptSectionError: As `flags`.
        """
        return self.read(count, table).astype(np.int64) if count else np.zeros(0, dtype=np.int64)


class FlagMeter:
    """Adds up the ideal lengths of flags and numbers that are known, and writes nothing.

    Example:
        >>> meter = FlagMeter()
        >>> _ = meter.numbers(np.full(64, 2**18), 2, np.array([5, 63]))
        >>> meter.bits
        12.0
    """

    def __init__(self) -> None:
        self.bits = 0.0

    def flags(
        self,
        frequencies: Int64[np.ndarray, "contexts 2"],
        contexts: Int64[np.ndarray, " count"],
        known: Bool[np.ndarray, " count"] | None,
    ) -> Bool[np.ndarray, " count"]:
        """Add the length of the flags ``known`` under their rows of ``frequencies``."""
        assert known is not None
        cells = np.bincount(2 * contexts + known, minlength=frequencies.size)
        self.bits += float(cells @ (TOTAL_BITS - np.log2(frequencies.ravel())))
        return known

    def numbers(
        self, table: Int64[np.ndarray, " alphabet"], count: int, known: Int[np.ndarray, " count"] | None
    ) -> Int64[np.ndarray, " count"]:
        """Add the length of the ``count`` numbers ``known`` under ``table``."""
        assert known is not None
        self.bits += sum(TOTAL_BITS - math.log2(int(frequency)) for frequency in table[known])
        return known.astype(np.int64)


FlagCoder = FlagWriter | FlagReader | FlagMeter
"""What writes, reads or measures flags and numbers: one walk over the symbols serves all three."""


def _weights(
    frequencies: Int64[np.ndarray, "contexts 2"], contexts: Int64[np.ndarray, " count"]
) -> np.ndarray:
    """Return one row of floats per flag that makes the coder's model exactly its table.

    As in `nervid.compress.rangecoder`: handed the frequencies less the one that it guarantees, the coder
    only adds integers below 2**24, which float32 holds, and divides equal numbers. A row of two float32 is
    moved as one integer: that takes a fifth of the time.
    """
    rows = (frequencies - 1).astype(np.float32).view(np.int64).ravel()
    return rows.take(contexts).view(np.float32).reshape(-1, 2)
