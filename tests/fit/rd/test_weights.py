import pytest
import torch

from nervid.fit.rd.relaxation import Relaxation, laplace_bits
from nervid.fit.rd.weights import BIAS_STEP, FittedWeights
from nervid.models.config import NervidConfig
from nervid.models.nervid import Nervid
from nervid.models.registry import build

CONFIG = NervidConfig(
    frames=5,
    height=16,
    width=16,
    base_height=4,
    base_width=4,
    strides=(2, 2),
    channels=(8, 4),
    depths=(1, 1),
    grid_stages=(0,),
    grid_channels=(2,),
    grid_spans=(2,),
)


def network() -> Nervid:
    built = build(CONFIG, seed=1)
    assert isinstance(built, Nervid)
    return built


def noise_for(weights: FittedWeights) -> torch.Tensor:
    return torch.rand(weights.count, generator=torch.Generator().manual_seed(1)) - 0.5


def test_the_network_keeps_its_weights_and_changes_with_the_row() -> None:
    before = {name: parameter.detach().clone() for name, parameter in network().named_weights()}
    fitted_network = network()
    weights = FittedWeights(fitted_network, torch.float32)
    for name, parameter in fitted_network.named_weights():
        assert torch.equal(parameter, before[name])
    with torch.no_grad():
        weights._row.zero_()
    assert all(not parameter.any() for _, parameter in fitted_network.named_weights())


def test_straight_draws_with_rounded_weights() -> None:
    fitted_network = network()
    weights = FittedWeights(fitted_network, torch.float32)
    weights.relax("straight", noise_for(weights), is_counted=False)
    for name, parameter in fitted_network.named_weights():
        step = weights.steps()[name]
        expected = (parameter.detach() / step).round() * step
        torch.testing.assert_close(weights.drawing.get_parameter(name).detach(), expected)


@pytest.mark.parametrize("kind", ["noise", "straight"])
def test_gradients_by_hand_are_those_of_automatic_differentiation(kind: Relaxation) -> None:
    fitted_network, cost = network(), 0.2
    weights = FittedWeights(fitted_network, torch.float32)
    weights.relax(kind, noise_for(weights), is_counted=True)
    numbers = torch.linspace(-1, 1, 32).view(1, 32)
    weights.drawing.draw_colors(numbers).square().sum().backward()  # type: ignore[no-untyped-call]
    weights.collect(cost)
    # The same with steps and weights as leaves of one graph.
    log_steps = weights.log_steps.detach().clone().requires_grad_(True)
    errors = torch.split(weights._errors, weights._counts)
    free, shown, bits = {}, {}, torch.zeros(())
    for number, (name, parameter) in enumerate(fitted_network.named_weights()):
        leaf = free[name] = parameter.detach().clone().requires_grad_(True)
        error = errors[number].view(parameter.movedim(1, -1).shape if parameter.dim() == 4 else -1)
        codes = leaf / log_steps[number].exp()
        rounded = codes + (error.movedim(-1, 1) if parameter.dim() == 4 else error)
        shown[name] = rounded * log_steps[number].exp()
        bits = bits + laplace_bits(rounded, codes.detach().abs().mean()).sum()
    shown["grids.0"] = torch.zeros(3, 32)
    whole = network()
    drawn = torch.func.functional_call(
        _Drawing(whole), {f"network.{k}": v for k, v in shown.items()}, numbers
    )
    (drawn.square().sum() + cost * bits).backward()
    assert weights.bits == pytest.approx(float(bits.detach()), rel=1e-5)
    assert log_steps.grad is not None
    assert weights.log_steps.grad is not None
    for number, (name, parameter) in enumerate(fitted_network.named_weights()):
        torch.testing.assert_close(parameter.grad, free[name].grad, rtol=1e-3, atol=1e-4)
        expected = log_steps.grad[number] if parameter.dim() > 1 else torch.zeros(())  # biases' are fixed
        torch.testing.assert_close(weights.log_steps.grad[number], expected, rtol=1e-3, atol=1e-3)


def test_steps_of_biases_are_the_same_and_weights_draw_in_the_type_that_is_asked() -> None:
    weights = FittedWeights(network(), torch.bfloat16)
    steps = weights.steps()
    assert {steps[name] for name in steps if name.endswith("bias")} == {BIAS_STEP}
    weights.relax("noise", noise_for(weights), is_counted=False)
    assert {parameter.dtype for parameter in weights.drawing.parameters()} == {torch.bfloat16}


class _Drawing(torch.nn.Module):
    def __init__(self, drawing: Nervid) -> None:
        super().__init__()
        self.network = drawing

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        return self.network.draw_colors(numbers)
