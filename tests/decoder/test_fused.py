"""FusedBlock against the block that it stands for."""

import copy

import pytest
import torch

from nervid.decoder.fused import FusedBlock
from nervid.hardware import has_bfloat16
from nervid.models.blocks import UpsampleBlock

needs_bfloat16 = pytest.mark.skipif(
    not has_bfloat16(torch.device("cpu")), reason="this CPU has no native bfloat16"
)


def block(activation: str) -> UpsampleBlock:
    torch.manual_seed(3)
    made = UpsampleBlock(12, 6, kernel=3, stride=2, activation=activation)  # type: ignore[arg-type]
    return made.requires_grad_(False)


@needs_bfloat16
@torch.inference_mode()
def test_a_fused_block_is_as_near_to_float32_as_its_parts() -> None:
    plain = block("gelu")
    half = copy.deepcopy(plain).to(torch.bfloat16)
    assert FusedBlock.takes(half)
    fused = FusedBlock(half)
    for rows, columns in ((9, 16), (5, 7), (9, 16)):
        features = torch.randn(1, 12, rows, columns).to(memory_format=torch.channels_last)
        exact = plain(features)
        drawn = fused(features)
        assert drawn.dtype == torch.bfloat16
        assert drawn.shape == (1, 6, 2 * rows, 2 * columns)
        by_parts = (half(features.to(torch.bfloat16)).float() - exact).square().mean()
        assert 0 < (drawn.float() - exact).square().mean() <= 1.05 * by_parts


def test_other_blocks_are_not_taken() -> None:
    assert not FusedBlock.takes(block("gelu"))
    assert not FusedBlock.takes(block("silu").to(torch.bfloat16))
