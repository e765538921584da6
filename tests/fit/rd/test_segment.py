from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nervid.compress.feature_sections import decode_feature_grids
from nervid.compress.streams import decode_tensors
from nervid.fit.distributed import ALONE
from nervid.fit.guard import DivergenceGuard
from nervid.fit.plan import Hooks, SegmentPlan
from nervid.fit.rd import trainer
from nervid.fit.rd.trainer import RateTrainer
from nervid.fit.recipe import RATE_DISTORTION, Effort
from nervid.fit.segment import FittedSegment, fit_segment
from nervid.fit.trainer import Interrupted
from nervid.models.config import NervidConfig
from nervid.models.nervid import Nervid
from nervid.models.nervid_sizing import solve_nervid
from nervid.models.registry import build

CONFIG = solve_nervid(frames=8, height=32, width=48, budget_bytes=2500)


def plan_for(target_bytes: int = 2500, *, steps: int = 120) -> SegmentPlan:
    return SegmentPlan(
        model=CONFIG,
        recipe=RATE_DISTORTION,
        effort=Effort(epochs=1, minimum_steps=steps),
        bits=6,
        sparsity=0.0,
        target_bytes=target_bytes,
        seed=1,
        precision="float32",
        device="cpu",
    )


def stored_bytes(fitted: FittedSegment) -> int:
    wght, embd = fitted.sections()
    assert embd is not None
    return len(wght) + len(embd)


@pytest.fixture
def frames(tiny_frames: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(tiny_frames)


@pytest.fixture(scope="module")
def fitted() -> FittedSegment:
    rows, columns = np.mgrid[0:32, 0:48]
    picture = np.stack([columns * 4, rows * 6, 255 - columns * 4]).astype(np.uint8)
    moving = torch.from_numpy(np.stack([np.roll(picture, 3 * index, axis=2) for index in range(8)]))
    return fit_segment(moving, plan_for(), Hooks())


def test_a_fit_keeps_its_size(fitted: FittedSegment) -> None:
    assert stored_bytes(fitted) <= 2500


@pytest.mark.parametrize("target", [1200, 40_000])
def test_a_size_that_a_short_fit_misses_is_not_exceeded(frames: torch.Tensor, target: int) -> None:
    assert stored_bytes(fit_segment(frames, plan_for(target, steps=12), Hooks())) <= target


def test_sections_hold_what_was_fitted(fitted: FittedSegment) -> None:
    wght, embd = fitted.sections()
    assert embd is not None
    assert isinstance(fitted.config, NervidConfig)
    shapes = [tuple(weight.shape) for _, weight in build(fitted.config).named_weights()]
    for read, own in zip(decode_tensors(wght, shapes), fitted.weights, strict=True):
        assert torch.equal(read.values(), own.values())
    shapes_of_grids = [grid.shape for grid in fitted.config.feature_grids]
    grids = decode_feature_grids(embd, shapes_of_grids, fitted.config.knot_order)
    for one, other in zip(grids, fitted.grids, strict=True):
        assert torch.equal(one.codes, other.codes)
        assert torch.equal(one.steps, other.steps)


def test_an_interrupted_fit_goes_on_to_the_same_bytes(frames: torch.Tensor, tmp_path: Path) -> None:
    plan = plan_for(steps=24)
    whole = fit_segment(frames, plan, Hooks()).sections()
    asked = 0

    def stop_once() -> bool:
        nonlocal asked
        asked += 1
        return asked == 14

    hooks = Hooks(should_stop=stop_once, checkpoint=tmp_path / "state")
    with pytest.raises(Interrupted):
        fit_segment(frames, plan, hooks)
    assert fit_segment(frames, plan, hooks).sections() == whole


def test_the_recipe_of_the_plan_counts(frames: torch.Tensor) -> None:
    plan = plan_for(steps=8)
    by_muon = fit_segment(frames, plan, Hooks()).sections()
    for changed in (replace(RATE_DISTORTION, optimizer="adam"), replace(RATE_DISTORTION, batch_size=4)):
        assert fit_segment(frames, replace(plan, recipe=changed), Hooks()).sections() != by_muon


def test_time_that_is_gone_does_not_come_back_with_an_older_state(frames: torch.Tensor) -> None:
    plan = replace(plan_for(steps=1000), time_limit_seconds=1000.0)
    network = build(CONFIG, seed=1)
    assert isinstance(network, Nervid)
    trainer = RateTrainer(network, frames, plan, steps=1000, ranks=ALONE)
    old = trainer.state_tensors(clone=True)
    for _ in range(3):
        trainer._guarded_step()
    gone = float(trainer.state_tensors()["seconds"])
    trainer.load_state_tensors(old)
    assert float(trainer.state_tensors()["seconds"]) == gone > 0


def test_time_before_the_first_step_counts_against_the_limit(frames: torch.Tensor) -> None:
    taken: list[int] = []
    plan = replace(plan_for(steps=1000), time_limit_seconds=100.0, seconds_before=101.0)
    fit_segment(frames, plan, Hooks(on_step=lambda progress: taken.append(progress.step)))
    # As soon as there is a pace, the next step is the last.
    assert len(taken) < 10


def test_another_seed_gives_another_fit(frames: torch.Tensor) -> None:
    plan = plan_for(steps=8)
    assert (
        fit_segment(frames, plan, Hooks()).sections()
        != fit_segment(frames, replace(plan, seed=2), Hooks()).sections()
    )


@pytest.mark.parametrize("changed", ["weights_power", "grids_power"])
def test_rates_of_weights_and_of_grids_fall_each_by_a_power_of_its_own(
    frames: torch.Tensor, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    plan = replace(plan_for(steps=8), target_bytes=None, multiplier=1.0)
    usual = fit_segment(frames, plan, Hooks()).sections()
    seen = []

    def power(*given: float) -> float:
        seen.append(given)
        return 0.5

    monkeypatch.setattr(trainer, changed, power)
    assert fit_segment(frames, plan, Hooks()).sections() != usual
    steps = plan.effort.steps(len(frames), plan.recipe)
    assert set(seen) == {(sum(steps),) if changed == "weights_power" else (sum(steps), 1.0)}


def test_after_a_restart_the_guard_is_as_patient_as_before(frames: torch.Tensor) -> None:
    network = build(CONFIG, seed=1)
    assert isinstance(network, Nervid)
    fit = RateTrainer(network, frames, plan_for(steps=8), steps=8, ranks=ALONE)
    fit._guarded_step()
    with torch.no_grad():
        for parameter in fit.parameters.values():
            parameter.fill_(float("nan"))
    fit._guarded_step()
    assert (fit.state.restarts, fit.state.step) == (1, 0)
    assert fit.state.guard == DivergenceGuard(collapse_factor=30.0)
