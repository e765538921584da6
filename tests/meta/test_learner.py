"""A learner fits a window as arithmetic by hand does, and its gradients are those of what it fits."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from nervid.fit.optimizer import unit_step
from nervid.initializations.initialization import shapes_of
from nervid.meta.config import MetaModel, RateKind
from nervid.meta.learner import FIRST_RATES, Learner
from nervid.models.registry import build

from .toys import HNERV, NERV, Waves, config

pytestmark = pytest.mark.usefixtures("small_networks")
WINDOW = Waves().window(1)


def learner(rate: float = 0.1, **changes: Any) -> Learner:  # noqa: ANN401
    made = Learner(config(**changes))
    made.set_rates(rate)
    return made


def small(images: Tensor, rows: int) -> Tensor:
    """Images averaged over areas to some rows and columns."""
    area = images.shape[-1] // rows
    return images.reshape(*images.shape[:2], rows, area, rows, area).mean((3, 5))


def test_one_inner_step_is_gradient_descent_on_the_mean_squared_error() -> None:
    mine = learner(100.0, inner="gradient", coarse_weight=0.0)
    window = WINDOW[:2]
    network = build(NERV, seed=mine.config.seed)
    # Two frames have the times 0 and 1/2: of a network for four frames those of frames 0 and 2.
    drawn = network.draw(network.embed(torch.tensor([0, 2])))
    ((drawn - window / 255) ** 2).mean().backward()  # type: ignore[no-untyped-call]
    adapted = mine.adapt(mine.weights(), window, steps=1)
    assert {f"network.{name}" for name, _ in network.named_weights()} == adapted.keys()
    for name, weight in network.named_weights():
        assert weight.grad is not None
        expected = weight.detach() - 100 * weight.grad
        torch.testing.assert_close(adapted[f"network.{name}"], expected, rtol=1e-5, atol=1e-6)
    moved = adapted["network.stem.0.weight"] - mine.weights()["network.stem.0.weight"]
    assert moved.norm().item() > 1e-3


@pytest.mark.parametrize("model", ["nerv", "hnerv"])
def test_an_inner_step_by_muon_goes_along_orthogonal_directions(model: MetaModel) -> None:
    mine = learner(0.1, model=model)
    weights = mine.weights()
    loss, _ = mine.loss(weights, WINDOW)
    gradients = torch.autograd.grad(loss, list(weights.values()))
    adapted = mine.adapt(weights, WINDOW, steps=1)
    for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
        torch.testing.assert_close(adapted[name], weight - 0.1 * unit_step(gradient), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("model", "rows"), [("nerv", [16]), ("hnerv", [8, 16])])
def test_spatial_guidance_adds_the_error_of_each_small_image(model: MetaModel, rows: list[int]) -> None:
    guided, plain = learner(model=model, coarse_weight=0.25), learner(model=model, coarse_weight=0.0)
    target = WINDOW / 255
    images = guided.images(guided.weights(), target)
    assert [image.shape for image in images] == [(4, 3, side, side) for side in [*rows, 32]]
    loss, errors = guided.loss(guided.weights(), WINDOW)
    expected = ((images[-1] - target) ** 2).mean()
    for image, side in zip(images[:-1], rows, strict=True):
        expected = expected + 0.25 * ((image - small(target, side)) ** 2).mean()
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=0)
    alone, alone_errors = plain.loss(plain.weights(), WINDOW)
    torch.testing.assert_close(alone, ((images[-1] - target) ** 2).mean(), rtol=1e-5, atol=0)
    assert (loss - alone).item() > 0.005
    assert torch.equal(errors, alone_errors)
    torch.testing.assert_close(errors, ((images[-1] - target) ** 2).mean((1, 2, 3)))


def task_gradient(mine: Learner) -> dict[str, Tensor]:
    """The learning gradient of a task, by name, that of the rates with ``rate.`` before it."""
    for parameter in (*mine.weights().values(), *mine.log_rates.values()):
        parameter.grad = None
    mine.task(WINDOW, share=1.0)
    gradients = {name: weight.grad for name, weight in mine.weights().items()}
    gradients |= {f"rate.{name}": rate.grad for name, rate in mine.log_rates.items()}
    return {name: gradient.clone() for name, gradient in gradients.items() if gradient is not None}


def slope(value: Callable[[], float], parameters: Mapping[str, Tensor], way: Mapping[str, Tensor]) -> float:
    """The change of a value along a way, by central differences."""
    apart = 1e-6
    values = []
    for times in (apart, -2 * apart):
        for name, parameter in parameters.items():
            parameter.data += times * way[name]
        values.append(value())
    for name, parameter in parameters.items():
        parameter.data += apart * way[name]
    return (values[0] - values[1]) / (2 * apart)


@pytest.mark.parametrize("inner", ["gradient", "muon"])
def test_second_order_gradients_are_the_slopes_of_what_a_task_loses(inner: str) -> None:
    mine = learner(0.2, inner=inner, method="second-order", every_step_weight=0.3).double()
    mine.set_rates(0.2)

    def lost() -> float:
        losses: list[Tensor] = []
        adapted = mine.adapt(mine.weights(), WINDOW, steps=2, losses=losses)
        return (mine.loss(adapted, WINDOW)[0] + 0.3 * losses[0] + 0.3 * losses[1]).item()

    generator = torch.Generator().manual_seed(5)
    parameters: dict[str, Tensor] = dict(mine.weights())
    parameters |= {f"rate.{name}": rate for name, rate in mine.log_rates.items()}
    gradients = task_gradient(mine)
    assert gradients.keys() == parameters.keys()
    for part in ("network.", "rate."):
        way = {
            name: torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            * name.startswith(part)
            for name, parameter in parameters.items()
        }
        expected = slope(lost, parameters, way)
        found = float(sum((gradients[name] * way[name]).sum() for name in parameters))
        assert found == pytest.approx(expected, rel=1e-4)
        assert abs(found) > 1e-4


def test_first_order_gradients_are_those_at_the_adapted_weights() -> None:
    mine = learner(0.2, method="first-order", every_step_weight=0.0)
    gradients = task_gradient(mine)
    adapted = {
        name: weight.detach().requires_grad_()
        for name, weight in mine.adapt(mine.weights(), WINDOW, steps=2).items()
    }
    expected = torch.autograd.grad(mine.loss(adapted, WINDOW)[0], list(adapted.values()))
    for name, gradient in zip(adapted, expected, strict=True):
        torch.testing.assert_close(gradients[name], gradient, rtol=1e-5, atol=1e-8)
    second = task_gradient(learner(0.2, method="second-order", every_step_weight=0.0))
    name = "network.blocks.0.conv.weight"
    assert float((second[name] - gradients[name]).norm()) > 0.01 * float(gradients[name].norm())


def test_the_losses_before_each_step_count_by_their_weight() -> None:
    without, half, whole = (task_gradient(learner(every_step_weight=weight)) for weight in (0.0, 0.5, 1.0))
    for name, gradient in whole.items():
        torch.testing.assert_close(
            half[name], (without[name] + gradient) / 2, rtol=1e-4, atol=1e-6 * float(gradient.norm())
        )
    name = "network.stem.0.weight"
    assert float((whole[name] - without[name]).norm()) > 0.1 * float(without[name].norm())


def test_reptile_goes_the_way_that_the_inner_steps_went() -> None:
    mine = learner(method="reptile")
    adapted = mine.adapt(mine.weights(), WINDOW, steps=2)
    for _ in range(2):
        mine.task(WINDOW, share=0.5)
    for name, weight in mine.weights().items():
        assert weight.grad is not None
        torch.testing.assert_close(weight.grad, (weight - adapted[name]).detach(), rtol=1e-5, atol=1e-7)
        assert float(weight.grad.norm()) > 0
    assert all(rate.grad is None for rate in mine.log_rates.values())


@pytest.mark.parametrize("method", ["first-order", "second-order", "reptile"])
def test_a_task_tells_what_measuring_does_and_measuring_leaves_no_gradient(method: str) -> None:
    mine = learner(method=method)
    measured = mine.adapted_db(WINDOW)
    assert all(weight.grad is None for weight in mine.weights().values())
    assert mine.task(WINDOW, share=0.5) == pytest.approx(measured, abs=1e-4)
    errors = mine.loss(mine.weights(), WINDOW)[1]
    assert measured[0] == pytest.approx(float((-10 * errors.log10()).mean()), abs=1e-4)
    assert measured[1] > measured[0] + 0.5


def test_the_first_rate_is_the_best_of_those_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nervid.meta.learner.FIRST_RATES", FIRST_RATES[1:9:2])
    mine = learner()
    windows = [Waves().window(number) for number in range(2)]
    best = mine.begin_rates(windows)
    lost = {}
    for rate in FIRST_RATES[1:9:2]:
        other = learner(rate)
        lost[rate] = sum(
            other.loss(other.adapt(other.weights(), window, steps=2), window)[0].item() for window in windows
        )
    assert best == min(lost, key=lambda rate: lost[rate])
    for rates in mine.log_rates.values():
        assert rates.exp().tolist() == pytest.approx([best, best])


def test_of_rates_that_all_diverge_the_smallest_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nervid.meta.learner.FIRST_RATES", (1e36, 1e37))
    assert learner(inner="gradient", coarse_weight=0.0).begin_rates([WINDOW]) == 1e36


@pytest.mark.parametrize(("model", "network"), [("nerv", NERV), ("hnerv", HNERV)])
def test_an_initialization_has_network_and_encoder_but_no_heads(model: MetaModel, network: Any) -> None:  # noqa: ANN401
    mine = learner(0.25, model=model)
    assert any(name.startswith("heads.") for name in mine.weights())
    learned = mine.initialization({"why": "test"})
    weights, encoder = shapes_of(network)
    assert learned.config == network
    assert (learned.weights.keys(), learned.encoder.keys()) == (weights.keys(), encoder.keys())
    named = [f"network.{name}" for name in weights] + [f"encoder.{name}" for name in encoder]
    assert list(learned.rates) == named
    assert [rate for rates in learned.rates.values() for rate in rates] == pytest.approx(
        [0.25] * 2 * len(named)
    )
    assert (learned.inner, learned.provenance) == ("muon", {"why": "test"})
    for name, weight in learned.weights.items():
        torch.testing.assert_close(weight, mine.weights()[f"network.{name}"].detach(), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("rates", "shape"), [("layer", (2,)), ("parameter", (2, 16, 8)), ("fixed", (2,))])
def test_what_has_a_rate_of_its_own(rates: RateKind, shape: tuple[int, ...]) -> None:
    mine = learner(rates=rates)
    rate = mine.log_rates["network.stem.0.weight"]
    assert rate.shape == shape
    assert rate.requires_grad == (rates != "fixed")
    assert bool(mine.initialization({}).rates) == (rates != "parameter")
    assert mine.task(WINDOW, share=1.0)[1] > 5
    assert (rate.grad is not None) == (rates != "fixed")
