import pytest

from nervid.encoder.budget import bytes_for_quality, multiplier_of
from nervid.models.nervid_sizing import LEAST_BYTES, usual_bytes, usual_multiplier


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


def test_the_usual_price_of_a_bit_is_that_of_the_usual_size() -> None:
    pixels = 132 * 160 * 320
    assert usual_multiplier(0.27 * pixels / 8, pixels=pixels) == pytest.approx(1)
    for multiplier in (0.03, 1.0, 20.0):
        size = usual_bytes(multiplier, pixels=pixels)
        assert usual_multiplier(size, pixels=pixels) == pytest.approx(multiplier)
