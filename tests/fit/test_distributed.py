"""Two processes that share every batch fit as one does, and none waits for one that is gone."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nervid.errors import InputError
from nervid.fit.distributed import ALONE, ElsewhereError, Ranks, joined, shared_recipe
from nervid.fit.recipe import RECIPES, Effort
from nervid.fit.segment import Hooks, SegmentPlan, fit_float
from nervid.models.sizing import solve

HNERV = RECIPES["hnerv"]

FIT = """
import pickle, sys
import torch
from nervid.fit.distributed import joined
from nervid.fit.segment import Hooks, fit_float

torch.set_num_threads(1)
plan, frames = pickle.load(open(sys.argv[1], "rb"))
with joined("cpu") as ranks:
    def on_step(progress):
        if len(sys.argv) > 3 and progress.step == 3 and not ranks.is_first:
            raise RuntimeError("no more memory, say")
    network = fit_float(torch.from_numpy(frames), plan, Hooks(ranks=ranks, on_step=on_step))
    torch.save(network.state_dict(), f"{sys.argv[2]}{ranks.number}")
"""


def torchrun(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run FIT in two processes; fails if they take longer than any fit here could."""
    script = folder / "fit.py"
    script.write_text(FIT)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return subprocess.run(
        [*launch, str(script), *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


@pytest.fixture
def plan() -> SegmentPlan:
    """Batches of 2 of 5 frames: the third of every epoch has a frame for one rank only."""
    return SegmentPlan(
        model=solve("hnerv", frames=5, height=32, width=48, parameters=8_000),
        recipe=HNERV,
        effort=Effort(epochs=8, minimum_steps=1),
        bits=6,
        sparsity=0.0,
        target_bytes=None,
        seed=1,
        precision="float32",
        device="cpu",
    )


@pytest.fixture
def input_path(plan: SegmentPlan, tiny_frames: np.ndarray, tmp_path: Path) -> Path:
    import pickle

    path = tmp_path / "input"
    path.write_bytes(pickle.dumps((plan, tiny_frames[:5])))
    return path


def test_two_processes_fit_as_one_does(
    plan: SegmentPlan, tiny_frames: np.ndarray, input_path: Path, tmp_path: Path
) -> None:
    done = torchrun(tmp_path, str(input_path), str(tmp_path / "weights"))
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"weights{rank}") for rank in (0, 1))
    alone = fit_float(torch.from_numpy(tiny_frames[:5]), plan, Hooks()).state_dict()
    start = fit_float(
        torch.from_numpy(tiny_frames[:5]), replace(plan, recipe=replace(HNERV, learning_rate=0.0)), Hooks()
    ).state_dict()
    for name, expected in alone.items():
        assert torch.equal(first[name], second[name]), name
        # The sums are the same in another order; Adam divides by them, which enlarges what differs.
        torch.testing.assert_close(first[name], expected, rtol=0, atol=1e-4, msg=name)
    moved = max(float((alone[name] - start[name]).abs().max()) for name in alone)
    assert moved > 100 * 1e-4


def test_when_one_process_ends_the_other_does_too(input_path: Path, tmp_path: Path) -> None:
    started = time.monotonic()
    done = torchrun(tmp_path, str(input_path), str(tmp_path / "weights"), "fail")
    assert done.returncode != 0
    assert "no more memory, say" in done.stderr
    assert time.monotonic() - started < 60
    assert not list(tmp_path.glob("weights*"))


@given(frames=st.integers(1, 40), size=st.integers(1, 9))
def test_every_frame_of_a_batch_is_drawn_by_one_rank(frames: int, size: int) -> None:
    batch = torch.randperm(frames)
    shares = [Ranks(number=number, size=size).share(batch) for number in range(size)]
    assert sorted(torch.cat(shares).tolist()) == list(range(frames))
    assert max(len(share) for share in shares) - min(len(share) for share in shares) <= 1


def test_a_large_enough_batch_stays_and_a_smaller_one_gets_a_frame_per_rank() -> None:
    assert shared_recipe(HNERV, 1) == shared_recipe(HNERV, 2) == HNERV
    raised = shared_recipe(HNERV, 8)
    assert raised.batch_size == 8
    assert raised.learning_rate == pytest.approx(2 * HNERV.learning_rate)
    assert replace(raised, batch_size=2, learning_rate=HNERV.learning_rate) == HNERV


def test_alone_nothing_changes() -> None:
    parameter = nn.Parameter(torch.ones(3))
    parameter.grad = torch.tensor([1.0, 2.0, 3.0])
    assert ALONE.sum_gradients([parameter], (0.1, 2.0)) == [0.1, 2.0]
    assert parameter.grad.tolist() == [1.0, 2.0, 3.0]
    assert (ALONE.any(True), ALONE.any(False), ALONE.from_first("a")) == (True, False, "a")
    with pytest.raises(InputError, match="mine"), ALONE.agreed():
        raise InputError("mine")


def test_without_torchrun_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    with joined("cpu") as ranks:
        assert ranks == ALONE


@pytest.mark.parametrize(
    ("device", "local", "error", "message"),
    [
        ("cuda:1", "0", InputError, "each process takes a device by itself, got 'cuda:1'"),
        ("auto", "0", InputError, "started 4 processes here, but there are 2 CUDA devices"),
        ("cuda", "3", ElsewhereError, "use --nproc-per-node=2"),
    ],
)
def test_a_device_that_cannot_be_is_told_once_per_machine(
    device: str, local: str, error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "4", "LOCAL_RANK": local, "TORCHELASTIC_RUN_ID": "a"}
    for name, value in words.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(error, match=message), joined(device):
        pass
