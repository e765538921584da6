"""What all representations promise: size, range, order, seeds, precision and a plain state dict."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings

from nervid.models.config import HnervConfig, ModelConfig
from nervid.models.registry import build, build_encoder
from nervid.models.representation import Representation

from .strategies import model_configs


@pytest.fixture(params=["odd_nerv", "odd_hnerv", "odd_latent_inr"])
def network(request: pytest.FixtureRequest) -> Representation[ModelConfig]:
    """A small network of each family, with embeddings that differ by frame."""
    built = build(request.getfixturevalue(request.param), seed=1)
    for name, parameter in built.named_parameters():
        if name == "embeddings":
            torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(2))
    return built.eval()


@given(model_configs())
@settings(max_examples=40, deadline=None)
def test_frames_have_the_clips_size_and_lie_between_0_and_1(make_config: Callable[[], ModelConfig]) -> None:
    config = make_config()
    with torch.no_grad():
        frames = build(config)(torch.tensor([0, config.frames - 1]))
    assert frames.shape == (2, 3, config.height, config.width)
    assert frames.dtype == torch.float32
    assert frames.min() >= 0
    assert frames.max() <= 1


@torch.no_grad()
def test_a_frame_does_not_depend_on_its_place_in_the_batch(network: Representation[ModelConfig]) -> None:
    together = network(torch.tensor([4, 0, 2]))
    for place, index in enumerate((4, 0, 2)):
        alone = network(torch.tensor([index]))
        torch.testing.assert_close(alone[0], together[place], rtol=0, atol=1e-6)
    assert not torch.equal(together[0], together[1])


@torch.no_grad()
def test_channels_last_and_autocast_draw_nearly_the_same(network: Representation[ModelConfig]) -> None:
    indices = torch.tensor([0, 3])
    plain = network(indices)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    torch.testing.assert_close(network(indices), plain, rtol=0, atol=1e-6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = network(indices)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, plain, rtol=0, atol=0.02)


def test_the_state_dict_holds_parameters_only(network: Representation[ModelConfig]) -> None:
    assert set(network.state_dict()) == {name for name, _ in network.named_parameters()}
    assert {name for name, _ in network.named_weights()} == set(network.state_dict()) - {"embeddings"}


def test_a_seed_fixes_the_weights_and_leaves_the_global_generator_alone(odd_hnerv: HnervConfig) -> None:
    before = torch.get_rng_state()
    first, again, other = (build(odd_hnerv, seed=seed).state_dict() for seed in (4, 4, 5))
    encoders = [build_encoder(odd_hnerv, width=4, seed=seed).state_dict() for seed in (4, 4, 5)]
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["stem.weight"], other["stem.weight"])
    weight = "stages.0.shrink.weight"
    assert torch.equal(encoders[0][weight], encoders[1][weight])
    assert not torch.equal(encoders[0][weight], encoders[2][weight])
