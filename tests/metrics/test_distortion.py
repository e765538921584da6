"""PSNR and MS-SSIM against numbers computed by hand and against a slow, obvious twin."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

from nervid.errors import InputError
from nervid.metrics.distortion import MS_SSIM_MIN_SIDE, ms_ssim, psnr


def noise_frames(seed: int, *, frames: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (frames, 3, height, width), dtype=torch.uint8, generator=generator)


def smooth_frames(frames: int, height: int, width: int) -> Tensor:
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    wave = 127.5 + 100 * torch.sin(rows / 9) * torch.cos(columns / 7)
    return wave.to(torch.uint8).expand(frames, 3, height, width).contiguous()


def test_every_sample_off_by_one_is_20_log10_of_255() -> None:
    black = torch.zeros(2, 3, 4, 5, dtype=torch.uint8)
    assert psnr(black, black + 1).tolist() == [20 * math.log10(255)] * 2
    assert round(20 * math.log10(255), 4) == 48.1308


def test_black_against_white_is_0_db_and_does_not_wrap() -> None:
    black = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    white = torch.full_like(black, 255)
    assert psnr(black, white).tolist() == [0.0]
    assert psnr(white, black).tolist() == [0.0]


def test_equal_frames_have_infinite_psnr_and_others_keep_their_own() -> None:
    reference = noise_frames(0, frames=2, height=8, width=8)
    frames = reference.clone()
    frames[1, 0, 0, 0] ^= 4  # one of 192 samples off by 4: mse = 16 / 192
    assert psnr(reference, frames).tolist() == [
        math.inf,
        pytest.approx(10 * math.log10(255**2 * 12), abs=1e-12),
    ]


def test_no_frames_have_no_psnr_and_no_ms_ssim() -> None:
    nothing = torch.zeros(0, 3, 200, 200, dtype=torch.uint8)
    assert psnr(nothing, nothing).shape == (0,)
    assert ms_ssim(nothing, nothing).shape == (0,)


@given(arrays(np.uint8, (2, 3, 5, 4)), arrays(np.uint8, (2, 3, 5, 4)))
def test_psnr_equals_the_formula_written_out_in_numpy(reference: np.ndarray, frames: np.ndarray) -> None:
    mse = ((reference.astype(np.float64) - frames) ** 2).mean(axis=(1, 2, 3))
    expected = [10 * math.log10(255**2 / value) if value else math.inf for value in mse.tolist()]
    assert psnr(torch.from_numpy(reference), torch.from_numpy(frames)).tolist() == pytest.approx(
        expected, abs=1e-9
    )


@given(arrays(np.uint8, (3, 3, 4, 4)), arrays(np.uint8, (3, 3, 4, 4)), st.integers(0, 2))
def test_a_frame_scores_the_same_alone_and_in_a_batch(
    reference: np.ndarray, frames: np.ndarray, index: int
) -> None:
    first, second = torch.from_numpy(reference), torch.from_numpy(frames)
    alone = psnr(first[index : index + 1], second[index : index + 1])
    assert alone.tolist() == psnr(first, second)[index : index + 1].tolist()


def test_frames_of_other_size_or_number_are_refused() -> None:
    frames = noise_frames(0, frames=2, height=8, width=8)
    with pytest.raises(
        InputError, match=r"the reference is \(2, 3, 8, 8\) and the frames are \(1, 3, 8, 8\)"
    ):
        psnr(frames, frames[:1])


def test_ms_ssim_of_equal_frames_is_1() -> None:
    frames = noise_frames(1, frames=1, height=MS_SSIM_MIN_SIDE, width=MS_SSIM_MIN_SIDE)
    assert ms_ssim(frames, frames).tolist() == pytest.approx([1.0], abs=1e-6)


def test_ms_ssim_is_symmetric_and_falls_as_noise_rises() -> None:
    clean = smooth_frames(3, 176, 176)
    noise = torch.randn(1, 3, 176, 176, generator=torch.Generator().manual_seed(3)) * torch.tensor(
        [4.0, 12.0, 36.0]
    ).reshape(3, 1, 1, 1)
    noisy = (clean + noise).clamp(0, 255).to(torch.uint8)
    scores = ms_ssim(clean, noisy)
    assert 1 > scores[0] > scores[1] > scores[2] > 0
    assert ms_ssim(noisy, clean).tolist() == pytest.approx(scores.tolist(), abs=1e-6)


def test_ms_ssim_equals_a_naive_twin_in_float64() -> None:
    clean = smooth_frames(3, 164, 171)
    noisy = (
        (clean.int() + noise_frames(5, frames=3, height=164, width=171) % 31 - 15)
        .clamp(0, 255)
        .to(torch.uint8)
    )
    expected = [naive_ms_ssim(clean[i].double(), noisy[i].double()) for i in range(3)]
    assert ms_ssim(clean, noisy).tolist() == pytest.approx(expected, abs=2e-6)


def test_frames_too_small_for_five_scales_are_refused() -> None:
    frames = noise_frames(0, frames=1, height=MS_SSIM_MIN_SIDE - 1, width=300)
    with pytest.raises(InputError, match="at least 161 pixels a side, got 300x160"):
        ms_ssim(frames, frames)


def naive_ms_ssim(first: Tensor, second: Tensor) -> float:
    """MS-SSIM of one frame, straight from the papers, with a dense two-dimensional window."""
    taps = torch.exp(-((torch.arange(11, dtype=torch.float64) - 5) ** 2) / (2 * 1.5**2))
    window = torch.outer(taps, taps)
    window = (window / window.sum())[None, None]
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    weights = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]
    x, y = first[:, None], second[:, None]  # channels as a batch
    score = torch.ones(3, dtype=torch.float64)
    for scale, weight in enumerate(weights):
        mean_x, mean_y = conv2d(x, window), conv2d(y, window)
        variance_x = conv2d(x * x, window) - mean_x**2
        variance_y = conv2d(y * y, window) - mean_y**2
        covariance = conv2d(x * y, window) - mean_x * mean_y
        contrast = (2 * covariance + c2) / (variance_x + variance_y + c2)
        luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
        term = contrast if scale < len(weights) - 1 else contrast * luminance
        score *= term.mean(dim=(1, 2, 3)).clamp(min=0) ** weight
        odd = [side % 2 for side in x.shape[2:]]
        x, y = avg_pool2d(x, 2, padding=odd), avg_pool2d(y, 2, padding=odd)
    return float(score.mean())
