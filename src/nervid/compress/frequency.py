"""Integer frequency tables: the probabilities of symbols, the same on every machine."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Int32, Int64

# The precision at which the range coder reads a probability, so a table is exact and not rounded again.
TOTAL_BITS = 24
TOTAL = 1 << TOTAL_BITS

LAPLACE, GAUSSIAN = 0, 1
SHAPES = 2
# Scales from 1/4 to 224 steps, four to the octave: half a step is less than 13% off, which costs a Laplace
# about 0.01 bit per symbol before adaptation takes it back. Chosen, untuned.
SCALES = 40
# Peak 0 leaves the center to the shape; peak p gives it p/16, for arrays with pruned zeros.
PEAKS = 16
# What the prior counts for, in symbols seen. Chosen, untuned: a wider or finer choice gained under 0.1%.
WEIGHTS = (16, 128, 1024, 8192)

_ONE = 1 << 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """What is believed of an array's codes before the first is seen; six small integers in the stream."""

    shape: int
    """`LAPLACE` or `GAUSSIAN`."""

    scale: int
    """Index of the width, 0 to `SCALES` - 1; see `scale_sixteenths`."""

    peak: int
    """Sixteenths of probability at the center, 1 to 15; 0 leaves it to the shape."""

    center: int
    """The code around which the table is symmetric, in the array's range of codes."""

    weight: int
    """Index into `WEIGHTS`: how many observed symbols the prior outweighs."""


# What the first array of a stream may use without describing it: a normal network's weights.
DEFAULT_PRIOR = Prior(shape=GAUSSIAN, scale=16, peak=0, center=0, weight=0)


def scale_sixteenths(scale: int) -> int:
    """Return width number ``scale`` in sixteenths of a step: 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, ...

    It is the mean distance of one side for a Laplace and the standard deviation for a Gaussian.
    """
    return (4 + scale % 4) << (scale // 4)


@lru_cache(maxsize=1024)
def falloff(shape: int, scale: int, reach: int) -> tuple[int, ...]:
    """Return unnormalized weights at distances 0 to ``reach`` from the center, by integer arithmetic alone.

    With ``q = scale_sixteenths(scale)`` and all divisions rounding down:

        Laplace   w[0] = 2**60,  w[d+1] = w[d] * q / (q + 16)
        Gaussian  w[0] = 2**60,  w[d+1] = w[d] * t[d] / 2**60,
                  t[0] = 2**60 * q**2 / (q**2 + 128),  t[d+1] = t[d] * u / 2**60,  u = t[0]**2 / 2**60

    Args:
        shape: `LAPLACE` or `GAUSSIAN`.
        scale: 0 to `SCALES` - 1.
        reach: The largest distance wanted, 0 or more.

    Returns:
        ``reach + 1`` integers, none larger than the one before.

    Notes:
        The Laplace is the two-sided geometric distribution of ratio q / (q + 16). The Gaussian is
        r**(d**2) with r = 1 / (1 + 1 / (2 * sigma**2)) in place of exp(-1 / (2 * sigma**2)): still a
        discrete Gaussian, a little wider than its name for sigma below 1.
    """
    q = scale_sixteenths(scale)
    weights = [_ONE]
    if shape == LAPLACE:
        for _ in range(reach):
            weights.append(weights[-1] * q // (q + 16))
        return tuple(weights)
    drop = _ONE * q * q // (q * q + 128)
    squared = drop * drop // _ONE
    for _ in range(reach):
        weights.append(weights[-1] * drop // _ONE)
        drop = drop * squared // _ONE
    return tuple(weights)


@lru_cache(maxsize=256)
def uniform_table(alphabet: int) -> Int64[np.ndarray, " alphabet"]:
    """Return equal frequencies for ``alphabet`` symbols (2 or more); symbol 0 takes what does not divide."""
    table = np.full(alphabet, TOTAL // alphabet, dtype=np.int64)
    table[0] += TOTAL - int(table.sum())
    table.flags.writeable = False
    return table


@lru_cache(maxsize=1024)
def prior_table(prior: Prior, bits: int) -> Int64[np.ndarray, " alphabet"]:
    """Return the frequencies that ``prior`` gives to the ``2**bits`` codes, lowest code first.

    Every code has frequency 1; the other ``F = 2**24 - 2**bits`` are shared out in proportion to
    `falloff` at the code's distance from the center, rounding down. With a peak, the center gets
    ``F * peak / 16`` instead and the others share the rest. What rounding leaves goes to the center.

    Args:
        prior: The description; its center is a code of ``bits`` bits.
        bits: Bits per code, 2 to 8.

    Returns:
        Frequencies, at least 1 each, that sum to `TOTAL`; read only.
    """
    alphabet = 1 << bits
    center = prior.center + alphabet // 2
    free = TOTAL - alphabet
    weights = falloff(prior.shape, prior.scale, alphabet)
    shares = [weights[abs(symbol - center)] for symbol in range(alphabet)]
    peak = free * prior.peak // 16
    if prior.peak:
        shares[center] = 0
    whole = sum(shares)
    table = np.array([1 + share * (free - peak) // whole for share in shares], dtype=np.int64)
    table[center] += TOTAL - int(table.sum())
    table.flags.writeable = False
    return table


def adapted_tables(
    counts: Int64[np.ndarray, "blocks alphabet"], prior: Int64[np.ndarray, " alphabet"], *, weight: int
) -> Int64[np.ndarray, "blocks alphabet"]:
    """Blend each row of ``counts`` with the prior table.

        frequency = 1 + (counts * F + weight * (prior - 1)) / (sum(counts) + weight),  F = 2**24 - alphabet

    rounding down; what rounding leaves (less than the alphabet's size) goes to the first symbol of highest
    prior frequency.

    Args:
        counts: How often each symbol was seen so far; each row sums to less than 2**38, so that no
            product leaves 64 bits.
        prior: A table from `prior_table`.
        weight: What the prior counts for, in symbols, 1 to 2**20.

    Returns:
        One table per row: frequencies at least 1, that sum to `TOTAL`.

    Source:
        The Dirichlet-multinomial predictive distribution, of which Krichevsky and Trofimov (1981) is the
        uniform case; rounding and the guaranteed 1 are ours.
    """
    alphabet = prior.shape[0]
    seen = counts.sum(axis=1, keepdims=True)
    tables: np.ndarray = counts * (TOTAL - alphabet)
    tables += weight * (prior - 1)
    tables //= seen + weight
    tables += 1
    tables[:, int(prior.argmax())] += TOTAL - tables.sum(axis=1)
    return tables


class AdaptingTable:
    """The table of `adapted_tables` for a decoder, which learns of one block after the other.

    Example:
        >>> table = AdaptingTable(DEFAULT_PRIOR, 6)
        >>> bool((table.frequencies() == prior_table(DEFAULT_PRIOR, 6)).all())
        True
    """

    def __init__(self, prior: Prior, bits: int) -> None:
        """Start with the prior's table for the ``2**bits`` codes; 2 to 8 bits."""
        table = prior_table(prior, bits)
        self._weight = WEIGHTS[prior.weight]
        self._weighted_prior = self._weight * (table - 1)
        self._top = int(table.argmax())
        self._counts = np.zeros_like(table)
        self._total = self._weight

    def observe(self, symbols: Int32[np.ndarray, " count"]) -> None:
        """Count symbols, each in [0, 2**bits); fewer than 2**32 in all."""
        self._counts += np.bincount(symbols, minlength=self._counts.size)
        self._total += symbols.size

    def frequencies(self) -> Int64[np.ndarray, " alphabet"]:
        """Return the table for the next block: a row of `adapted_tables`."""
        alphabet = self._counts.size
        table: np.ndarray = self._counts * (TOTAL - alphabet)
        table += self._weighted_prior
        table //= self._total
        table += 1
        table[self._top] += TOTAL - int(table.sum())
        return table


@lru_cache(maxsize=1024)
def block_bounds(size: int) -> tuple[int, ...]:
    """Return where the table of an array of ``size`` symbols is renewed: 0, 64, 128, 256, 512, ..., ``size``.

    A block is as long as all that precedes it: an array is read in few steps, fifteen for a million symbols.
    Blocks of a quarter, and 16 at least, save 0.05% of a network's bytes and take three times as many steps.
    """
    bounds = [0]
    while bounds[-1] < size:
        bounds.append(min(size, bounds[-1] + max(64, bounds[-1])))
    return tuple(bounds)
