"""Pictures are prepared as published models expect, up to rounding of the resize."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from nervid.errors import InputError
from nervid.teachers.images import Preprocessing

CLIP_JSON: dict[str, Any] = {
    "size": {"shortest_edge": 224},
    "crop_size": {"height": 224, "width": 224},
    "do_center_crop": True,
    "resample": 3,
    "rescale_factor": 1 / 255,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
SIGLIP_JSON: dict[str, Any] = {
    "size": {"height": 64, "width": 64},
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def read(value: dict[str, Any], *, center_crop: bool = False) -> Preprocessing:
    return Preprocessing.from_json(value, source="p.json", center_crop=center_crop)


def frames_of(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(height).integers(0, 256, (2, height, width, 3), dtype=np.uint8)


def test_a_frame_of_the_right_size_is_only_normalized() -> None:
    frames = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    prepared = Preprocessing(resize=4, mean=(0.5, 0.5, 0.25), std=(0.5, 0.25, 0.5))(frames)
    assert torch.allclose(prepared[0, :, 0, 0], torch.tensor([-1.0, -1.2, 1.5]), atol=1e-6)
    assert prepared.shape == (1, 3, 4, 4)


def test_a_reduction_by_two_uses_the_widened_cubic_filter() -> None:
    # Keys' cubic with a = -0.5 at 0.25, 0.75, 1.25, 1.75: twice as wide as the reduction asks for.
    w1, w2, w3, w4 = 0.8671875, 0.2265625, -0.0703125, -0.0234375
    step = torch.tensor([50] * 4 + [150] * 4, dtype=torch.uint8).expand(1, 3, 8, 8)
    first = 50 + 100 * w4 / (2 * w1 + w2 + w3 + w4)
    second = 50 + 100 * (w2 + w3 + w4) / (2 * w1 + 2 * w2 + 2 * w3 + w4)
    expected = [round(value) for value in (first, second, 200 - second, 200 - first)]
    assert expected == [49, 57, 143, 151]
    assert Preprocessing(resize=4, rescale=1.0)(step)[0, 0, 0].tolist() == expected


def test_the_crop_is_at_the_center_and_odd_pixels_go_right() -> None:
    columns = torch.arange(7, dtype=torch.uint8).expand(1, 3, 4, 7)
    prepared = Preprocessing(resize=4, crop=(4, 4), rescale=1.0)(columns)
    assert prepared[0, 0, 0].tolist() == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    ("size", "wanted"), [((360, 640), (224, 398)), ((640, 360), (398, 224)), ((50, 50), (224, 224))]
)
def test_the_shorter_side_decides_and_the_longer_is_rounded_down(
    size: tuple[int, int], wanted: tuple[int, int]
) -> None:
    prepared = Preprocessing(resize=224)(torch.zeros(1, 3, *size, dtype=torch.uint8))
    assert prepared.shape == (1, 3, *wanted)


@pytest.mark.parametrize("size", [(72, 128), (128, 72), (20, 31), (97, 61)])
@pytest.mark.parametrize(
    ("number", "resample"), [(2, Image.Resampling.BILINEAR), (3, Image.Resampling.BICUBIC)]
)
def test_the_resize_is_pillows_within_two_levels(
    size: tuple[int, int], number: int, resample: Image.Resampling
) -> None:
    frames = frames_of(*size)
    prepared = read(
        {
            **SIGLIP_JSON,
            "resample": number,
            "rescale_factor": 1.0,
            "image_mean": [0, 0, 0],
            "image_std": [1, 1, 1],
        }
    )(torch.from_numpy(frames).permute(0, 3, 1, 2))
    # In two steps: newer Pillows take the height first where that costs less, which rounds differently.
    pictures = [Image.fromarray(frame).resize((64, size[0]), resample) for frame in frames]
    expected = np.stack([np.asarray(picture.resize((64, 64), resample)) for picture in pictures])
    difference = np.abs(prepared.permute(0, 2, 3, 1).numpy() - expected)
    assert difference.max() <= 2
    assert (difference > 0).mean() < 0.02


@pytest.mark.parametrize("size", [(360, 640), (300, 200)])
def test_clips_preprocessing_is_that_of_transformers(size: tuple[int, int]) -> None:
    transformers = pytest.importorskip("transformers")
    name = "CLIPImageProcessorPil" if hasattr(transformers, "CLIPImageProcessorPil") else "CLIPImageProcessor"
    frames = frames_of(*size)
    theirs = getattr(transformers, name)(**CLIP_JSON)(list(frames), return_tensors="pt")["pixel_values"]
    ours = read(CLIP_JSON)(torch.from_numpy(frames).permute(0, 3, 1, 2))
    assert ours.shape == theirs.shape == (2, 3, 224, 224)
    # Two levels of 255, over the smallest std.
    assert (ours - theirs).abs().max() <= 2 / 255 / 0.26130258 + 1e-5
    assert ((ours - theirs).abs() > 1e-5).float().mean() < 0.02


def test_the_result_is_the_same_for_any_batch_and_memory_layout() -> None:
    frames = torch.from_numpy(frames_of(90, 120)).permute(0, 3, 1, 2)
    prepare = read(SIGLIP_JSON)
    together = prepare(frames)
    assert torch.equal(together, prepare(frames.contiguous()))
    assert torch.equal(together, torch.cat([prepare(frames[:1]), prepare(frames[1:])]))


@pytest.mark.parametrize(
    ("changes", "center_crop", "resize", "crop"),
    [
        ({"size": 224, "crop_size": 224}, True, 224, (224, 224)),
        ({"size": 224, "crop_size": 192, "do_center_crop": False}, True, 224, None),
        ({"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 200}}, True, 256, (224, 200)),
        ({"size": {"shortest_edge": 224}}, True, 224, (224, 224)),
        ({"size": {"height": 384, "width": 384}}, False, (384, 384), None),
    ],
)
def test_sizes_are_read_in_all_their_spellings(
    changes: dict[str, Any], center_crop: bool, resize: object, crop: object
) -> None:
    read_back = read({**SIGLIP_JSON, **changes}, center_crop=center_crop)
    assert (read_back.resize, read_back.crop) == (resize, crop)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"size": None}, "could not use a side of None"),
        ({"size": {"longest_edge": 3}}, "could not use 'height'"),
        ({"size": 0}, "sides must be 1 to 2048 pixels"),
        ({"size": 100_000}, "sides must be 1 to 2048 pixels"),
        ({"size": 100, "crop_size": 101, "do_center_crop": True}, "a crop to (101, 101) wants at least"),
        ({"resample": 1}, "could not use 1"),
        ({"do_normalize": False}, "could not use do_normalize is False"),
        ({"image_mean": [0.5]}, "could not use a color of [0.5]"),
        ({"image_std": [0.5, 0.0, 0.5]}, "rescale and std not 0"),
        ({"image_mean": [0.5, float("nan"), 0.5]}, "must be finite"),
    ],
)
def test_what_is_not_understood_is_refused_in_one_line(changes: dict[str, Any], wanted: str) -> None:
    with pytest.raises(InputError, match=r"^p.json: .*" + re.escape(wanted)):
        read({**SIGLIP_JSON, **changes})
