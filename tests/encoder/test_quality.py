import pytest

from nervid.encoder.budget import bytes_for_quality, multiplier_of
from nervid.models.nervid_sizing import LEAST_BYTES


def test_six_more_halve_the_price_of_a_bit() -> None:
    assert multiplier_of(60) == 1
    assert multiplier_of(66) == pytest.approx(0.5)
    assert multiplier_of(100) == pytest.approx(2 ** (-40 / 6))


def test_a_clip_usually_takes_a_quarter_of_a_bit_per_pixel_at_the_neutral_quality() -> None:
    assert bytes_for_quality(60, frames=132, height=160, width=320) == pytest.approx(
        0.27 * 132 * 160 * 320 / 8
    )
    # A bit at an eighth of the price: four times as many.
    assert bytes_for_quality(78, frames=132, height=160, width=320) == pytest.approx(
        4 * bytes_for_quality(60, frames=132, height=160, width=320)
    )
    assert bytes_for_quality(1, frames=1, height=16, width=16) == LEAST_BYTES
