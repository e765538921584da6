"""Several devices, here two processes on the CPU: the bytes of one, whatever happens on the way."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nervid
from nervid.encoder.encode import Interrupted
from nervid.encoder.progress import EncodeProgress
from nervid.errors import NervidError, OutputError

CONFIG = nervid.EncodeConfig(size="12kB", epochs=4, max_segment_frames=8)
TWO = replace(CONFIG, device="cpu,cpu")


@pytest.fixture
def clip(tiny_frames: np.ndarray) -> nervid.Clip:
    """Three segments of 8 frames."""
    return nervid.read(np.concatenate([tiny_frames, tiny_frames[:, ::-1], 255 - tiny_frames]))


@pytest.fixture(scope="module")
def made_by_one() -> dict[nervid.EncodeConfig, bytes]:
    """Files that one process made of the clip, filled by `whole`."""
    return {}


@pytest.fixture
def whole(clip: nervid.Clip, made_by_one: dict[nervid.EncodeConfig, bytes]) -> bytes:
    """The file that one process makes of the clip."""
    if CONFIG not in made_by_one:
        made_by_one[CONFIG] = nervid.encode(clip, CONFIG).data
    return made_by_one[CONFIG]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that a pool starts."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(words: list[str], **options: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401
        processes.append(subprocess.Popen(words, **options))
        return processes[-1]

    monkeypatch.setattr("nervid.encoder.pool.Popen", start)
    return processes


def test_two_devices_make_the_file_of_one(
    clip: nervid.Clip, whole: bytes, started: list[subprocess.Popen[bytes]]
) -> None:
    reports: list[EncodeProgress] = []
    encoded = nervid.encode(clip, TWO, on_progress=reports.append)
    assert encoded.data == whole
    assert encoded.report.device == "cpu,cpu"
    assert len(started) == 2
    assert all(process.returncode is not None for process in started)
    shares = [report.share_done for report in reports]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    assert {report.segment for report in reports} == {0, 1, 2}
    assert all(report.segment in report.running for report in reports)
    # Whether both ever run at once is the machine's affair; test_progress.py has what is reported then.
    assert max(len(report.running) for report in reports) <= 2


def test_one_segment_starts_no_process(
    tiny_clip: nervid.Clip, started: list[subprocess.Popen[bytes]]
) -> None:
    one = nervid.encode(tiny_clip, size="4kB", epochs=1, device="cpu,cpu")
    assert one.data == nervid.encode(tiny_clip, size="4kB", epochs=1).data
    assert started == []


@pytest.mark.slow
def test_work_stopped_on_two_devices_goes_on_on_one_to_the_same_bytes(
    clip: nervid.Clip, tmp_path: Path
) -> None:
    config = replace(TWO, epochs=40)
    reports: list[EncodeProgress] = []
    with pytest.raises(Interrupted):
        nervid.encode(
            clip,
            config,
            workdir=tmp_path / "job",
            on_progress=reports.append,
            should_stop=lambda: {report.segment for report in reports} == {0, 1},
        )
    # On a busy machine one of them may have been finished before the other's first step; never both.
    left = {path.name for path in (tmp_path / "job").glob("*.safetensors")}
    assert left
    assert left <= {"segment00000-fit0.safetensors", "segment00001-fit0.safetensors"}
    resumed: list[EncodeProgress] = []
    encoded = nervid.encode(clip, config, device="cpu", workdir=tmp_path / "job", on_progress=resumed.append)
    assert resumed[0].fit.step > 1
    assert encoded.data == nervid.encode(clip, config, device="cpu").data


def test_segments_finished_out_of_order_are_not_fitted_again(
    clip: nervid.Clip, whole: bytes, tmp_path: Path
) -> None:
    nervid.encode(clip, CONFIG, workdir=tmp_path / "job")
    for path in (tmp_path / "job").glob("segment00001*"):
        path.unlink()
    again: list[EncodeProgress] = []
    encoded = nervid.encode(clip, TWO, workdir=tmp_path / "job", on_progress=again.append)
    assert {report.segment for report in again} == {1}
    assert encoded.data == whole


def test_what_one_process_meets_is_raised_here_and_the_others_keep_their_state(
    clip: nervid.Clip, whole: bytes, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    """Segment 1 cannot be stored, for a folder has its file's name."""
    job = tmp_path / "job"
    with pytest.raises(Interrupted):
        nervid.encode(clip, CONFIG, workdir=job, should_stop=lambda: True)
    (job / "segment00001-fit0.bin").mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        nervid.encode(clip, TWO, workdir=job, on_progress=lambda progress: None)
    assert all(process.returncode is not None for process in started)
    assert (job / "segment00000-fit0.json").exists() or (job / "segment00000-fit0.safetensors").exists()
    (job / "segment00001-fit0.bin").rmdir()
    assert nervid.encode(clip, CONFIG, workdir=job).data == whole


def test_a_killed_process_is_one_line_that_says_so(
    clip: nervid.Clip, started: list[subprocess.Popen[bytes]]
) -> None:
    def kill(progress: EncodeProgress) -> None:
        started[1].kill()

    with pytest.raises(NervidError, match=r"segment \d on cpu was killed by signal 9; if memory ran out"):
        nervid.encode(clip, TWO, epochs=1000, on_progress=kill)
    assert all(process.returncode is not None for process in started)


@pytest.mark.slow
def test_an_error_of_the_caller_leaves_no_process(
    clip: nervid.Clip, started: list[subprocess.Popen[bytes]]
) -> None:
    def fail(progress: EncodeProgress) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        nervid.encode(clip, TWO, epochs=1000, on_progress=fail)
    assert len(started) == 2
    assert all(process.returncode is not None for process in started)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_or_stopped_command_leaves_no_process_and_goes_on_to_the_same_bytes(
    how: signal.Signals, clip: nervid.Clip, tmp_path: Path
) -> None:
    np.save(tmp_path / "clip.npy", clip.load())
    words = ["encode", str(tmp_path / "clip.npy"), str(tmp_path / "a.nerv"), "--size", "12kB"]
    words += ["--epochs", "24", "--max-segment-frames", "8", "--save-every", "0.05", "--device", "cpu,cpu"]
    command = [sys.executable, "-m", "nervid", *words]
    folder = tmp_path / "a.nerv.partial"
    deadline = time.monotonic() + 60
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while len(list(folder.glob("*.safetensors"))) < 2:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(how)
        # The processes it started hold its error output too: this ends when the last of them has.
        assert process.stderr is not None
        process.stderr.read()
        assert process.wait() == (130 if how == signal.SIGINT else -signal.SIGKILL)
    assert time.monotonic() < deadline
    subprocess.run(command, check=True, capture_output=True, env=os.environ)
    expected = nervid.encode(clip, CONFIG, epochs=24).data
    assert (tmp_path / "a.nerv").read_bytes() == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.nerv", "clip.npy"]
