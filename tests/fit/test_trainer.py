from collections.abc import Callable
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nervid.errors import InputError
from nervid.fit.distortion_trainer import DistortionTrainer
from nervid.fit.phase import Phase
from nervid.fit.recipe import RECIPES, OptimizerName
from nervid.fit.trainer import FitProgress, Interrupted

FRAMES = torch.from_numpy(np.arange(5 * 3 * 4 * 4, dtype=np.uint8).reshape(5, 3, 4, 4))
RECIPE = replace(RECIPES["hnerv"], learning_rate=0.05)


def make_trainer(
    parameter: nn.Parameter,
    *,
    steps: int = 60,
    rate: float = 0.05,
    seed: int = 1,
    optimizer: OptimizerName = "adam",
) -> DistortionTrainer:
    """A "network" that is the frames themselves, so that the optimum is known."""

    def draw(indices: Tensor, target: Tensor) -> list[Tensor]:
        return [parameter[indices]]

    return DistortionTrainer(
        Phase(
            name="fit",
            recipe=replace(RECIPE, optimizer=optimizer),
            steps=steps,
            peak_rate=rate,
            warmup=0.1,
            seed=seed,
            precision="float32",
        ),
        parameters={"frames": parameter},
        draw=draw,
        frames=FRAMES,
    )


def start() -> nn.Parameter:
    return nn.Parameter(torch.full((5, 3, 4, 4), 0.5))


def stop_at(step: int, trainer: DistortionTrainer) -> Callable[[], bool]:
    return lambda: trainer.state.step == step


def test_the_loss_finds_the_frames() -> None:
    parameter = start()
    make_trainer(parameter, steps=900).run()
    assert torch.allclose(parameter, FRAMES / 255, atol=0.02)


def test_every_frame_is_seen_once_an_epoch() -> None:
    trainer = make_trainer(start())
    seen = [trainer._indices(step).tolist() for step in range(6)]
    assert [len(batch) for batch in seen] == [2, 2, 1, 2, 2, 1]
    assert sorted(chain(*seen[:3])) == sorted(chain(*seen[3:])) == [0, 1, 2, 3, 4]


def test_a_large_batch_in_parts_takes_the_same_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, parts = start(), start()
    make_trainer(whole, steps=12).run()
    monkeypatch.setattr("nervid.fit.distortion_trainer.PIXELS_AT_ONCE", 16)
    make_trainer(parts, steps=12).run()
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-6)


def test_the_same_seed_takes_the_same_steps_and_another_does_not() -> None:
    results = []
    for seed in (1, 1, 2):
        parameter = start()
        make_trainer(parameter, seed=seed).run()
        results.append(parameter.detach())
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_a_phase_broken_off_anywhere_goes_on_to_the_same_end(optimizer: OptimizerName) -> None:
    whole = start()
    make_trainer(whole, optimizer=optimizer).run()
    first = make_trainer(start(), optimizer=optimizer)
    saved: list[dict[str, Tensor]] = []
    with pytest.raises(Interrupted):
        first.run(should_stop=stop_at(23, first), save=lambda: saved.append(first.state_tensors(clone=True)))
    second_parameter = start()
    second = make_trainer(second_parameter, optimizer=optimizer)
    second.load_state_tensors(saved[0])
    second.state = first.state
    second.run()
    assert torch.equal(second_parameter, whole)


def test_progress_counts_steps_and_reports_quality() -> None:
    reports: list[FitProgress] = []
    make_trainer(start(), steps=50).run(on_step=reports.append)
    assert [report.step for report in reports] == list(range(1, 51))
    assert reports[-1].psnr_db > reports[0].psnr_db > 0


def test_after_not_a_number_the_fit_goes_back_and_on_with_half_the_rate() -> None:
    parameter = start()
    trainer = make_trainer(parameter, steps=30)

    def poison(step: int) -> None:
        if step == 20 and trainer.state.restarts == 0:
            with torch.no_grad():
                parameter.fill_(float("nan"))

    reports: list[FitProgress] = []
    trainer.run(on_step=reports.append, before_step=poison)
    assert trainer.state.restarts == 1
    assert trainer.state.rate_scale == 0.5
    assert trainer.state.step == 30
    assert torch.isfinite(parameter).all()


def test_a_fit_that_never_recovers_is_given_up_with_a_reason() -> None:
    parameter = start()
    trainer = make_trainer(parameter)

    def poison(step: int) -> None:
        with torch.no_grad():
            parameter.fill_(float("nan"))

    with pytest.raises(InputError, match="diverged 10 times"):
        trainer.run(before_step=poison)
