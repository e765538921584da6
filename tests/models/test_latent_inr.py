"""LatentInr: counts by hand, what a latent changes, and the modulation's definition."""

import math

import pytest
import torch

from nervid.errors import InputError
from nervid.models.config import LatentInrConfig, embedding_count, parameter_count
from nervid.models.latent_inr import ModulatedLinear, encode_sites, smooth_latents
from nervid.models.registry import build


def test_numbers_are_counted_by_hand(odd_latent_inr: LatentInrConfig) -> None:
    # Per modulated layer: latent 6 -> 7 hidden, hidden -> rank 2 * (inputs + outputs), the layer itself.
    stem = sum(6 * 7 + 7 + 7 * 2 * (m + n) + 2 * (m + n) + m * n + n for m, n in ((19, 8), (8, 8), (8, 9)))
    grid = 3 * 2 * 2
    # Widths 9, 8, 7, 6; windows 1, 3, 5.
    blocks = (9 * 8 * 16 + 8 * 16) + (8 * 7 * 4 * 9 + 7 * 4) + (7 * 6 * 4 * 25 + 6 * 4)
    head = 6 * 3 * 9 + 3
    assert parameter_count(odd_latent_inr) == grid + stem + blocks + head
    assert embedding_count(odd_latent_inr) == 5 * 6


def pixel_wise(**changes: object) -> LatentInrConfig:
    fields: dict[str, object] = {
        "frames": 2,
        "height": 16,
        "width": 20,
        "base_height": 16,
        "base_width": 20,
        "strides": (1,),
        "grid_height": 3,
        "grid_width": 2,
        "grid_channels": 5,
        "stem_width": 8,
        "channels": 8,
        "kernel_max": 1,
        "lower_width": 4,
    }
    return LatentInrConfig(**(fields | changes))  # type: ignore[arg-type]


def test_a_pixel_wise_network_counts_a_head_without_window() -> None:
    # Two layers, hypernetworks 32 -> 32 -> 2 * (inputs + outputs); 16 sines and cosines, 5 of the grid.
    stem = sum(32 * 32 + 32 + 33 * 2 * (m + n) + m * n + n for m, n in ((21, 8), (8, 8)))
    assert parameter_count(pixel_wise()) == 5 * 3 * 2 + stem + (8 * 7 + 7) + (7 * 3 + 3)


def test_a_pixel_wise_network_draws_the_same_picture_at_any_size() -> None:
    network = build(pixel_wise()).eval()
    latents = network.embed(torch.tensor([0, 1]))
    with torch.no_grad():
        own, larger = network.draw_colors(latents), network.draw_colors_at(latents, 48, 60)
    assert larger is not None
    assert larger.shape == (2, 3, 48, 60)
    # The middle one of three pixels has the centre of the pixel that they share.
    torch.testing.assert_close(larger[:, :, 1::3, 1::3], own, rtol=0, atol=1e-5)
    assert not torch.allclose(larger[:, :, 0::3, 0::3], own, atol=1e-3)


def test_a_pixel_wise_network_draws_alike_with_and_without_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nervid.models.latent_inr.SITES_AT_ONCE", 7)
    network = build(pixel_wise()).eval()
    with torch.no_grad():
        in_parts = network(torch.tensor([1]))
    torch.testing.assert_close(network(torch.tensor([1])), in_parts, rtol=0, atol=1e-5)


def test_a_patch_wise_network_draws_its_own_size_alone(odd_latent_inr: LatentInrConfig) -> None:
    network = build(odd_latent_inr)
    assert network.draw_colors_at(network.embed(torch.tensor([0])), 94, 58) is None


def test_fresh_latents_are_smooth_in_time() -> None:
    torch.manual_seed(3)
    latents = smooth_latents(400, 64)
    torch.manual_seed(3)
    frequency, phase = 0.045 * torch.randn(64), torch.rand(64)
    turns = frequency[5].double() * 7 + phase[5].double()
    assert float(latents[7, 5]) == pytest.approx(math.sqrt(2) * math.cos(2 * math.pi * turns), abs=1e-4)
    # Correlated as exp(-(2 pi 0.045 lag)**2 / 2), in the mean over many frequencies.
    correlation = [float((latents[:-lag] * latents[lag:]).mean()) for lag in (1, 20)]
    assert correlation[0] == pytest.approx(0.96, abs=0.03)
    assert abs(correlation[1]) < 0.2


def test_time_enters_through_the_latent_alone(odd_latent_inr: LatentInrConfig) -> None:
    network = build(odd_latent_inr).eval()
    with torch.no_grad():
        latents = dict(network.named_parameters())["embeddings"]
        latents[3] = latents[1]
        frames = network(torch.tensor([1, 3, 2]))
    torch.testing.assert_close(frames[0], frames[1], rtol=0, atol=1e-6)
    assert not torch.allclose(frames[0], frames[2], atol=1e-6)


def test_the_modulation_is_the_sigmoid_of_a_product_of_low_rank() -> None:
    layer = ModulatedLinear(3, 2, latent_size=4, hyper_width=5, rank=2).double()
    latents, features = torch.randn(1, 4, dtype=torch.float64), torch.randn(1, 7, 3, dtype=torch.float64)
    factors = layer.factors(torch.tanh(layer.hidden(latents)))[0].reshape(5, 2).detach()
    expected = torch.empty(7, 2, dtype=torch.float64)
    for output in range(2):
        gains = [2 / (1 + math.exp(-float(factors[output] @ factors[2 + entry]))) for entry in range(3)]
        weights = layer.linear.weight[output] * torch.tensor(gains, dtype=torch.float64)
        expected[:, output] = features[0] @ weights + layer.linear.bias[output]
    torch.testing.assert_close(layer(features, latents)[0], expected)


def test_every_parameter_gets_a_gradient(odd_latent_inr: LatentInrConfig) -> None:
    network = build(odd_latent_inr)
    network(torch.arange(5)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool((parameter.grad != 0).any()), name


def test_sites_are_encoded_at_their_centres() -> None:
    encoding = encode_sites(2, 1, levels=2)
    assert encoding.shape == (1, 2, 8)
    # Rows at 1/4 and 3/4, the one column at 1/2; per axis two sines, then two cosines.
    expected = [math.sin(math.pi / 4), math.sin(math.pi / 2), math.cos(math.pi / 4), math.cos(math.pi / 2)]
    torch.testing.assert_close(encoding[0, 0, :4], torch.tensor(expected), rtol=0, atol=1e-6)
    torch.testing.assert_close(encoding[0, :, 4:], torch.tensor([[1.0, 0, 0, -1]] * 2), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "wrong", [{"rank": 0}, {"kernel_min": 2}, {"kernel_min": 7}, {"latent_size": 5000}, {"grid_width": 3}]
)
def test_impossible_configs_are_refused(odd_latent_inr: LatentInrConfig, wrong: dict[str, int]) -> None:
    from dataclasses import replace

    with pytest.raises(InputError):
        replace(odd_latent_inr, **wrong)  # type: ignore[arg-type]
