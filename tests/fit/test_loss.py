import math
from dataclasses import replace

import pytest
import torch
from pytorch_msssim import ssim

from nervid.fit.loss import distortion, frame_errors, multi_resolution_distortion, psnr_of
from nervid.fit.recipe import RECIPES, Recipe

NONE = replace(RECIPES["hnerv"], l1=0.0, l2=0.0, ssim=0.0)
DRAWN = torch.full((1, 3, 16, 16), 0.5)
TARGET = torch.full((1, 3, 16, 16), 0.25)


def test_each_term_is_what_its_name_says() -> None:
    assert loss_of(replace(NONE, l1=2.0)) == pytest.approx(0.5)
    assert loss_of(replace(NONE, l2=2.0)) == pytest.approx(0.125)
    structure = 1 - ssim(DRAWN, TARGET, data_range=1.0).item()
    assert loss_of(replace(NONE, ssim=2.0)) == pytest.approx(2 * structure)


def loss_of(recipe: Recipe) -> float:
    loss, errors = distortion(DRAWN, TARGET, recipe)
    assert errors.tolist() == [0.0625]
    return loss.item()


def test_frame_errors_and_their_gradient() -> None:
    generator = torch.Generator().manual_seed(4)
    drawn = torch.rand(2, 3, 5, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    target = torch.rand(2, 3, 5, 4, generator=generator, dtype=torch.float64)
    errors = frame_errors(drawn, target)
    expected = (drawn - target).square().mean(dim=(1, 2, 3))
    torch.testing.assert_close(errors, expected)
    weights = torch.tensor([0.3, 2.0], dtype=torch.float64)
    (mine,) = torch.autograd.grad(errors @ weights, drawn)
    (wanted,) = torch.autograd.grad(expected @ weights, drawn)
    torch.testing.assert_close(mine, wanted)


def test_the_papers_recipes_weigh_the_terms_as_published() -> None:
    nerv, hnerv = RECIPES["nerv"], RECIPES["hnerv"]
    assert (nerv.l1, nerv.l2, nerv.ssim) == (0.7, 0.0, 0.3)
    assert (nerv.learning_rate, nerv.betas, nerv.batch_size, nerv.warmup) == (5e-4, (0.5, 0.999), 1, 0.2)
    assert (hnerv.l1, hnerv.l2, hnerv.ssim) == (0.0, 1.0, 0.0)
    assert (hnerv.learning_rate, hnerv.betas, hnerv.batch_size, hnerv.warmup) == (1e-3, (0.9, 0.999), 2, 0.1)


def test_coarse_images_are_compared_with_area_averages() -> None:
    target = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    coarse = target.reshape(1, 3, 4, 2, 4, 2).mean(dim=(3, 5))
    recipe = replace(NONE, l2=1.0)
    loss, errors = multi_resolution_distortion([coarse, target], target, recipe)
    assert loss.item() == pytest.approx(0, abs=1e-12)
    assert errors.tolist() == [0.0]
    off, _ = multi_resolution_distortion([coarse + 0.1, target], target, recipe, coarse_weight=3.0)
    assert off.item() == pytest.approx(0.03, rel=1e-4)


def test_images_smaller_than_the_ssim_window_are_judged_by_pixels_alone() -> None:
    tiny, target = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 16, 16)
    loss, _ = multi_resolution_distortion([tiny, target], target, RECIPES["nerv"])
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_psnr_of_a_mean_squared_error() -> None:
    assert psnr_of(0.01) == pytest.approx(20.0)
    assert psnr_of(0.0) == 100.0
    assert math.isclose(psnr_of(1.0), 0.0)
