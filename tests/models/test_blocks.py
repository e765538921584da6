"""UpsampleBlock against loops that follow the definition."""

import math

import pytest
import torch
from torch import Tensor

from nervid.models.blocks import ACTIVATIONS, UpsampleBlock, at_least_float32


def naive_block(features: Tensor, weight: Tensor, bias: Tensor, stride: int) -> Tensor:
    """Convolve by visiting every tap, then place every channel by our definition of pixel shuffle."""
    batch, inputs, rows, columns = features.shape
    outputs, _, kernel, _ = weight.shape
    middle = kernel // 2
    convolved = bias[None, :, None, None].expand(batch, outputs, rows, columns).clone()
    for y in range(rows):
        for x in range(columns):
            for dy in range(kernel):
                for dx in range(kernel):
                    row, column = y + dy - middle, x + dx - middle
                    if 0 <= row < rows and 0 <= column < columns:
                        for channel in range(inputs):
                            tap = features[:, channel, row, column, None] * weight[None, :, channel, dy, dx]
                            convolved[:, :, y, x] += tap
    image = torch.empty(batch, outputs // stride**2, rows * stride, columns * stride, dtype=features.dtype)
    for channel in range(outputs // stride**2):
        for dy in range(stride):
            for dx in range(stride):
                source = (dy * stride + dx) * (outputs // stride**2) + channel
                image[:, channel, dy::stride, dx::stride] = convolved[:, source]
    return image


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (1, 3), (3, 2), (3, 5), (5, 2)])
def test_a_block_equals_its_naive_twin(kernel: int, stride: int) -> None:
    generator = torch.Generator().manual_seed(3)
    block = UpsampleBlock(3, 2, kernel=kernel, stride=stride, activation="relu").double()
    features = torch.randn(2, 3, 4, 3, generator=generator, dtype=torch.float64)
    expected = naive_block(features, block.conv.weight, block.conv.bias, stride).clamp(min=0)  # type: ignore[arg-type]
    torch.testing.assert_close(block(features), expected, rtol=0, atol=1e-12)


def test_activations_follow_their_formulas() -> None:
    for x in (-2.5, -0.1, 0.0, 0.7, 3.0):
        value = torch.tensor(x, dtype=torch.float64)
        gelu = x * 0.5 * (1 + math.erf(x / math.sqrt(2)))
        assert ACTIVATIONS["gelu"](value).item() == pytest.approx(gelu, abs=1e-15)
        assert ACTIVATIONS["silu"](value).item() == pytest.approx(x / (1 + math.exp(-x)), abs=1e-15)
        assert ACTIVATIONS["relu"](value).item() == max(x, 0.0)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_only_half_precision_is_widened(given: torch.dtype, wanted: torch.dtype) -> None:
    assert at_least_float32(torch.zeros(2, dtype=given)).dtype == wanted
