"""Resampling: the filter by hand, and what it must leave alone."""

import math

import pytest
import torch

from nervid.decoder.resample import lanczos, resample


def test_the_filter_is_that_of_its_formula() -> None:
    weights = lanczos(4, 8)

    def raw(offset: float) -> float:
        if abs(offset) >= 3:
            return 0.0
        sinc = [math.sin(math.pi * x) / (math.pi * x) if x else 1.0 for x in (offset, offset / 3)]
        return sinc[0] * sinc[1]

    # The fourth of eight pixels has its centre at 1.25 of the four.
    by_hand = [raw(index - 1.25) for index in range(4)]
    expected = torch.tensor([value / sum(by_hand) for value in by_hand], dtype=torch.float64)
    torch.testing.assert_close(weights[3], expected)


@pytest.mark.parametrize("size", [(5, 9), (31, 17), (10, 12), (1, 1)])
def test_an_even_color_stays_even(size: tuple[int, int]) -> None:
    picture = torch.full((3, 10, 12), 0.25)
    torch.testing.assert_close(resample(picture, *size), torch.full((3, *size), 0.25))


def test_its_own_size_changes_nothing() -> None:
    picture = torch.rand(3, 6, 7, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(resample(picture, 6, 7), picture, rtol=0, atol=1e-6)


def test_shrinking_averages() -> None:
    stripes = torch.zeros(3, 4, 64)
    stripes[:, :, ::2] = 1
    small = resample(stripes, 4, 8)
    # Stripes far too fine for the smaller picture become their mean.
    torch.testing.assert_close(small[:, :, 2:6], torch.full((3, 4, 4), 0.5), rtol=0, atol=0.02)
