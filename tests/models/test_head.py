"""SubpixelHead against shuffling first and convolving then."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own idiom

from nervid.models.head import SubpixelHead
from nervid.models.shuffle import pixel_shuffle


@pytest.mark.parametrize("stride", [1, 2, 3, 5])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_colors_and_gradients_are_those_of_the_shuffled_map(stride: int, kernel: int) -> None:
    head = SubpixelHead(4, kernel=kernel, stride=stride).double()
    features = torch.randn(2, 4 * stride**2, 5, 6, dtype=torch.float64, requires_grad=True)
    expected = F.conv2d(pixel_shuffle(features, stride), head.weight, head.bias, padding=kernel // 2)
    drawn = head(features)
    torch.testing.assert_close(drawn, expected, rtol=0, atol=1e-12)
    direction = torch.randn_like(expected)
    assert head.bias is not None
    inputs = [features, head.weight, head.bias]
    for mine, theirs in zip(
        torch.autograd.grad(drawn, inputs, direction),
        torch.autograd.grad(expected, inputs, direction),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-11)


def test_a_folded_kernel_reaches_no_farther_than_its_taps() -> None:
    weight, bias = SubpixelHead(1, kernel=3, stride=2).folded()
    assert weight.shape == (12, 4, 3, 3)
    assert bias.shape == (12,)
    # Each of 12 outputs has 9 taps of the original window, whatever the kernel's size now.
    assert torch.equal((weight != 0).sum(dim=(1, 2, 3)), torch.full((12,), 9))
