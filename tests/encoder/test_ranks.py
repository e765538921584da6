"""torchrun with the command line: one file, one voice, and a stopped run that goes on."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import nervid

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def command(folder: Path, name: str, *words: str) -> list[str]:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    # Without -- torchrun takes nervid's --start for an abbreviation of its own --start-method.
    encode = ["-m", "--", "nervid", "encode", str(folder / "clip.npy"), str(folder / name), "--size", "4kB"]
    return [*launch, *encode, "--model", "hnerv", "--recipe", "hnerv", "--device", "cpu", *words]


def run(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=100, env=ENVIRONMENT)


@pytest.fixture
def folder(tiny_frames: np.ndarray, tmp_path: Path) -> Path:
    np.save(tmp_path / "clip.npy", tiny_frames)
    return tmp_path


def test_two_ranks_write_one_file_like_that_of_one_process(folder: Path, tiny_clip: nervid.Clip) -> None:
    done = run(command(folder, "a.nerv", "--epochs", "4", "--precision", "float32"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("a.nerv: ") == 1
    assert "on 2 ranks" in done.stdout
    data = (folder / "a.nerv").read_bytes()
    assert 0.97 * 4000 <= len(data) <= 4000
    assert sorted(path.name for path in folder.iterdir()) == ["a.nerv", "clip.npy"]
    alone = nervid.encode(
        tiny_clip,
        model="hnerv",
        recipe="hnerv",
        size="4kB",
        epochs=4,
        precision="float32",
        device="cpu",
    )
    with nervid.open(io.BytesIO(data)) as shared, nervid.open(io.BytesIO(alone.data)) as expected:
        difference = (shared[:].float() - expected[:].float()).abs()
    # A weight that lies between two codes may fall to either, so single bytes may move further.
    assert float(difference.mean()) < 1.0


def test_what_is_wrong_is_said_once(folder: Path) -> None:
    done = run(command(folder, "a.nerv", "--start", "100"))
    assert done.returncode != 0
    assert done.stderr.count("InputError: ") == 1
    assert sorted(path.name for path in folder.iterdir()) == ["clip.npy"]


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_bytes(folder: Path) -> None:
    words = ["--epochs", "150", "--save-every", "0.05"]
    assert run(command(folder, "whole.nerv", *words)).returncode == 0
    partial = folder / "a.nerv.partial"
    deadline = time.monotonic() + 90
    with subprocess.Popen(
        command(folder, "a.nerv", *words), stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as process:
        while not list(partial.glob("*.safetensors")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.read().count("run the same command to go on") == 1
    assert time.monotonic() < deadline
    assert list(partial.glob("*.safetensors"))
    assert run(command(folder, "a.nerv", *words)).returncode == 0
    assert (folder / "a.nerv").read_bytes() == (folder / "whole.nerv").read_bytes()
