"""Optimizer: Adam against PyTorch's, Muon against its definition, states that go on where they were."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from nervid.fit.optimizer import MUON_SCALE, Optimizer, orthogonalize, unit_step
from nervid.fit.recipe import OptimizerName

RATE = 0.1
BETAS = (0.8, 0.99)


def make_parameters(seed: int = 0) -> dict[str, nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    shapes = {
        "kernel": (12, 4, 3, 3),
        "tall": (40, 6),
        "bias": (12,),
        "window": (8, 1, 3, 3),
        "head": (3, 5, 3, 3),
        "embeddings": (5, 4, 2, 2),
    }
    return {name: nn.Parameter(torch.randn(shape, generator=generator)) for name, shape in shapes.items()}


def give_gradients(parameters: dict[str, nn.Parameter], step: int) -> None:
    generator = torch.Generator().manual_seed(100 + step)
    for parameter in parameters.values():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def make_optimizer(parameters: dict[str, nn.Parameter], kind: OptimizerName) -> Optimizer:
    return Optimizer(parameters, kind=kind, betas=BETAS, adam_only=["embeddings"])


def test_adam_is_that_of_pytorch() -> None:
    mine, theirs = make_parameters(), make_parameters()
    optimizer = make_optimizer(mine, "adam")
    reference = torch.optim.Adam(theirs.values(), lr=RATE, betas=BETAS)
    for step in range(4):
        give_gradients(mine, step)
        give_gradients(theirs, step)
        optimizer.step(RATE)
        reference.step()
    for name, parameter in mine.items():
        torch.testing.assert_close(parameter, theirs[name], rtol=1e-6, atol=1e-6)


def test_muon_moves_kernels_that_mix_channels_and_adam_the_rest() -> None:
    parameters, with_adam = make_parameters(), make_parameters()
    for each, kind in ((parameters, "muon"), (with_adam, "adam")):
        give_gradients(each, 0)
        make_optimizer(each, kind).step(RATE)  # type: ignore[arg-type]
    moved = {name for name in parameters if not torch.equal(parameters[name], with_adam[name])}
    assert moved == {"kernel", "tall"}


@pytest.mark.parametrize("transposed", [False, True])
def test_an_orthogonal_gradient_keeps_its_direction(transposed: bool) -> None:
    rows, columns = 4, 9
    gradient = torch.linalg.qr(torch.randn(columns, rows, dtype=torch.float64)).Q.mT
    # Four equal singular values under a norm of 1; the iteration is that of a number.
    value = 0.5
    for _ in range(5):
        value = 3.4445 * value - 4.7750 * value**3 + 2.0315 * value**5
    gradient = gradient.mT.contiguous() if transposed else gradient
    weight = nn.Parameter(torch.zeros(gradient.shape))
    weight.grad = 7 * gradient.float()
    Optimizer({"weight": weight}, kind="muon", betas=BETAS).step(RATE)
    expected = -RATE * MUON_SCALE * columns**0.5 * value * gradient.float()
    torch.testing.assert_close(weight.detach(), expected, rtol=1e-4, atol=1e-6)


def test_momentum_is_nesterovs() -> None:
    weight = nn.Parameter(torch.zeros(4, 6))
    gradients = [torch.randn(4, 6), torch.randn(4, 6)]
    optimizer = Optimizer({"weight": weight}, kind="muon", betas=BETAS)
    expected, momentum = torch.zeros(4, 6), torch.zeros(4, 6)
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step(RATE)
        momentum = 0.95 * momentum + 0.05 * gradient
        ahead = 0.05 * gradient + 0.95 * momentum
        expected -= RATE * 0.2 * 6**0.5 * orthogonalize(ahead[None])[0]
    torch.testing.assert_close(weight.detach(), expected, rtol=1e-4, atol=1e-5)


def test_the_order_of_memory_does_not_matter() -> None:
    rows, columns = make_parameters()["kernel"], make_parameters()["kernel"]
    columns.data = columns.data.to(memory_format=torch.channels_last)
    for kernel in (rows, columns):
        give_gradients({"kernel": kernel}, 0)
        assert kernel.grad is not None
        kernel.grad = torch.empty_like(kernel).copy_(kernel.grad)
        Optimizer({"kernel": kernel}, kind="muon", betas=BETAS).step(RATE)
    torch.testing.assert_close(rows, columns, rtol=1e-5, atol=1e-6)


def test_kernels_of_one_shape_do_not_mix() -> None:
    alone, together = make_parameters(1)["kernel"], make_parameters(1)["kernel"]
    other = nn.Parameter(torch.randn(36, 12))  # the same shape once turned
    for parameters in ({"kernel": alone}, {"kernel": together, "other": other}):
        give_gradients(parameters, 0)
        Optimizer(parameters, kind="muon", betas=BETAS).step(RATE)
    torch.testing.assert_close(alone, together, rtol=1e-5, atol=1e-6)


def test_orthogonalize_evens_singular_values_and_keeps_vectors() -> None:
    left = torch.linalg.qr(torch.randn(2, 5, 5)).Q
    right = torch.linalg.qr(torch.randn(2, 8, 5)).Q
    values = torch.tensor([[1.0, 0.5, 0.2, 0.1, 0.05], [3.0, 3.0, 1.0, 1.0, 0.3]])
    even = left.mT @ orthogonalize(left @ torch.diag_embed(values) @ right.mT) @ right
    diagonal = even.diagonal(dim1=1, dim2=2)
    assert ((diagonal > 0.65) & (diagonal < 1.25)).all()
    torch.testing.assert_close(even, torch.diag_embed(diagonal), rtol=0, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_orthogonalize_keeps_zero_and_type(dtype: torch.dtype) -> None:
    drawn = orthogonalize(torch.zeros(1, 4, 6, dtype=dtype))
    assert torch.equal(drawn, torch.zeros(1, 4, 6, dtype=dtype))


@pytest.mark.parametrize("kind", ["adam", "muon"])
def test_a_loaded_state_goes_on_to_the_same_bits(kind: OptimizerName) -> None:
    straight = make_parameters()
    optimizer = make_optimizer(straight, kind)
    saved: dict[str, Tensor] = {}
    for step in range(5):
        if step == 3:
            saved = {key: tensor.clone() for key, tensor in optimizer.state_tensors().items()}
            resumed = {name: nn.Parameter(parameter.detach().clone()) for name, parameter in straight.items()}
        give_gradients(straight, step)
        optimizer.step(RATE)
    again = make_optimizer(resumed, kind)
    again.load_state_tensors(saved)
    for step in range(3, 5):
        give_gradients(resumed, step)
        again.step(RATE)
    for name, parameter in straight.items():
        assert torch.equal(parameter, resumed[name])


def test_a_loaded_state_is_a_copy() -> None:
    parameters = make_parameters()
    optimizer = make_optimizer(parameters, "muon")
    give_gradients(parameters, 0)
    optimizer.step(RATE)
    saved = {key: tensor.clone() for key, tensor in optimizer.state_tensors().items()}
    other = make_optimizer(parameters, "muon")
    other.load_state_tensors(saved)
    before = {key: tensor.clone() for key, tensor in saved.items()}
    other.step(RATE)
    assert all(torch.equal(saved[key], before[key]) for key in saved)


def test_a_parameter_without_gradient_stays() -> None:
    parameters = make_parameters()
    before = parameters["kernel"].detach().clone()
    give_gradients(parameters, 0)
    parameters["kernel"].grad = None
    make_optimizer(parameters, "muon").step(RATE)
    assert torch.equal(parameters["kernel"], before)


def test_the_compiler_is_not_loaded() -> None:
    program = (
        "import sys, torch; from nervid.fit.optimizer import Optimizer\n"
        "weight = torch.nn.Parameter(torch.zeros(3)); weight.grad = torch.ones(3)\n"
        "Optimizer({'w': weight}, kind='adam', betas=(0.9, 0.99)).step(0.1)\n"
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", ["kernel", "tall"])
def test_a_unit_step_of_a_kernel_is_the_first_step_of_muon(name: str) -> None:
    parameters = make_parameters()
    give_gradients(parameters, 0)
    before, gradient = parameters[name].detach().clone(), parameters[name].grad
    assert gradient is not None
    make_optimizer(parameters, "muon").step(RATE)
    torch.testing.assert_close(before - RATE * unit_step(gradient), parameters[name].detach())


@pytest.mark.parametrize("name", ["bias", "window", "head"])
def test_a_unit_step_of_anything_else_goes_along_the_gradient_at_a_mean_square_of_1(name: str) -> None:
    gradient = torch.randn(make_parameters()[name].shape, generator=torch.Generator().manual_seed(1))
    step = unit_step(1e3 * gradient)
    assert float(step.square().mean()) == pytest.approx(1.0, rel=1e-5)
    torch.testing.assert_close(step / step.norm(), gradient / gradient.norm())


def test_a_gradient_of_zero_makes_no_step() -> None:
    for shape in ((12, 4, 3, 3), (12,)):
        assert not unit_step(torch.zeros(shape)).any()
