"""What a feature grid's code is classed and predicted by, against slow and plain versions."""

import numpy as np
import pytest

from nervid.compress.contexts import CLASSES, classes_of
from nervid.compress.lattices import Lattice, Plane, passes
from nervid.compress.residuals import fractions_of


def test_classes_are_two_to_the_octave_of_every_energy() -> None:
    energies = np.arange(1 << 17, dtype=np.int32)
    expected = [min(CLASSES - 1, max(0, (energy * energy).bit_length() - 7)) for energy in range(1 << 17)]
    np.testing.assert_array_equal(classes_of(energies), expected)


def test_fractions_are_thirds_of_half_a_code() -> None:
    rests = np.arange(-8, 8, dtype=np.int32)
    assert fractions_of(rests).tolist() == [min(2, 6 * abs(rest) // 16) for rest in range(-8, 8)]


@pytest.fixture
def plane() -> Plane:
    made = Plane(2, 5, 7)
    made.values()[:] = np.random.default_rng(1).integers(-2047, 2048, (2, 5, 7))
    made.extend()
    return made


def test_sums_of_a_whole_plane_are_those_of_its_lattices(plane: Plane) -> None:
    beside, above, corners = (Plane(2, 5, 7) for _ in range(3))
    beside.add_opposite(plane, right=1)
    above.add_opposite(plane, down=1)
    corners.add_opposite(beside, down=1)
    for lattice in [lattice for step in passes(2) for lattice in step.lattices]:
        np.testing.assert_array_equal(beside.at(lattice), plane.beside(lattice))
        np.testing.assert_array_equal(above.at(lattice), plane.above(lattice))
        np.testing.assert_array_equal(corners.at(lattice), plane.corners(lattice))


def test_numbers_around_a_site_are_those_of_the_nearest_sites_inside(plane: Plane) -> None:
    lattice = Lattice(1, 0, 2)
    padded = np.pad(plane.values(), ((0, 0), (2, 2), (2, 2)), mode="edge")
    for down, right in [(0, 0), (-2, 2), (1, -1), (2, 0)]:
        expected = padded[:, 3 + down : 7 + down : 2, 2 + right : 9 + right : 2]
        np.testing.assert_array_equal(plane.at(lattice, down, right), expected)


def test_a_plane_is_added_a_number_of_times(plane: Plane) -> None:
    once, total = plane.values().copy(), Plane(2, 5, 7)
    total.add(plane)
    total.add(plane, 4)
    np.testing.assert_array_equal(total.values(), 5 * once)
