"""pixel_shuffle against its definition and against torch's own."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own idiom

from nervid.models.shuffle import pixel_shuffle, pixel_unshuffle


def test_channels_of_one_position_become_a_square() -> None:
    features = torch.arange(8.0).reshape(1, 8, 1, 1)
    # Two channels, four subpixels: (0, 1) top left, (2, 3) top right, (4, 5) and (6, 7) below.
    expected = torch.tensor([[[[0.0, 2.0], [4.0, 6.0]], [[1.0, 3.0], [5.0, 7.0]]]])
    assert torch.equal(pixel_shuffle(features, 2), expected)


@pytest.mark.parametrize("stride", [1, 2, 3, 5])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_it_is_torchs_shuffle_of_reordered_channels(stride: int, memory_format: torch.memory_format) -> None:
    features = torch.randn(2, 3 * stride**2, 4, 5).to(memory_format=memory_format)
    reordered = features.view(2, stride**2, 3, 4, 5).transpose(1, 2).reshape(features.shape)
    shuffled = pixel_shuffle(features, stride)
    assert torch.equal(shuffled, F.pixel_shuffle(reordered, stride))
    assert torch.equal(pixel_unshuffle(shuffled, stride), features)
