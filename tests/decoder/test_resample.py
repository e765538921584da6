"""Resampling: the filter by hand, and what it must leave alone."""

import math

import pytest
import torch

from nervid.decoder.resample import lanczos, resample


def test_the_filter_is_that_of_its_formula() -> None:
    (band,) = lanczos(4, 8)
    assert band.first == 0

    def raw(offset: float) -> float:
        if abs(offset) >= 3:
            return 0.0
        sinc = [math.sin(math.pi * x) / (math.pi * x) if x else 1.0 for x in (offset, offset / 3)]
        return sinc[0] * sinc[1]

    # The fourth of eight pixels has its centre at 1.25 of the four.
    by_hand = [raw(index - 1.25) for index in range(4)]
    expected = torch.tensor([value / sum(by_hand) for value in by_hand])
    torch.testing.assert_close(band.weights[3], expected)


def test_a_long_row_is_resampled_from_its_neighborhood_alone() -> None:
    # Twice as many pixels: number 32 has its centre at 15.75 and reads from 12.75 to 18.75.
    second = lanczos(100, 200)[1]
    assert second.first == 12
    assert second.weights.shape == (32, 24)
    read = second.weights[0].nonzero().flatten() + second.first
    assert read.tolist() == [13, 14, 15, 16, 17, 18]
    assert sum(len(band.weights) for band in lanczos(100, 200)) == 200


@pytest.mark.parametrize("size", [(33, 200), (70, 50), (7, 131)])
def test_bands_add_up_to_the_whole_filter(size: tuple[int, int]) -> None:
    picture = torch.rand(3, 67, 101, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

    def matrix(length: int, new_length: int) -> torch.Tensor:
        scale = length / new_length
        centres = (torch.arange(new_length) + 0.5) * scale - 0.5
        offsets = (torch.arange(length) - centres[:, None]).double() / max(1, scale)
        weights = torch.sinc(offsets) * torch.sinc(offsets / 3) * (offsets.abs() < 3)
        return weights / weights.sum(dim=1, keepdim=True)

    whole = matrix(67, size[0]) @ picture @ matrix(101, size[1]).mT
    torch.testing.assert_close(resample(picture.float(), *size), whole.float(), rtol=0, atol=1e-5)


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


def test_what_a_cut_last_pixel_covers_decides_where_pixels_lie() -> None:
    # A ramp of 50 columns, the mean of every four of them; of the last two alone for the thirteenth.
    ramp = torch.arange(50.0) + 0.5
    small = torch.cat([ramp[:48].view(12, 4).mean(dim=1), ramp[48:].mean()[None]]).expand(3, 8, 13)
    wanted = ramp.view(25, 2).mean(dim=1)
    inner = slice(6, -6)
    drawn = resample(small, 8, 25, covered=(8, 12.5))[0, 0]
    torch.testing.assert_close(drawn[inner], wanted[inner], rtol=0, atol=0.1)
    shifted = resample(small, 8, 25)[0, 0]
    assert (shifted[inner] - wanted[inner]).abs().max() > 1
