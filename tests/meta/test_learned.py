"""The networks that are learned have the published numbers of parameters, and every size is drawn whole."""

from math import prod

import pytest

from nervid.errors import InputError
from nervid.meta.config import MOST_SIZE, MetaConfig, MetaModel
from nervid.meta.learned import learned_config
from nervid.models.registry import build_empty


def numbers(config: MetaConfig) -> int:
    return sum(parameter.numel() for parameter in build_empty(learned_config(config)).parameters())


@pytest.mark.parametrize(("size", "expected"), [(128, 1_302_115), (256, 1_339_107)])
def test_nerv_is_that_of_gradncp(size: int, expected: int) -> None:
    assert numbers(MetaConfig(model="nerv", size=size)) == expected


def test_hnerv_has_about_the_asked_numbers_embeddings_included() -> None:
    for asked in (350_000, 1_500_000):
        assert numbers(MetaConfig(parameters=asked)) == pytest.approx(asked, rel=0.05)


@pytest.mark.parametrize("model", ["nerv", "hnerv"])
def test_every_size_is_drawn_without_padding(model: MetaModel) -> None:
    for size in range(64, MOST_SIZE + 1, 64):
        network = learned_config(MetaConfig(model=model, size=size))
        assert network.base_height * prod(network.strides) == size == network.width
        assert network.frames == 8


def test_parameters_that_embeddings_take_up_are_refused() -> None:
    with pytest.raises(InputError, match=r"parameters must leave room .* beside 32768 embedding numbers"):
        learned_config(MetaConfig(size=512, frames=32, parameters=30_000))
