import pytest

from nervid.fit.rd.decay import grids_power


@pytest.mark.parametrize(
    ("price", "power"), [(0.0, 0.5), (20.0, 0.5), (1000**0.5, 0.75), (50.0, 1.0), (1e5, 1.0)]
)
def test_rates_of_grids_stay_high_for_longer_the_cheaper_bits_are(price: float, power: float) -> None:
    assert grids_power(price) == pytest.approx(power)
