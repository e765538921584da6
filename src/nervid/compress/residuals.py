"""Errors of prediction <-> flags under odds that adapt by class of energy."""

import numpy as np
from jaxtyping import Bool, Int64

from nervid.compress.contexts import CLASSES, ENERGY_ONE, FRACTION_BITS, ONE, class_bound
from nervid.compress.flags import BELIEVED, AdaptingFlags, FlagCoder
from nervid.compress.frequency import uniform_table

# A prediction's distance from the nearest code, 0 to 1/2, in thirds of that.
FRACTIONS = 3
# Errors up to this take a flag for every further one; above, their excess is an exponent and that many bits.
FLAGGED = 14
LARGEST_EXPONENT = 11

_RESTS = np.arange(ONE) - ONE // 2
_SIDES = np.where(_RESTS < 0, -1, 1)
_FRACTIONS = np.minimum(2 * FRACTIONS * np.abs(_RESTS) // ONE, FRACTIONS - 1)


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
        classes: Int64[np.ndarray, " sites"],
        fractions: Int64[np.ndarray, " sites"],
        known: Int64[np.ndarray, " sites"] | None,
    ) -> Int64[np.ndarray, " sites"]:
        """Code one error per site.

        Args:
            coder: A writer, a reader or a meter.
            classes: Classes of energy, 0 to `CLASSES` - 1.
            fractions: How far predictions lie from the nearest code, from `nearest`.
            known: The errors, counted positive towards the prediction from the nearest code, each below 4096
                in magnitude; None for a reader.

        Returns:
            The errors.

        Raises:
            CorruptSectionError: From a reader.
        """
        sizes = None if known is None else np.abs(known)
        contexts = FRACTIONS * classes + fractions
        errors = np.zeros(classes.size, dtype=np.int64)
        sites = np.flatnonzero(_coded(coder, self._is_wrong, contexts, None if sizes is None else sizes > 0))
        is_towards = _coded(
            coder, self._is_towards, contexts[sites], None if known is None else known[sites] > 0
        )
        wrong = sites
        classes = classes[sites]
        for size, longer in enumerate(self._is_longer, start=1):
            errors[sites] = size
            is_longer = _coded(coder, longer, classes, None if sizes is None else sizes[sites] > size)
            sites, classes = sites[is_longer], classes[is_longer]
            if not sites.size:
                break
        else:
            excess = None if sizes is None else sizes[sites] - FLAGGED
            errors[sites] = FLAGGED + self._code_excess(coder, classes, excess)
        errors[wrong] = np.where(is_towards, errors[wrong], -errors[wrong])
        return errors

    def _code_excess(
        self,
        coder: FlagCoder,
        classes: Int64[np.ndarray, " sites"],
        known: Int64[np.ndarray, " sites"] | None,
    ) -> Int64[np.ndarray, " sites"]:
        """Code numbers of 1 to 4095: how many bits follow the first, by flags, then those bits."""
        excess = np.ones(classes.size, dtype=np.int64)
        sites = np.arange(classes.size)
        for exponent, wider in enumerate(self._is_wider):
            limit = 2 << exponent
            is_wider = _coded(coder, wider, classes[sites], None if known is None else known[sites] >= limit)
            sites = sites[is_wider]
            if not sites.size:
                break
            excess[sites] = limit
        for exponent in range(1, LARGEST_EXPONENT + 1):
            start = 1 << exponent
            members = np.flatnonzero(excess == start)
            rest = None if known is None else known[members] - start
            excess[members] += coder.numbers(uniform_table(start), members.size, rest)
        return excess


def nearest(
    predicted: Int64[np.ndarray, " sites"],
) -> tuple[Int64[np.ndarray, " sites"], Int64[np.ndarray, " sites"], Int64[np.ndarray, " sites"]]:
    """Return the code nearest to each prediction, in sixteenths, and where the prediction lies of it.

    Returns:
        The codes; the side, 1 or -1; how far off, in thirds of half a code, 0 to `FRACTIONS` - 1.

    Example:
        >>> [part.tolist() for part in nearest(np.array([0, 2, 3, 6, 8, 31]))]
        [[0, 0, 0, 0, 1, 2], [1, 1, 1, 1, -1, -1], [0, 0, 1, 2, 2, 0]]
    """
    shifted = predicted + ONE // 2
    rest = shifted & ONE - 1
    return shifted >> FRACTION_BITS, _SIDES.take(rest), _FRACTIONS.take(rest)


def _coded(
    coder: FlagCoder,
    odds: AdaptingFlags,
    contexts: Int64[np.ndarray, " sites"],
    known: Bool[np.ndarray, " sites"] | None,
) -> Bool[np.ndarray, " sites"]:
    """Code flags, then let the odds adapt to them."""
    if not contexts.size:
        return np.zeros(0, dtype=np.bool_)
    flags = coder.flags(odds.frequencies(), contexts, known)
    odds.observe(flags, contexts)
    return flags
