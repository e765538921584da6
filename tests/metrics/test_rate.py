"""Bits per pixel, the warning about the source's own rate, and BD-rate."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervid.errors import InputError, MissingExtraError
from nervid.metrics.rate import bd_rate, bits_per_pixel, rate_warning

RATES = [0.02, 0.04, 0.08, 0.16, 0.32]
DECIBELS = [28.0, 31.0, 33.5, 35.5, 37.0]


def test_bits_per_pixel_of_a_full_size_clip() -> None:
    assert bits_per_pixel(1_520_640, frames=132, height=720, width=1280) == 0.1


@given(st.integers(0, 10**9), st.integers(1, 500), st.integers(1, 500), st.integers(1, 500))
def test_bits_per_pixel_give_the_size_back(size: int, frames: int, height: int, width: int) -> None:
    assert round(bits_per_pixel(size, frames, height, width) * frames * height * width / 8) == size


def test_a_clip_without_pixels_has_no_bits_per_pixel() -> None:
    with pytest.raises(InputError, match="got 0 frames of 4x3 in 10 bytes"):
        bits_per_pixel(10, frames=0, height=3, width=4)


def test_a_rate_above_the_source_is_warned_about() -> None:
    assert rate_warning(0.1, 0.0523) == "0.1 bpp is more than the 0.0523 bpp of the source file itself"


@pytest.mark.parametrize("source", [None, 0.1, 0.2])
def test_a_rate_up_to_the_source_or_without_a_source_rate_is_not(source: float | None) -> None:
    assert rate_warning(0.1, source) is None


@pytest.mark.parametrize(("factor", "percent"), [(0.5, -50.0), (1.0, 0.0), (2.0, 100.0)])
def test_a_curve_with_its_rates_scaled_has_that_bd_rate(factor: float, percent: float) -> None:
    scaled = [rate * factor for rate in RATES]
    assert bd_rate(RATES, DECIBELS, scaled, DECIBELS) == pytest.approx(percent, abs=1e-9)


def test_curves_straight_in_log_rate_have_the_bd_rate_computed_by_hand() -> None:
    # log10(rate) = dB / 10 against (dB - 1) / 10 over 32..37 dB: a mean of -0.1 everywhere.
    anchor = [30.0, 32.0, 34.0, 37.0]
    test = [32.0, 33.0, 36.0, 38.0, 39.0]
    percent = bd_rate([10 ** (d / 10) for d in anchor], anchor, [10 ** ((d - 1) / 10) for d in test], test)
    assert percent == pytest.approx((10**-0.1 - 1) * 100, abs=1e-9)


@given(st.permutations(range(5)), st.permutations(range(5)))
def test_the_order_of_points_does_not_matter(first: list[int], second: list[int]) -> None:
    better = [decibels + 0.5 for decibels in DECIBELS]
    shuffled = bd_rate(
        [RATES[i] for i in first],
        [DECIBELS[i] for i in first],
        [RATES[i] for i in second],
        [better[i] for i in second],
    )
    assert shuffled == bd_rate(RATES, DECIBELS, RATES, better)


def test_three_points_are_too_few() -> None:
    with pytest.raises(InputError, match="needs 4 points per curve, the test curve has 3"):
        bd_rate(RATES, DECIBELS, RATES[:3], DECIBELS[:3])


def test_curves_that_share_no_psnr_are_refused() -> None:
    with pytest.raises(InputError, match=r"got 28.00 to 37.00 dB and 68.00 to 77.00 dB"):
        bd_rate(RATES, DECIBELS, RATES, [decibels + 40 for decibels in DECIBELS])


@pytest.mark.parametrize(
    ("rates", "decibels"),
    [
        ([0.0, *RATES[1:]], DECIBELS),
        (RATES, [float("inf"), *DECIBELS[1:]]),
        (RATES, [DECIBELS[1], *DECIBELS[1:]]),
    ],
    ids=["rate 0", "infinite PSNR", "equal PSNR"],
)
def test_points_without_a_place_on_the_curve_are_refused(rates: list[float], decibels: list[float]) -> None:
    with pytest.raises(InputError, match="the anchor curve needs finite PSNR values that all differ"):
        bd_rate(rates, decibels, RATES, DECIBELS)


def test_rates_without_their_psnr_are_refused() -> None:
    with pytest.raises(InputError, match="the anchor curve has 5 rates and 4 PSNR values"):
        bd_rate(RATES, DECIBELS[:4], RATES, DECIBELS)


def test_a_missing_extra_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bjontegaard", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'nervid\[compare\]'"):
        bd_rate(RATES, DECIBELS, RATES, DECIBELS)


def test_the_module_needs_no_torch() -> None:
    code = "import sys, nervid.metrics.rate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
