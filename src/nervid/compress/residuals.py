"""Errors of prediction <-> flags under odds that adapt by class of energy."""

import numpy as np
from jaxtyping import Bool, Int32, Int64

from nervid.compress.contexts import CLASSES, ENERGY_ONE, FRACTION_BITS, class_bound
from nervid.compress.flags import BELIEVED, AdaptingFlags, FlagCoder
from nervid.compress.frequency import uniform_table

# A prediction's distance from the nearest code, 0 to 1/2, in thirds of that.
FRACTIONS = 3
# Errors up to this take a flag for every further one; above, their excess is an exponent and that many bits.
FLAGGED = 14
LARGEST_EXPONENT = 11


class ResidualModel:
    """Codes whole errors: is it 0; is it towards the prediction; is it more than 1, 2, 3, ...

    Odds adapt after every run.
    """

    def __init__(self) -> None:
        """Start with the odds of errors whose mean is their class's energy."""
        bounds = np.array([class_bound(index) for index in range(CLASSES)], dtype=np.int64)
        wrong = np.maximum(1, BELIEVED * bounds // (bounds + ENERGY_ONE * 5 // 8))
        longer = np.clip(BELIEVED * bounds // (bounds + ENERGY_ONE * 3 // 4), BELIEVED // 32, BELIEVED - 1)
        self._is_wrong = AdaptingFlags(np.repeat(wrong, FRACTIONS))
        self._is_towards = AdaptingFlags(np.full(CLASSES * FRACTIONS, BELIEVED // 2))
        self._is_longer = [AdaptingFlags(longer) for _ in range(FLAGGED)]
        self._is_wider = [AdaptingFlags(longer) for _ in range(LARGEST_EXPONENT)]

    def code(
        self,
        coder: FlagCoder,
        contexts: Int64[np.ndarray, " sites"],
        known: Int32[np.ndarray, " sites"] | None,
    ) -> tuple[Int64[np.ndarray, " wrong"], Int64[np.ndarray, " wrong"]]:
        """Code one error per site.

        Args:
            coder: A writer, a reader or a meter.
            contexts: `FRACTIONS` times the class of energy, plus how far the prediction lies from the
                nearest code, from `fractions_of`.
            known: The errors, counted positive towards the prediction from the nearest code, each below 4096
                in magnitude; None for a reader.

        Returns:
            The sites whose errors are not 0, ascending, and these errors.

        Raises:
            CorruptSectionError: From a reader.
        """
        wrong = _coded(coder, self._is_wrong, contexts, None if known is None else known != 0)
        contexts = contexts[wrong]
        known = None if known is None else known[wrong]
        towards = _coded(coder, self._is_towards, contexts, None if known is None else known > 0)
        sizes = self._code_sizes(coder, contexts // FRACTIONS, None if known is None else np.abs(known))
        errors = -sizes
        errors[towards] = sizes[towards]
        return wrong, errors

    def _code_sizes(
        self,
        coder: FlagCoder,
        classes: Int64[np.ndarray, " sites"],
        known: Int32[np.ndarray, " sites"] | None,
    ) -> Int64[np.ndarray, " sites"]:
        """Code numbers of 1 to 4095: one flag after the other, then the excess."""
        sizes = np.ones(classes.size, dtype=np.int64)
        sites = np.arange(classes.size)
        for size, longer in enumerate(self._is_longer, start=1):
            members = _coded(coder, longer, classes, None if known is None else known[sites] > size)
            sites, classes = sites[members], classes[members]
            if not sites.size:
                return sizes
            sizes[sites] = size + 1
        excess = None if known is None else known[sites] - FLAGGED
        sizes[sites] = FLAGGED + self._code_excess(coder, classes, excess)
        return sizes

    def _code_excess(
        self,
        coder: FlagCoder,
        classes: Int64[np.ndarray, " sites"],
        known: Int32[np.ndarray, " sites"] | None,
    ) -> Int64[np.ndarray, " sites"]:
        """Code numbers of 1 to 4095: how many bits follow the first, by flags, then those bits."""
        excess = np.ones(classes.size, dtype=np.int64)
        sites = np.arange(classes.size)
        for exponent, wider in enumerate(self._is_wider):
            limit = 2 << exponent
            known_wider = None if known is None else known[sites] >= limit
            sites = sites[_coded(coder, wider, classes[sites], known_wider)]
            if not sites.size:
                break
            excess[sites] = limit
        for exponent in range(1, LARGEST_EXPONENT + 1):
            start = 1 << exponent
            members = np.flatnonzero(excess == start)
            rest = None if known is None else known[members] - start
            excess[members] += coder.numbers(uniform_table(start), members.size, rest)
        return excess


def fractions_of(rests: Int32[np.ndarray, " sites"]) -> Int32[np.ndarray, " sites"]:
    """Return how far predictions lie from the nearest code, in thirds of half a code, 0 to `FRACTIONS` - 1.

    Args:
        rests: Predictions less that code, in sixteenths, -8 to 7.

    Example:
        >>> fractions_of(np.array([0, 2, 3, 6, -8, -1], dtype=np.int32)).tolist()
        [0, 0, 1, 2, 2, 0]
    """
    fractions: np.ndarray = np.abs(rests)
    fractions *= 2 * FRACTIONS
    fractions >>= FRACTION_BITS
    np.minimum(fractions, FRACTIONS - 1, out=fractions)
    return fractions


def _coded(
    coder: FlagCoder,
    odds: AdaptingFlags,
    contexts: Int64[np.ndarray, " sites"],
    known: Bool[np.ndarray, " sites"] | None,
) -> Int64[np.ndarray, " true"]:
    """Code flags, let the odds adapt to them, and return where they are True."""
    if not contexts.size:
        return contexts
    (true,) = coder.flags(odds.frequencies(), contexts, known).nonzero()
    odds.observe(contexts, contexts[true])
    return true
