"""What playing a nervid network does differently from fitting it, and that it draws the same."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from nervid.models.config.base import Activation
from nervid.models.mixing import touched_knots
from nervid.models.nervid import Nervid
from nervid.models.registry import build_empty
from tests.models.nervid_samples import CONFIG, network


def drawing(activation: Activation = "gelu") -> Nervid:
    """A network whose feature grids are random too."""
    built = network(replace(CONFIG, activation=activation))
    for grid in built.grids.values():
        nn.init.normal_(grid, generator=torch.Generator().manual_seed(2))
    return built


def test_an_empty_network_draws_no_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    # On the "meta" device that loads torch's compiler: a second before the first frame.
    drawn = drawing()
    monkeypatch.setattr(nn.init, "kaiming_normal_", lambda *_, **__: pytest.fail("weights were drawn"))
    monkeypatch.setattr(nn.init, "normal_", lambda *_, **__: pytest.fail("weights were drawn"))
    empty = build_empty(CONFIG)
    assert {parameter.device.type for parameter in empty.parameters()} == {"meta"}
    assert empty.state_dict().keys() == drawn.state_dict().keys()


@pytest.mark.parametrize("activation", ["gelu", "silu", "relu"])
def test_sums_over_maps_that_exist_draw_the_same_frames(activation: Activation) -> None:
    built = drawing(activation)
    embedding = built.embed(torch.tensor([4]))
    learning = built.draw(embedding)
    assert learning.requires_grad
    assert learning.std() > 0.05
    with torch.inference_mode():
        before = embedding.clone()
        assert built.draw(embedding).equal(learning)
        assert embedding.equal(before)


@pytest.mark.parametrize("indices", [[0], [4], [9], [1, 8], [2, 5, 7]])
def test_frames_are_mixed_from_the_knots_that_they_touch(indices: list[int]) -> None:
    built = drawing()
    parts = []
    for number, grid in enumerate(built.config.feature_grids):
        knots, shares = touched_knots(grid, indices)
        parts.append(shares @ built.grids[str(number)][torch.tensor(knots)])
    torch.testing.assert_close(built.embed(torch.tensor(indices)), torch.cat(parts, dim=1))
