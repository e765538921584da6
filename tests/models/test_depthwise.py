"""DepthwiseConv: torch's own convolution, with a gradient of its own."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own idiom

from nervid.models.depthwise import DepthwiseConv


@pytest.mark.parametrize("channels", [16, 48, 6])
def test_gradients_are_those_of_torchs_convolution(channels: int) -> None:
    layer = DepthwiseConv(channels, kernel=7).double()
    features = torch.randn(2, channels, 9, 11, dtype=torch.float64, requires_grad=True)
    assert layer.bias is not None
    inputs = [features, layer.weight, layer.bias]
    expected = F.conv2d(features, layer.weight, layer.bias, padding=3, groups=channels)
    direction = torch.randn_like(expected)
    mine = layer(features)
    torch.testing.assert_close(mine, expected, rtol=0, atol=1e-12)
    for got, wanted in zip(
        torch.autograd.grad(mine, inputs, direction),
        torch.autograd.grad(expected, inputs, direction),
        strict=True,
    ):
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-11)


def test_it_follows_autocast() -> None:
    layer = DepthwiseConv(16, kernel=3)
    features = torch.randn(1, 16, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        drawn = layer(features)
        drawn.float().square().sum().backward()
    assert drawn.dtype == torch.bfloat16
    assert layer.weight.grad is not None
    assert layer.weight.grad.dtype == torch.float32
    torch.testing.assert_close(drawn.float(), layer(features), rtol=0.02, atol=0.02)
