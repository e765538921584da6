"""Meta-training learns, goes on where it was to the same bytes, and says when it cannot."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from nervid._version import __version__
from nervid.errors import InputError
from nervid.fit.distributed import ElsewhereError, Ranks
from nervid.fit.trainer import Interrupted
from nervid.initializations import Initialization
from nervid.meta.learner import Learner, Window
from nervid.meta.progress import MetaProgress
from nervid.meta.step import MOST_SKIPPED
from nervid.meta.train import meta_train

from .toys import Waves, config

pytestmark = pytest.mark.usefixtures("small_networks")
HELD_OUT = [Waves().window(number) for number in (900, 901)]


class Run:
    """What meta-training was told and tells, its files in a folder."""

    def __init__(self, folder: Path, **changes: Any) -> None:  # noqa: ANN401
        self.state, self.curve = folder / "a.partial", folder / "a.jsonl"
        self.config = config(**changes)
        self.windows = Waves()
        self.progress: list[MetaProgress] = []

    def __call__(self, *, stop_after: int | None = None, **options: Any) -> Initialization:  # noqa: ANN401
        told = self.progress = []
        return meta_train(
            self.windows,
            self.config,
            **({"corpus_key": "waves", "held_out": HELD_OUT} | options),
            state=self.state,
            curve=self.curve,
            on_progress=told.append,
            should_stop=lambda: stop_after is not None and bool(told) and told[-1].step >= stop_after,
        )

    def points(self) -> list[dict[str, Any]]:
        """The curve but for times."""
        return [json.loads(line) | {"seconds": 0} for line in self.curve.read_text().splitlines()]


def interrupted(run: Run, *, at: int, **options: Any) -> Run:  # noqa: ANN401
    with pytest.raises(Interrupted):
        run(stop_after=at, **options)
    return run


def test_thirty_steps_make_windows_of_other_waves_fit_better(tmp_path: Path) -> None:
    run = Run(tmp_path, steps=30, inner_steps=1, learning_rate=0.01)
    learned = run()
    points = run.points()
    assert [point["step"] for point in points] == list(range(1, 31))
    gained = points[-1]["held_out_db"] - points[0]["held_out_db"]
    assert gained > 1.0
    assert points[-1]["held_out_db"] > points[-1]["held_out_start_db"] + 1.0
    # What is measured is what comes out: the same weights and rates give the same PSNR.
    learner = Learner(run.config)
    learner.set_rates(1.0)
    with torch.no_grad():
        for name, weight in learner.weights().items():
            if name.startswith("network."):
                weight.copy_(learned.weights[name.removeprefix("network.")])
                learner.log_rates[name].copy_(torch.tensor(learned.rates[name]).log())
    before = sum(learner.adapted_db(window)[0] for window in HELD_OUT) / len(HELD_OUT)
    assert before == pytest.approx(points[-1]["held_out_start_db"], abs=0.02)


def test_every_step_takes_the_next_windows_with_the_frames_of_its_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    task: Callable[..., tuple[float, float]] = Learner.task

    def spy(learner: Learner, window: Window, *, share: float) -> tuple[float, float]:
        seen.append(len(window))
        return task(learner, window, share=share)

    monkeypatch.setattr(Learner, "task", spy)
    run = Run(tmp_path, steps=8, tasks=3)
    run()
    assert run.windows.asked == [0, 1, *range(24)]  # The first two choose the first rate.
    assert seen == [1] * 3 + [2] * 3 + [4] * 18
    assert [(progress.step, progress.frames) for progress in run.progress] == [
        (step, 1 if step == 1 else 2 if step == 2 else 4) for step in range(1, 9)
    ]


def test_learning_is_told_in_the_initialization(tmp_path: Path) -> None:
    learned = Run(tmp_path)(provenance={"sources": 3})
    provenance = dict(learned.provenance)
    assert provenance["sources"] == 3
    assert (provenance["steps"], provenance["version"]) == (6, __version__)
    assert provenance["config"]["method"] == "first-order"
    assert provenance["config"]["device"] == "cpu"
    assert Initialization.from_bytes(learned.to_bytes()).provenance == provenance
    assert set(map(len, learned.rates.values())) == {2}


@pytest.mark.parametrize(
    ("at", "changes"),
    [
        (1, {}),
        (4, {}),
        (4, {"model": "hnerv", "rates": "parameter", "tasks": 1, "inner_steps": 1}),
        (4, {"method": "reptile", "tasks": 1}),
    ],
)
def test_a_stopped_run_goes_on_to_the_same_bytes(at: int, changes: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole = Run(tmp_path / "whole", **changes)
    expected = whole()
    run = interrupted(Run(tmp_path, **changes), at=at)
    assert run().to_bytes() == expected.to_bytes()
    assert [progress.step for progress in run.progress] == list(range(at, 7))
    assert run.points() == whole.points()
    assert run.progress[-1].adapted_db == whole.progress[-1].adapted_db


def test_a_run_killed_after_its_last_step_only_returns_what_it_learned(tmp_path: Path) -> None:
    run = Run(tmp_path)
    expected = run()
    told = run.progress[-1]
    run.windows.asked.clear()
    assert run().to_bytes() == expected.to_bytes()
    assert run.windows.asked == []
    assert [progress.step for progress in run.progress] == [6]
    assert run.progress[0].held_out_db == told.held_out_db
    assert run.progress[0].seconds >= told.seconds


@pytest.mark.parametrize("why", ["other videos", "other choices", "damaged"])
def test_a_state_that_does_not_fit_is_begun_anew(why: str, tmp_path: Path) -> None:
    run = interrupted(Run(tmp_path), at=3)
    options: dict[str, Any] = {}
    if why == "other videos":
        options = {"corpus_key": "other waves"}
    elif why == "other choices":
        run.config = config(seed=2)
    else:
        data = bytearray(run.state.read_bytes())
        data[-1] ^= 1
        run.state.write_bytes(data)
    run(**options)
    assert [progress.step for progress in run.progress] == [1, 2, 3, 4, 5, 6]
    assert [point["step"] for point in run.points()] == [1, 2, 3, 4, 5, 6]


def test_a_step_without_a_finite_gradient_moves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task: Callable[..., tuple[float, float]] = Learner.task
    weights: list[list[torch.Tensor]] = []

    def poisoned(learner: Learner, window: Window, *, share: float) -> tuple[float, float]:
        weights.append([weight.detach().clone() for weight in learner.weights().values()])
        quality = task(learner, window, share=share)
        if len(weights) == 3:
            grad = next(iter(learner.log_rates.values())).grad
            assert grad is not None
            grad.fill_(float("nan"))
            return (float("nan"), float("nan"))
        return quality

    monkeypatch.setattr(Learner, "task", poisoned)
    run = Run(tmp_path, tasks=1)
    learned = run()
    changed = [
        any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
        for before, after in pairwise(weights)
    ]
    assert changed == [True, True, False, True, True]
    assert all(bool(torch.isfinite(weight).all()) for weight in learned.weights.values())
    assert [point["start_db"] is None for point in run.points()] == [False, False, True, False, False, False]
    assert "NaN" not in run.curve.read_text()


def test_a_learning_that_diverges_is_given_up_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nervid.meta.learner.FIRST_RATES", (1e36,))
    run = Run(tmp_path, steps=100, inner="gradient", tasks=1)
    with pytest.raises(InputError, match=rf"^meta-training diverged at step {MOST_SKIPPED}; choose a lower"):
        run(held_out=())
    assert len(run.progress) == MOST_SKIPPED


@pytest.mark.parametrize(("number", "error"), [(0, InputError), (1, ElsewhereError)])
def test_more_processes_than_tasks_are_refused_and_told_once(number: int, error: type[Exception]) -> None:
    with pytest.raises(error, match="a learning step has 2 tasks, too few for 3 processes; use --tasks 3"):
        meta_train(Waves(), config(), ranks=Ranks(number=number, size=3))


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("cpu,cpu", "device must be one, got 'cpu,cpu'; several learn together by torchrun"),
        ("cuda:1", "device cuda:1 was asked for, but no CUDA device is there"),
        ("tpu", "device must be auto, cpu, cuda"),
    ],
)
def test_a_device_that_cannot_be_is_one_line(
    device: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match=message):
        meta_train(Waves(), config(device=device))
