"""HNeRV's decoder and encoder: shapes, order, and the twin that follows the definition."""

import math
from dataclasses import replace

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own idiom

from nervid.models.config import HnervConfig
from nervid.models.convnext import ChannelNorm, ConvNextBlock
from nervid.models.hnerv import Hnerv
from nervid.models.papers import hnerv_paper
from nervid.models.registry import build, build_encoder
from nervid.models.shuffle import pixel_shuffle


def test_the_encoder_has_306160_parameters_at_the_papers_strides() -> None:
    encoder = build_encoder(hnerv_paper(1.5))
    assert sum(parameter.numel() for parameter in encoder.parameters()) == 306_160


def test_the_encoder_gives_embeddings_of_odd_portrait_frames(odd_hnerv: HnervConfig) -> None:
    encoder = build_encoder(odd_hnerv, width=8)
    frames = torch.rand(2, 3, 47, 29, generator=torch.Generator().manual_seed(0))
    embeddings = encoder(frames)
    assert embeddings.shape == (2, 4, 3, 2)
    padded = F.pad(frames, (0, 3, 0, 1), mode="replicate")
    full = build_encoder(replace(odd_hnerv, height=48, width=32), width=8)
    assert torch.equal(full(padded), embeddings)


def test_the_channel_norm_normalizes_each_position() -> None:
    features = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    normalized = ChannelNorm(5).double()(features)
    mean, variance = features.mean(1, keepdim=True), features.var(1, correction=0, keepdim=True)
    torch.testing.assert_close(normalized, (features - mean) / (variance + 1e-6).sqrt())


def test_a_convnext_block_starts_as_nearly_the_identity() -> None:
    features = torch.randn(1, 4, 9, 9, generator=torch.Generator().manual_seed(2))
    block = ConvNextBlock(4)
    assert 0 < (block(features) - features).abs().max() < 1e-4
    assert torch.equal(block.scale, torch.full((4,), 1e-6))


def test_the_decoder_is_stem_blocks_head_and_tanh(odd_hnerv: HnervConfig) -> None:
    network = build(odd_hnerv)
    assert isinstance(network, Hnerv)
    embedding = torch.randn(2, 4, 3, 2, generator=torch.Generator().manual_seed(5))
    state = network.state_dict()
    features = F.gelu(F.conv2d(embedding, state["stem.weight"], state["stem.bias"]))
    for stage, stride in enumerate(odd_hnerv.strides):
        weight, bias = state[f"blocks.{stage}.conv.weight"], state[f"blocks.{stage}.conv.bias"]
        assert weight.shape[-1] == (1, 3, 5)[stage]
        features = F.gelu(
            pixel_shuffle(F.conv2d(features, weight, bias, padding=weight.shape[-1] // 2), stride)
        )
    drawn = 0.5 * torch.tanh(F.conv2d(features, state["head.weight"], state["head.bias"], padding=1)) + 0.5
    torch.testing.assert_close(network.draw(embedding), drawn[..., :47, :29], rtol=0, atol=1e-6)


def test_embeddings_start_at_zero_and_are_looked_up_by_frame(odd_hnerv: HnervConfig) -> None:
    network = build(odd_hnerv)
    assert isinstance(network, Hnerv)
    assert network.embeddings.shape == (5, 4, 3, 2)
    assert not network.embeddings.any()
    with torch.no_grad():
        network.embeddings.copy_(torch.arange(120.0).reshape(5, 4, 3, 2))
    assert network.embed(torch.tensor([4, 0]))[:, 0, 0, 0].tolist() == [96.0, 0.0]


def test_encoder_and_decoder_fit_two_frames() -> None:
    config = HnervConfig(
        frames=2,
        height=16,
        width=16,
        base_height=1,
        base_width=1,
        strides=(4, 2, 2),
        channels=16,
    )
    encoder, network = build_encoder(config, width=8), build(config)
    ramp = torch.linspace(0.2, 0.8, 16)
    frames = torch.stack((ramp.expand(3, 16, 16), ramp[:, None].expand(3, 16, 16)))
    optimizer = torch.optim.Adam([*encoder.parameters(), *network.parameters()], lr=5e-3)
    for _ in range(200):
        optimizer.zero_grad()
        F.mse_loss(network.draw(encoder(frames)), frames).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert -10 * math.log10(F.mse_loss(network.draw(encoder(frames)), frames).item()) > 30
