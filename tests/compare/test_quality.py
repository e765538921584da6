"""Scores of decoded frames, measured batch by batch."""

import math

import numpy as np
import pytest
import torch

from nervid.compare.quality import Quality, ReferenceClip, measure
from nervid.errors import InputError
from nervid.metrics.distortion import ms_ssim, psnr

from .conftest import FakeClip, in_batches, moving_frames


def test_the_fake_clip_is_a_reference_clip(clip: FakeClip) -> None:
    assert isinstance(clip, ReferenceClip)


@pytest.mark.parametrize("batch", [1, 4, 6, 100])
def test_the_batch_size_does_not_change_the_scores(clip: FakeClip, batch: int) -> None:
    decoded = clip.tensor() ^ 1
    quality, seconds = measure(clip, in_batches(decoded, batch), name="a.nerv")
    assert quality == Quality(psnr_db=tuple(psnr(clip.tensor(), decoded).tolist()), ms_ssim=None)
    assert quality.mean_psnr_db == pytest.approx(48.1308, abs=1e-4)
    assert seconds >= 0


def test_frames_large_enough_get_ms_ssim() -> None:
    clip = FakeClip(moving_frames(1, 168, 162))
    decoded = clip.tensor() // 2
    quality, _ = measure(clip, [decoded], name="a.nerv")
    assert quality.ms_ssim == tuple(ms_ssim(clip.tensor(), decoded).tolist())
    assert quality.mean_ms_ssim == quality.ms_ssim[0]


@pytest.mark.parametrize(("frames", "seen"), [(5, 5), (7, 7), (0, 0)])
def test_another_number_of_frames_is_refused(clip: FakeClip, frames: int, seen: int) -> None:
    decoded = torch.zeros(frames, 3, 64, 64, dtype=torch.uint8)
    with pytest.raises(InputError, match=f"a.nerv has {seen} frames, the clip has 6"):
        measure(clip, in_batches(decoded, 2), name="a.nerv")


def test_another_frame_size_is_refused(clip: FakeClip) -> None:
    decoded = torch.zeros(6, 3, 64, 32, dtype=torch.uint8)
    with pytest.raises(InputError, match=r"a\.nerv has frames of 32x64, the clip has 64x64"):
        measure(clip, [decoded], name="a.nerv")


def test_means_are_over_frames_and_an_exact_frame_makes_them_infinite() -> None:
    quality = Quality(psnr_db=(30.0, 40.0), ms_ssim=(0.5, 1.0), vmaf=(50.0, 70.0))
    assert (quality.mean_psnr_db, quality.mean_ms_ssim, quality.mean_vmaf) == (35.0, 0.75, 60.0)
    exact = Quality(psnr_db=(30.0, math.inf), ms_ssim=None)
    assert exact.mean_psnr_db == math.inf
    assert exact.to_json()["psnr_db"] is None
    assert exact.to_json()["psnr_db_per_frame"] == [30.0, None]


def test_vmaf_of_equal_frames_is_near_its_top_and_of_gray_ones_near_0() -> None:
    clip = FakeClip(moving_frames(3, 66, 97))
    equal, _ = measure(clip, [clip.tensor()], name="a.nerv", vmaf=True)
    gray, _ = measure(clip, [torch.full_like(clip.tensor(), 128)], name="a.nerv", vmaf=True)
    assert equal.vmaf is not None
    assert gray.vmaf is not None
    assert len(equal.vmaf) == 3
    assert np.mean(equal.vmaf) > 90
    assert np.mean(gray.vmaf) < 20
