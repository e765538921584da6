"""The benchmark of Latent-INR runs, on frames so small that its numbers mean nothing."""

import ast
import subprocess
import sys

from benchmarks.bars import ROOT
from benchmarks.latent import RESULTS


def test_the_smallest_run_measures_both_networks_and_records_nothing() -> None:
    before = RESULTS.read_bytes()
    command = [sys.executable, "-m", "benchmarks.latent", "--smallest"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    hnerv, latent_inr, between = done.stdout.splitlines()
    for line, network in ((hnerv, "hnerv "), (latent_inr, "latent-inr ")):
        assert 0.97 * 12_000 <= ast.literal_eval(line.removeprefix(network))["bytes"] <= 12_000
    # 16 frames, every second one fitted: seven lie between two that are.
    assert ast.literal_eval(between)["frames"] == 7
    assert RESULTS.read_bytes() == before
