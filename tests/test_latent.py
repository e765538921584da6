"""The benchmark of Latent-INR runs, on frames so small that its numbers mean nothing."""

import ast
import subprocess
import sys

import numpy as np

from benchmarks.bars import BARS, ROOT
from benchmarks.latent import RESULTS
from benchmarks.latent_clips import synthetic


def test_the_smallest_run_measures_both_networks_and_records_nothing() -> None:
    kept = [BARS, *sorted(RESULTS.glob("latent*"))]
    before = [path.read_bytes() for path in kept]
    command = [sys.executable, "-m", "benchmarks.latent", "--smallest"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    clip, between = map(ast.literal_eval, done.stdout.splitlines())
    for network in ("hnerv", "latent-inr"):
        assert 0.97 * 8_000 <= clip[network]["bytes"] <= 8_000
    # The truth at twice the size is every pixel four times; nobody draws that exactly.
    assert 5 < clip["twice_db"] < 60
    assert abs(clip["twice_db"] - clip["twice, bicubic_db"]) < 1
    # Every second frame was fitted: seven lie between two that were.
    assert between["frames between"] == 7
    assert [path.read_bytes() for path in kept] == before


def test_the_synthetic_clip_moves() -> None:
    frames = synthetic()
    assert frames.shape == (16, 32, 48, 3)
    assert np.array_equal(frames[3, :, :, 2], np.repeat((np.arange(32) + 27)[:, None], 48, axis=1))
