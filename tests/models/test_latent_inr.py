"""LatentInr: counts by hand, what a latent changes, and the modulation's definition."""

import math

import pytest
import torch

from nervid.errors import InputError
from nervid.models.config import LatentInrConfig, embedding_count, parameter_count
from nervid.models.latent_inr import ModulatedLinear, encode_sites
from nervid.models.registry import build


def test_numbers_are_counted_by_hand(odd_latent_inr: LatentInrConfig) -> None:
    # Per modulated layer: latent 6 -> 7 hidden, hidden -> rank 2 * (inputs + outputs), the layer itself.
    stem = sum(6 * 7 + 7 + 7 * 2 * (m + n) + 2 * (m + n) + m * n + n for m, n in ((16, 8), (8, 8), (8, 9)))
    # Widths 9, 8, 7, 6; windows 1, 3, 5.
    blocks = (9 * 8 * 16 + 8 * 16) + (8 * 7 * 4 * 9 + 7 * 4) + (7 * 6 * 4 * 25 + 6 * 4)
    head = 6 * 3 * 9 + 3
    assert parameter_count(odd_latent_inr) == stem + blocks + head
    assert embedding_count(odd_latent_inr) == 5 * 6


def test_a_pixel_wise_network_draws_every_pixel_on_its_own() -> None:
    config = LatentInrConfig(
        frames=2,
        height=16,
        width=20,
        base_height=16,
        base_width=20,
        strides=(1,),
        stem_width=8,
        channels=8,
        kernel_max=1,
        lower_width=4,
    )
    assert build(config)(torch.tensor([0, 1])).shape == (2, 3, 16, 20)


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


@pytest.mark.parametrize("wrong", [{"rank": 0}, {"kernel_min": 2}, {"kernel_min": 7}, {"latent_size": 5000}])
def test_impossible_configs_are_refused(odd_latent_inr: LatentInrConfig, wrong: dict[str, int]) -> None:
    from dataclasses import replace

    with pytest.raises(InputError):
        replace(odd_latent_inr, **wrong)  # type: ignore[arg-type]
