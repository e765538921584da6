import pytest

from nervid.fit.rd.decay import grids_power, weights_power


@pytest.mark.parametrize(("steps", "power"), [(1, 1.0), (325, 1.0), (455, 0.8), (650, 0.5), (10**6, 0.5)])
def test_rates_stay_high_for_longer_in_long_fits(steps: int, power: float) -> None:
    assert weights_power(steps) == pytest.approx(power)
    assert grids_power(steps, 1.0) == pytest.approx(power)


@pytest.mark.parametrize(
    ("price", "power"), [(0.0, 0.5), (20.0, 0.5), (1000**0.5, 0.75), (50.0, 1.0), (1e5, 1.0)]
)
def test_those_of_grids_do_where_bits_are_cheap(price: float, power: float) -> None:
    assert grids_power(1000, price) == pytest.approx(power)
    assert grids_power(455, price) == pytest.approx(0.8 + 0.2 * (power - 0.5) / 0.5)
