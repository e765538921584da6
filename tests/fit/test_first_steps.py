"""The first steps from learned weights: their frames, their direction, their rates, and who they move."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nervid.fit.distributed import ALONE
from nervid.fit.first_steps import first_frames, take_first_steps
from nervid.fit.optimizer import unit_step
from nervid.fit.recipe import RECIPES, Effort
from nervid.fit.segment import Hooks, SegmentPlan, fit_float
from nervid.fit.start import Start
from nervid.models.config import NervConfig
from nervid.models.registry import build
from nervid.models.representation import Representation

CONFIG = NervConfig(
    frames=8,
    height=32,
    width=48,
    base_height=2,
    base_width=3,
    strides=(4, 4),
    levels=6,
    stem_width=8,
    stem_channels=4,
    lower_width=6,
)


@pytest.mark.parametrize(
    ("count", "wanted"), [(1, [0]), (3, [0, 1, 2]), (8, list(range(8))), (20, [0, 2, 5, 7, 10, 12, 15, 17])]
)
def test_they_see_eight_frames_evenly_spaced(count: int, wanted: list[int]) -> None:
    assert first_frames(count).tolist() == wanted


def parts(seed: int = 2) -> tuple[Representation[Any], dict[str, nn.Parameter], Callable[..., list[Tensor]]]:
    network = build(CONFIG, seed=seed)
    parameters = {f"network.{name}": weight for name, weight in network.named_weights()}
    return network, parameters, lambda indices, _: network.draw_resolutions(network.embed(indices))


def gradients(network: Representation[Any], frames: Tensor) -> dict[str, Tensor]:
    drawn = network(torch.arange(len(frames)))
    loss = (drawn - frames / 255).square().mean()
    named = dict(network.named_weights())
    found = torch.autograd.grad(loss, list(named.values()))
    return {f"network.{name}": gradient for name, gradient in zip(named, found, strict=True)}


@pytest.mark.parametrize("inner", ["gradient", "muon"])
def test_two_steps_are_those_of_their_definition(tiny_frames: np.ndarray, inner: Any) -> None:  # noqa: ANN401
    frames = torch.from_numpy(tiny_frames)
    _, parameters, draw = parts()
    by_hand, _, _ = parts()
    start = Start(
        identity="learned",
        rates={name: (0.5, 0.01 * (1 + number)) for number, name in enumerate(parameters)},
        inner=inner,
    )
    take_first_steps(parameters, draw, frames, start, dtype=None, ranks=ALONE, steps=2)
    for step in range(2):
        found = gradients(by_hand, frames)
        with torch.no_grad():
            for name, weight in by_hand.named_weights():
                gradient = found[f"network.{name}"]
                way = gradient if inner == "gradient" else unit_step(gradient)
                weight.sub_(way, alpha=start.rates[f"network.{name}"][step])
    for name, weight in by_hand.named_weights():
        torch.testing.assert_close(parameters[f"network.{name}"], weight, rtol=1e-3, atol=1e-4)
    assert all(parameter.grad is None for parameter in parameters.values())


def test_what_has_no_rates_stays(tiny_frames: np.ndarray) -> None:
    _, parameters, draw = parts()
    before = {name: weight.detach().clone() for name, weight in parameters.items()}
    moved = "network.blocks.0.conv.weight"
    start = Start(identity="learned", rates={moved: (0.1,)})
    take_first_steps(parameters, draw, torch.from_numpy(tiny_frames), start, dtype=None, ranks=ALONE, steps=1)
    assert [name for name in parameters if not torch.equal(parameters[name], before[name])] == [moved]


def test_a_fit_counts_them_among_its_steps(tiny_frames: np.ndarray) -> None:
    frames = torch.from_numpy(tiny_frames)
    network, parameters, draw = parts()
    weights = {name: weight.detach().clone() for name, weight in network.named_weights()}
    start = Start(identity="learned", weights=weights, rates=dict.fromkeys(parameters, (0.05, 0.02)))
    assert start.first_steps == 2
    plan = SegmentPlan(
        model=CONFIG,
        recipe=RECIPES["quick"],
        effort=Effort(epochs=1, minimum_steps=1),
        bits=6,
        sparsity=0.0,
        target_bytes=None,
        seed=1,
        precision="float32",
        device="cpu",
        start=start,
    )
    seen: list[tuple[int, int]] = []
    fit_float(frames, plan, Hooks(on_step=lambda fit: seen.append((fit.step, fit.steps))), steps=5)
    assert seen == [(1, 3), (2, 3), (3, 3)]
    alone = fit_float(frames, plan, Hooks(), steps=2)
    take_first_steps(parameters, draw, frames, start, dtype=None, ranks=ALONE, steps=2)
    for name, weight in alone.named_weights():
        torch.testing.assert_close(weight, parameters[f"network.{name}"], rtol=1e-5, atol=1e-6)


def test_without_rates_a_fit_begins_with_its_recipe(tiny_frames: np.ndarray) -> None:
    assert Start(identity="elsewhere").first_steps == 0
    rates = {"network.a": (1.0, 2.0), "network.b": (1.0,)}
    assert replace(Start(identity="elsewhere"), rates=rates).first_steps == 1
