"""Means over learning steps leave out what is not finite."""

import math

import pytest

from nervid.meta.progress import DECAY, Averages


def test_means_since_the_last_point_are_plain_and_shown_ones_follow_slowly() -> None:
    averages = Averages()
    averages.add(10.0, 20.0)
    averages.add(14.0, 26.0)
    assert (averages.start_db, averages.adapted_db) == pytest.approx((10 + 4 * DECAY, 20 + 6 * DECAY))
    assert averages.take() == (12.0, 23.0)
    averages.add(30.0, 40.0)
    assert averages.take() == (30.0, 40.0)
    assert averages.start_db == pytest.approx((10 + 4 * DECAY) * (1 - DECAY) + 30 * DECAY)


@pytest.mark.parametrize("odd", [(math.nan, 1.0), (1.0, -math.inf)])
def test_steps_that_are_not_finite_do_not_count(odd: tuple[float, float]) -> None:
    averages = Averages()
    averages.add(*odd)
    assert averages.take() == (None, None)
    assert math.isnan(averages.start_db)
    averages.add(10.0, 20.0)
    averages.add(*odd)
    assert averages.take() == (10.0, 20.0)
    assert (averages.start_db, averages.adapted_db) == (10.0, 20.0)
