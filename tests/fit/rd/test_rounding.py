import math

import pytest

from nervid.fit.rd.rounding import RoundingSchedule


def test_dear_bits_see_250_rounded_steps_at_the_end() -> None:
    dear = RoundingSchedule(50.0)
    assert dear.noisy_steps(5000) == pytest.approx(4750)
    assert dear.noisy_steps(400) == pytest.approx(240)  # no more than 40 % of them
    assert dear.noisy_steps(100_000) == pytest.approx(98_000)  # no fewer than 2 %
    assert [dear.at(step, 5000)[0] for step in (0, 4749, 4750, 4999)] == [
        "noise",
        "noise",
        "straight",
        "straight",
    ]


def test_cheap_bits_see_800() -> None:
    cheap = RoundingSchedule(1.0)
    assert cheap.noisy_steps(5000) == pytest.approx(4200)
    assert cheap.noisy_steps(1000) == pytest.approx(250)
    assert cheap.noisy_steps(100_000) == pytest.approx(90_000)


def test_half_way_between_the_prices_lies_half_way_between_the_schedules() -> None:
    assert RoundingSchedule(5.0).noisy_steps(5000) == pytest.approx(5000 - 525)


def test_softness_falls_along_a_line_and_is_larger_the_cheaper_bits_are() -> None:
    dear, middling, cheap = (RoundingSchedule(price) for price in (10.0, 5.0, 2.5))
    assert [dear.at(step, 5000)[1] for step in (0, 2375, 4750, 4999)] == pytest.approx([0.6, 0.4, 0.2, 0.2])
    assert middling.at(0, 5000)[1] == pytest.approx(1.2)
    assert cheap.at(0, 5000)[1] == math.inf


def test_a_fit_of_one_step_has_a_schedule() -> None:
    assert RoundingSchedule(1e-3).at(0, 1)[0] == "noise"
