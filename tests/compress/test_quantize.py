import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from nervid.compress.quantize import Grid, dequantize, fit_grid, quantize, straight_through
from nervid.errors import InputError

VALUES = arrays("float32", array_shapes(max_dims=4, max_side=6), elements=st.floats(-100, 100, width=32)).map(
    torch.from_numpy
)


def test_two_bits_are_four_levels_with_zero_among_them() -> None:
    grid = fit_grid(torch.tensor([-2.0, 0.0, 1.0]), bits=2)
    codes = quantize(torch.tensor([-9.0, -2.0, -1.0, 0.0, 1.0, 9.0]), grid)
    assert codes.tolist() == [-2, -2, -1, 0, 1, 1]
    # The step is 1 plus the float16 unit that makes sure the extremes are reached.
    assert grid.step.item() == pytest.approx(1.0, rel=2**-10)


@pytest.mark.parametrize("value", [1e-5, 3e-6, 2e-4, 1.7e-5])
def test_steps_among_the_smallest_float16_reach_all_values_too(value: float) -> None:
    grid = fit_grid(torch.tensor([value]), bits=6)
    assert 31 * grid.step.item() >= value
    assert grid.step.item() <= value / 31 * (1 + 2**-10) + 2**-24


@given(values=VALUES, bits=st.integers(2, 8))
def test_no_value_moves_by_more_than_half_a_step(values: torch.Tensor, bits: int) -> None:
    grid = fit_grid(values, bits=bits)
    moved = (dequantize(quantize(values, grid), grid) - values).abs()
    assert bool((moved <= 0.5 * grid.step * (1 + 1e-5)).all())


@given(values=VALUES, bits=st.integers(2, 8))
def test_a_centered_grid_reaches_all_values_and_codes_stay_in_range(values: torch.Tensor, bits: int) -> None:
    grid = fit_grid(values, bits=bits, centered=True)
    codes = quantize(values, grid)
    assert codes.min() >= -(2 ** (bits - 1))
    assert codes.max() <= 2 ** (bits - 1) - 1
    assert bool(((dequantize(codes, grid) - values).abs() <= 0.5 * grid.step * (1 + 1e-4) + 1e-4).all())


@given(values=VALUES, bits=st.integers(2, 8))
def test_dequantized_values_are_their_own_quantization(values: torch.Tensor, bits: int) -> None:
    grid = fit_grid(values, bits=bits)
    codes = quantize(values, grid)
    assert torch.equal(quantize(dequantize(codes, grid), grid), codes)


def test_a_row_has_a_step_for_each_number_along_its_only_axis() -> None:
    grid = fit_grid(torch.tensor([127.0, -1.0, 0.0]), bits=8, axis=0)
    assert grid.step.tolist() == pytest.approx([1.0, 1 / 128, 2.0**-24], rel=2**-9)


def test_zeros_stay_exact_zeros() -> None:
    values = torch.tensor([0.0, 0.7, 0.0, -0.3])
    grid = fit_grid(values, bits=4)
    assert dequantize(quantize(values, grid), grid)[[0, 2]].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("constant", [0.0, 0.25, -3.0])
def test_a_constant_tensor_is_reproduced(constant: float) -> None:
    values = torch.full((3, 4), constant)
    grid = fit_grid(values, bits=6)
    assert torch.allclose(dequantize(quantize(values, grid), grid), values, rtol=2**-10)


def test_each_channel_gets_its_own_step() -> None:
    values = torch.tensor([[1.0, -1.0], [100.0, -100.0]])
    grid = fit_grid(values, bits=8, axis=0)
    assert grid.step.shape == (2, 1)
    assert grid.step[1].item() == pytest.approx(100 * grid.step[0].item(), rel=1e-3)


def test_steps_survive_a_round_trip_through_float16() -> None:
    grid = fit_grid(torch.tensor([0.123456]), bits=5).coarsened(1.2345)
    assert grid.step.item() == grid.step.to(torch.float16).to(torch.float32).item()


def test_the_gradient_passes_inside_and_stops_outside() -> None:
    grid = Grid(bits=2, step=torch.tensor(1.0), offset=torch.tensor(0.0), axis=None)
    values = torch.tensor([-5.0, -1.2, 0.3, 5.0], requires_grad=True)
    straight_through(values, grid).sum().backward()  # type: ignore[no-untyped-call]
    assert values.grad is not None
    assert values.grad.tolist() == [0.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize("bits", [1, 9])
def test_other_bit_depths_are_refused(bits: int) -> None:
    with pytest.raises(InputError, match="bits must be 2 to 8"):
        fit_grid(torch.ones(3), bits=bits)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_values_that_no_grid_holds_are_refused(value: float) -> None:
    with pytest.raises(InputError, match="finite"):
        fit_grid(torch.tensor([0.0, value]), bits=6)
