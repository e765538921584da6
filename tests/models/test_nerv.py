"""NeRV: its encoding by hand, its heads, and what it is allowed to vary with."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own idiom

from nervid.models.config import NervConfig
from nervid.models.nerv import Nerv, positional_encoding
from nervid.models.registry import build


def test_the_encoding_interleaves_sines_and_cosines() -> None:
    times = torch.tensor([0.0, 0.25], dtype=torch.float64)
    encoding = positional_encoding(times, base=2.0, levels=3)
    assert encoding[0].tolist() == [0, 1, 0, 1, 0, 1]
    half = math.sqrt(0.5)
    assert encoding[1].tolist() == pytest.approx([half, half, 1, 0, 0, -1], abs=1e-15)


def test_the_embedding_matches_the_formula_to_the_last_float32_digit(odd_nerv: NervConfig) -> None:
    config = replace(odd_nerv, levels=40, frames=132)
    embedding = build(config).embed(torch.tensor([0, 1, 77, 131]))
    assert embedding.dtype == torch.float32
    assert embedding.shape == (4, *config.embedding_shape)
    for row, index in enumerate((0, 1, 77, 131)):
        for level in range(40):
            angle = 1.25**level * math.pi * index / 132
            assert embedding[row, 2 * level].item() == pytest.approx(math.sin(angle), abs=1e-7)
            assert embedding[row, 2 * level + 1].item() == pytest.approx(math.cos(angle), abs=1e-7)


def test_heads_draw_what_average_pooling_the_frame_would_measure(odd_nerv: NervConfig) -> None:
    network = build(odd_nerv)
    embedding = network.embed(torch.tensor([0, 6]))
    images = network.draw_resolutions(embedding)
    frame = network.draw(embedding)
    assert frame.shape == (2, 3, 41, 27)
    for image, shrink in zip(images, (4, 2, 1), strict=True):
        assert image.shape == F.avg_pool2d(frame, shrink, ceil_mode=True).shape
        assert image.min() >= 0
        assert image.max() <= 1
    assert torch.equal(images[-1], frame)


def test_without_heads_there_is_one_resolution(odd_nerv: NervConfig) -> None:
    network = build(replace(odd_nerv, multi_resolution=False))
    embedding = network.embed(torch.tensor([3]))
    (image,) = network.draw_resolutions(embedding)
    assert torch.equal(image, network.draw(embedding))


def test_the_output_function_is_the_named_one(odd_nerv: NervConfig) -> None:
    indices = torch.tensor([1])
    by_tanh = build(odd_nerv)(indices)
    by_sigmoid = build(replace(odd_nerv, output="sigmoid"))(indices)
    # (tanh(x) + 1) / 2 is sigmoid(2 * x).
    torch.testing.assert_close(torch.logit(by_tanh), 2 * torch.logit(by_sigmoid), rtol=0, atol=1e-5)


def test_a_nerv_fits_two_frames(odd_nerv: NervConfig) -> None:
    config = replace(odd_nerv, frames=2, height=16, width=16, base_height=1, base_width=1, lower_width=8)
    network = build(config)
    assert isinstance(network, Nerv)
    ramp = torch.linspace(0.2, 0.8, 16)
    frames = torch.stack((ramp.expand(3, 16, 16), ramp[:, None].expand(3, 16, 16)))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(80):
        optimizer.zero_grad()
        F.mse_loss(network(torch.tensor([0, 1])), frames).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert -10 * math.log10(F.mse_loss(network(torch.tensor([0, 1])), frames).item()) > 30
