import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervid.fit.schedule import learning_rate


def _rate(step: int) -> float:
    return learning_rate(step, steps=100, peak=1.0, warmup=0.2, warmup_start=0.1)


def test_the_rate_warms_up_linearly_and_falls_as_half_a_cosine() -> None:
    assert _rate(0) == pytest.approx(0.1)
    assert _rate(10) == pytest.approx(0.55)
    assert _rate(20) == pytest.approx(1.0)
    assert _rate(60) == pytest.approx(0.5)
    assert _rate(99) == pytest.approx(0.000385, rel=1e-2)


def test_a_power_below_one_keeps_the_rate_high_for_longer() -> None:
    rates = [
        learning_rate(step, steps=100, peak=2.0, warmup=0.2, warmup_start=0.1, power=0.5)
        for step in (10, 20, 60, 80, 99)
    ]
    # After the warm-up, the root of (1 + cos) / 2 is the cosine of half the angle.
    assert rates == pytest.approx([1.1, 2.0, 2 * 0.5**0.5, 2 * math.cos(3 * math.pi / 8), 0.03927], rel=1e-3)


@given(step=st.integers(0, 99), warmup=st.floats(0, 0.9), start=st.floats(0, 1))
def test_the_rate_stays_between_zero_and_its_peak(step: int, warmup: float, start: float) -> None:
    assert 0 <= learning_rate(step, steps=100, peak=2.0, warmup=warmup, warmup_start=start) <= 2.0 + 1e-12


def test_a_phase_of_one_step_has_its_peak_rate() -> None:
    assert learning_rate(0, steps=1, peak=0.5, warmup=0.0, warmup_start=0.1) == 0.5
