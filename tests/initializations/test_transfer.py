"""What a learned network knows survives the way to another size."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own idiom
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nervid.errors import InputError
from nervid.initializations import Initialization, base_for, encoder_for, weights_for
from nervid.initializations.resize import resize_base_map
from nervid.models.config import HnervConfig, ModelConfig, NervConfig
from nervid.models.registry import build, build_encoder
from nervid.models.representation import EMBEDDINGS, Representation
from nervid.models.sizing import solve

from .samples import HNERV, NERV, initialization


def drawn(config: ModelConfig, weights: Mapping[str, Tensor], embeddings: Tensor | None = None) -> Tensor:
    """All frames of a network with these weights, [frames, 3, height, width] in [0, 1]."""
    network: Representation[Any] = build(config)
    with torch.no_grad():
        parameters = dict(network.named_parameters())
        for name, tensor in weights.items():
            parameters[name].copy_(tensor)
        if embeddings is not None:
            parameters[EMBEDDINGS].copy_(embeddings)
        return network.draw(network.embed(torch.arange(config.frames)))


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return list(one) == list(other) and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("config", [HNERV, NERV, replace(NERV, stem_width=0, multi_resolution=True)])
def test_equal_networks_get_the_very_weights(config: ModelConfig) -> None:
    learned = initialization(config)
    assert same(weights_for(learned, config, seed=1), learned.weights)
    assert same(base_for(learned, config), learned.weights)
    assert same(encoder_for(learned, config, seed=1), learned.encoder)


wider = st.integers(0, 3)


@given(more=st.tuples(wider, wider, wider), frames=st.integers(1, 5), seed=st.integers(0, 99))
@settings(max_examples=25)
def test_a_wider_hnerv_draws_the_same_pictures_and_narrowed_again_is_the_same(
    more: tuple[int, int, int], frames: int, seed: int
) -> None:
    learned = initialization()
    config = replace(
        HNERV,
        frames=frames,
        channels=HNERV.channels + more[0],
        lower_width=HNERV.lower_width + more[1],
        embedding_channels=HNERV.embedding_channels + more[2],
    )
    weights = weights_for(learned, config, seed=seed)
    given_numbers = torch.randn(frames, *config.embedding_shape)
    before = drawn(
        replace(HNERV, frames=frames), learned.weights, given_numbers[:, : HNERV.embedding_channels]
    )
    assert torch.allclose(drawn(config, weights, given_numbers), before, atol=1e-5)
    again = Initialization(config=config, weights=weights, encoder=encoder_for(learned, config, seed=seed))
    assert same(weights_for(again, HNERV, seed=seed + 1), learned.weights)
    assert same(encoder_for(again, HNERV, seed=seed + 1), learned.encoder)


@given(more=st.tuples(wider, wider, wider), seed=st.integers(0, 99), many=st.booleans())
@settings(max_examples=25)
def test_a_wider_nerv_draws_the_same_pictures_and_narrowed_again_is_the_same(
    more: tuple[int, int, int], seed: int, many: bool
) -> None:
    learned = initialization(NERV)
    config = replace(
        NERV,
        stem_width=NERV.stem_width + more[0],
        stem_channels=NERV.stem_channels + more[1],
        lower_width=NERV.lower_width + more[2],
        multi_resolution=many,
    )
    weights = weights_for(learned, config, seed=seed)
    assert torch.allclose(drawn(config, weights), drawn(NERV, learned.weights), atol=1e-5)
    again = Initialization(config=config, weights=weights)
    assert same(weights_for(again, NERV, seed=seed + 1), learned.weights)


def test_new_outputs_are_fresh_for_a_fit_and_zero_in_a_base() -> None:
    learned, config = initialization(), replace(HNERV, channels=10)
    started, base = weights_for(learned, config, seed=5), base_for(learned, config)
    fresh = dict(build(config, seed=5).named_weights())
    assert torch.equal(started["stem.weight"][8:], fresh["stem.weight"][8:])
    assert not base["stem.weight"][8:].any()
    assert torch.equal(base["stem.weight"][:8], learned.weights["stem.weight"])
    assert not started["blocks.0.conv.weight"].reshape(16, -1, 10)[:, :7, 8:].any()


def test_subpixels_keep_their_channels() -> None:
    """Channel c of subpixel s is output s * channels + c of a block's convolution."""
    learned = initialization()
    config = replace(HNERV, channels=6, lower_width=3)
    carried = weights_for(learned, config, seed=1)
    for block, stride in enumerate(HNERV.strides):
        before, after = HNERV.widths[block : block + 2], config.widths[block : block + 2]
        name = f"blocks.{block}.conv.weight"
        old, new = learned.weights[name], carried[name]
        for subpixel in range(stride**2):
            for channel in range(after[1]):
                expected = old[subpixel * before[1] + channel, : after[0]]
                assert torch.equal(new[subpixel * after[1] + channel], expected)


def test_a_map_resized_to_its_own_size_is_unchanged_and_else_as_torch_resizes_it() -> None:
    weight = torch.randn(5 * 4 * 6, 7)
    assert resize_base_map(weight, (4, 6), (4, 6)) is weight
    maps = weight.double().reshape(5, 4, 6, 7).permute(3, 0, 1, 2)
    for size in ((9, 16), (2, 3), (4, 11), (1, 1)):
        wanted = F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
        resized = resize_base_map(weight, (4, 6), size).reshape(5, *size, 7)
        torch.testing.assert_close(resized, wanted.permute(1, 2, 3, 0).float(), atol=1e-6, rtol=1e-6)


def test_a_nerv_at_another_resolution_has_the_learned_picture_enlarged_in_its_base_map() -> None:
    learned = initialization(NERV)
    config = replace(NERV, frames=3, height=64, width=90, base_height=8, base_width=12, stem_channels=5)
    carried = weights_for(learned, config, seed=1)
    bias = carried["stem.1.bias"].reshape(5, 8, 12)[:4]
    old = learned.weights["stem.1.bias"].reshape(1, 4, 4, 6)
    wanted = F.interpolate(old, size=(8, 12), mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(bias, wanted, atol=1e-6, rtol=1e-6)
    name = "blocks.1.conv.weight"
    assert torch.equal(carried[name][:, :4], learned.weights[name])


def test_heads_for_small_images_are_dropped_or_fresh() -> None:
    many = replace(NERV, multi_resolution=True)
    learned = initialization(many)
    one = weights_for(learned, NERV, seed=1)
    assert [name for name in one if name.startswith("heads")] == ["heads.0.weight", "heads.0.bias"]
    assert torch.equal(one["heads.0.weight"], learned.weights["heads.1.weight"])
    more = weights_for(initialization(NERV), many, seed=1)
    assert torch.equal(more["heads.0.weight"], dict(build(many, seed=1).named_weights())["heads.0.weight"])


def test_the_encoder_of_another_resolution_is_the_learned_one() -> None:
    learned = initialization()
    config = replace(HNERV, frames=20, height=64, width=96, base_height=4, base_width=6, channels=12)
    assert same(encoder_for(learned, config, seed=1), learned.encoder)
    wide = replace(config, embedding_channels=5)
    carried, fresh = encoder_for(learned, wide, seed=1), dict(build_encoder(wide, seed=1).named_parameters())
    assert {name: tensor.shape for name, tensor in carried.items()} == {
        name: tensor.shape for name, tensor in fresh.items()
    }
    assert torch.equal(carried["stages.2.shrink.weight"][:3], learned.encoder["stages.2.shrink.weight"])
    assert torch.equal(carried["stages.2.block.scale"][3:], fresh["stages.2.block.scale"][3:])
    assert encoder_for(initialization(NERV), NERV, seed=1) == {}


LATENT = solve("latent-inr", frames=2, height=32, width=48, parameters=12_000)


@pytest.mark.parametrize(
    ("learned", "config", "line"),
    [
        (HNERV, NERV, "the initialization has model hnerv, wanted nerv"),
        (NERV, HNERV, "the initialization has model nerv, wanted hnerv"),
        (HNERV, LATENT, "a latent-inr cannot start from learned weights"),
        (
            HNERV,
            replace(HNERV, strides=(2, 4, 2)),
            "has strides 4,2,2, wanted 2,4,2; take one that was learned so, or init random",
        ),
        (HNERV, replace(HNERV, activation="relu"), "activation gelu, wanted relu"),
        (HNERV, replace(HNERV, kernel_min=3), "kernel_min 1, wanted 3"),
        (HNERV, replace(HNERV, kernel_max=3), "kernel_max 5, wanted 3"),
        (NERV, replace(NERV, levels=7), "levels 6, wanted 7"),
        (NERV, replace(NERV, base=1.5), "base 1.25, wanted 1.5"),
        (NERV, replace(NERV, head_kernel=3), "head_kernel 1, wanted 3"),
        (NERV, replace(NERV, output="sigmoid"), "output tanh, wanted sigmoid"),
        (NERV, replace(NERV, stem_width=0), "layers of the stem 2, wanted 1"),
    ],
)
def test_what_cannot_be_carried_over_is_named(
    learned: HnervConfig | NervConfig, config: ModelConfig, line: str
) -> None:
    start = initialization(learned)
    with pytest.raises(InputError) as caught:
        weights_for(start, config, seed=1)
    assert line in str(caught.value)
    with pytest.raises(InputError) as caught:
        base_for(start, config)
    assert line in str(caught.value)
