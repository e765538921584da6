"""The encoder's choices are the cheap ones, and each is accounted for."""

import numpy as np
import pytest

from nervid.compress.frequency import DEFAULT_PRIOR
from nervid.compress.plan import CONSTANT, GROUPED_0, GROUPED_1, GROUPED_REST, REPEATED, plan_array


def normal(shape: tuple[int, ...], sigma: float) -> np.ndarray:
    """Symbols of 8 bits around the middle."""
    codes = np.rint(np.random.default_rng(0).normal(0, sigma, shape))
    return (np.clip(codes, -128, 127) + 128).astype(np.int32)


def test_one_scale_is_one_run() -> None:
    plan = plan_array(normal((40, 100), 5), 8, {})
    assert len(plan.runs) == 1
    assert plan.latest[8] == plan.runs[0].prior


def test_an_array_like_the_one_before_repeats_its_prior() -> None:
    first = plan_array(normal((200,), 5), 8, {})
    second = plan_array(normal((150,), 5), 8, first.latest)
    assert second.runs[0].fields[0][0] == REPEATED
    assert second.runs[0].prior == first.runs[0].prior


def test_the_first_array_may_repeat_the_default() -> None:
    plan = plan_array(normal((12,), 4), 8, {})
    assert plan.runs[0].fields[0][0] == REPEATED
    assert plan.runs[0].prior == DEFAULT_PRIOR


def test_another_depth_does_not_repeat_the_prior() -> None:
    first = plan_array(normal((200,), 20), 8, {})
    second = plan_array(np.full(5, 4, dtype=np.int32) + np.arange(5, dtype=np.int32) // 4, 4, first.latest)
    assert second.runs[0].prior != first.runs[0].prior
    assert second.latest[8] == first.latest[8]


def test_a_constant_array_is_its_value() -> None:
    plan = plan_array(np.full((7, 9), 200, dtype=np.int32), 8, {})
    assert [value for value, _ in plan.runs[0].fields] == [CONSTANT, 200]
    assert plan.ideal_bits == pytest.approx(np.log2(7 * 256), abs=1e-5)
    assert plan.latest == {}


@pytest.mark.parametrize(("axis", "mode"), [(0, GROUPED_0), (1, GROUPED_1)])
def test_slices_of_two_scales_become_classes(axis: int, mode: int) -> None:
    symbols = normal((60, 60), 3)
    wide = normal((60, 60), 30)
    slices, wider = np.moveaxis(symbols, axis, 0), np.moveaxis(wide, axis, 0)
    slices[::2] = wider[::2]
    plan = plan_array(symbols, 8, {})
    assert [value for value, _ in plan.runs[0].fields] == [mode]
    classes = plan.runs[1].symbols
    assert set(classes[::2]).isdisjoint(classes[1::2])
    assert sum(run.symbols.size for run in plan.runs[2:]) == symbols.size
    flat = plan_array(symbols.ravel(), 8, {})
    assert plan.ideal_bits < 0.95 * flat.ideal_bits


def test_single_numbers_of_two_scales_become_classes() -> None:
    """Sites that hardly change lie among busy ones, and no channel or frame has more of them than another."""
    symbols = normal((90, 4, 25), 0.3).reshape(90, 100)
    symbols[:, ::3] = normal((90, 34), 4)
    plan = plan_array(symbols.reshape(90, 4, 25), 8, {})
    assert [value for value, _ in plan.runs[0].fields] == [GROUPED_REST]
    classes = plan.runs[1].symbols
    assert classes.shape == (100,)
    assert set(classes[::3]).isdisjoint(classes[1::3])
    assert plan.ideal_bits < 0.9 * plan_array(symbols.ravel(), 8, {}).ideal_bits
    # With two axes, the slices along the second are the same.
    assert plan_array(symbols, 8, {}).runs[0].fields[0][0] == GROUPED_1
    assert plan_array(symbols, 8, {}).ideal_bits == plan.ideal_bits


def test_classes_that_do_not_pay_are_not_tried() -> None:
    plan = plan_array(normal((3, 40, 10), 5), 8, {})
    assert len(plan.runs) == 1


def test_the_length_of_a_plan_is_that_of_its_runs() -> None:
    symbols = normal((30, 200), 3)
    symbols[:7] = normal((7, 200), 40)
    plan = plan_array(symbols, 8, {})
    assert len(plan.runs) > 2
    assert plan.ideal_bits == sum(run.ideal_bits for run in plan.runs)
