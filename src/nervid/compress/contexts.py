"""What is known of a feature grid's code before it is coded: neighbors in space and time."""

from functools import lru_cache
from math import isqrt

import numpy as np
from jaxtyping import Int32, UInt8

from nervid.compress.lattices import Lattice, Pass, Plane

# Predictions and errors are in sixteenths of a code.
FRACTION_BITS = 4
ONE = 1 << FRACTION_BITS
# An energy is a mean error. The unit makes sums of eight parts whole: 8 x 16 x 4 x 4 to the code.
ENERGY_ONE = 2048
# Classes of energy, two to the octave: the lowest is below 0.006 codes, the highest from 22 on.
CLASSES = 26
_LARGEST_ENERGY = (1 << 16) - 1


class Neighborhood:
    """The codes and prediction errors of the knot being coded and of those before it.

    Where a site is not coded yet, the knot's planes hold the numbers of the knot before: they show through in
    the margin only.
    """

    def __init__(self, channels: int, rows: int, columns: int) -> None:
        """Start before the first knot."""
        self._size = (channels, rows, columns)
        self.codes, self._errors = self._plane(), self._plane()
        self.is_first = True
        # Of codes: the knot before and the one before that. Of the knot before: sums of codes, when they
        # are wanted; sums of errors, the same site counted 4 or 8 times.
        self._before, self._long_before = self._plane(), self._plane()
        self._beside, self._above, self._corners = self._plane(), self._plane(), self._plane()
        self._are_summed = False
        self._passed = {1: self._plane(), 2: self._plane()}

    def knot_done(self) -> None:
        """Go on to the next knot."""
        self._long_before.copy_from(self._before if not self.is_first else self.codes)
        self._before.copy_from(self.codes)
        self._are_summed = False
        once, twice = self._passed.values()
        once.add_opposite(self._errors, right=1)
        twice.add_opposite(self._errors, down=1)
        once.add(twice)
        once.add(self._errors, 4)
        twice.copy_from(once)
        twice.add(self._errors, 4)
        self.is_first = False

    def features(self, step: Pass, lattice: Lattice) -> list[Int32[np.ndarray, "channels rows columns"]]:
        """Return the sums of codes from which the codes of a lattice are predicted, `features_count` of them.

        In this order: of the knot, the four corners, or the two beside and the two above and below, whichever
        are known; of the knot before, the same site, the two beside, the two above and below, the four
        corners; if the distance is above 1, of the knot before those sums at this distance that are known in
        the knot; of the knot before that one, the same site. The first knot has those of the knot alone; the
        second takes the first for both of those before it.

        Some are views, good until the knot is done.
        """
        features = self.codes.known(step, lattice)
        if self.is_first:
            return features
        if not self._are_summed:
            self._beside.add_opposite(self._before, right=1)
            self._above.add_opposite(self._before, down=1)
            self._corners.add_opposite(self._beside, down=1)
            self._are_summed = True
        features += [plane.at(lattice) for plane in (self._before, self._beside, self._above, self._corners)]
        if step.distance > 1:
            features += self._before.known(step, lattice)
        return [*features, self._long_before.at(lattice)]

    def energies(
        self,
        step: Pass,
        lattice: Lattice,
        usual: Int32[np.ndarray, " channels"],
        out: Int32[np.ndarray, "channels rows columns"],
    ) -> None:
        """Find how large errors are around each site of a lattice, `ENERGY_ONE` to the code.

        Args:
            step: The pass.
            lattice: One of its lattices.
            usual: The usual error of each channel, `ENERGY_ONE` to the code.
            out: Where they are written.
        """
        around, same, cross, channel = _SHARES[self.is_first][step.kind]
        base = (channel * usual >> 3)[:, None, None]
        if self.is_first:
            out[:] = base
        else:
            # 16 * same * (same site) + 4 * cross * (beside + above): a multiple of one of two sums.
            np.multiply(self._passed[same // cross].at(lattice), np.int32(4 * cross), out=out)
            out += base
        for known in self._errors.known(step, lattice):
            known *= np.int32(4 * around)
            out += known

    def learn(
        self,
        lattice: Lattice,
        codes: Int32[np.ndarray, "channels rows columns"],
        errors: Int32[np.ndarray, "#channels #rows #columns"],
    ) -> None:
        """Take the codes of a lattice, and how far they were from their predictions, in sixteenths."""
        self.codes.set(lattice, codes)
        self._errors.set(lattice, errors)

    def pass_done(self) -> None:
        """Make the margins follow."""
        self.codes.extend()
        self._errors.extend()

    def _plane(self) -> Plane:
        return Plane(*self._size)


# Eighths of the energy from: the known neighbors, the same site of the knot before, the four sites beside,
# above and below it, the channel. By kind; on samples, a step of any of them changed less than 0.5%. The same
# site counts once or twice what the four do.
_SHARES = {
    True: ((0, 0, 0, 8), (5, 0, 0, 3), (6, 0, 0, 2)),
    False: ((0, 3, 3, 2), (3, 2, 2, 1), (4, 2, 1, 1)),
}


def features_count(step: Pass, *, is_first: bool) -> int:
    """Return the number of sums that `Neighborhood.features` has for a pass of the first or another knot."""
    known = int(step.kind)
    return known if is_first else known + 5 + (known if step.distance > 1 else 0)


def classes_of(energies: Int32[np.ndarray, " sites"]) -> UInt8[np.ndarray, " sites"]:
    """Return the class of each energy, 0 or more: ``max(0, floor(2 log2 energy) - 6)``, at most 25.

    Example:
        >>> classes_of(np.array([0, 11, 12, 16, 22, 23, 2048, 1 << 20], dtype=np.int32)).tolist()
        [0, 0, 1, 2, 2, 3, 16, 25]
    """
    classes: np.ndarray = _class_table().take(energies, mode="clip")
    return classes


def class_bound(index: int) -> int:
    """Return the energy at which class ``index`` begins; for class 0, half an octave below class 1."""
    return isqrt(1 << index + 6)


@lru_cache(maxsize=1)
def _class_table() -> UInt8[np.ndarray, " energies"]:
    """Return the class of every energy up to `_LARGEST_ENERGY`."""
    # Class c > 0 begins at the least energy whose square is 2**(c + 6) or more.
    starts = [0, *(isqrt((1 << index + 6) - 1) + 1 for index in range(1, CLASSES)), _LARGEST_ENERGY + 1]
    return np.repeat(np.arange(CLASSES, dtype=np.uint8), np.diff(starts))
