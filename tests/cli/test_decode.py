"""``nervid decode`` draws and writes at the same time; a failure of either leaves nothing behind."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

import nervid
from nervid.cli.main import FAILED, STOPPED, main
from nervid.video.write import VideoWriter

_SMALL_DISK = """
import resource, signal, sys
from nervid.cli.main import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))
sys.exit(main(["decode", *sys.argv[1:]]))
"""


@pytest.mark.parametrize("name", ["out.npy", "out.y4m", "out.mkv"])
def test_a_full_disk_is_one_line_and_leaves_nothing(nerv_path: Path, tmp_path: Path, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SMALL_DISK, str(nerv_path), str(tmp_path / name), "--codec", "ffv1"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == FAILED
    assert done.stdout == ""
    (line,) = [line for line in done.stderr.splitlines() if "decoding" not in line]
    assert line.startswith(f"OutputError: {tmp_path / name}: cannot be written (File too large)")
    assert list(tmp_path.iterdir()) == []


def interrupt_third_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C, as it were, while the third frame is drawn."""
    draw = nervid.Decoder.__getitem__

    def interrupted(self: nervid.Decoder, index: int) -> torch.Tensor:
        if index == 2:
            raise KeyboardInterrupt
        return draw(self, index)

    monkeypatch.setattr(nervid.Decoder, "__getitem__", interrupted)


@pytest.mark.parametrize("name", ["out.mp4", "out.npy", "out"])
def test_a_stopped_decoding_leaves_nothing_but_what_was_there(
    nerv_path: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_third_frame(monkeypatch)
    if "." in name:
        (tmp_path / name).write_text("before")
    assert main(["decode", str(nerv_path), str(tmp_path / name)]) == STOPPED
    assert [path.name for path in tmp_path.iterdir()] == ([name] if "." in name else [])
    if "." in name:
        assert (tmp_path / name).read_text() == "before"


def test_drawing_leaves_a_core_to_a_writer_that_falls_behind(
    nerv_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = threading.Event()
    drawn_with: list[int] = []
    draw, write = nervid.Decoder.__getitem__, VideoWriter.write

    def noting(self: nervid.Decoder, index: int) -> torch.Tensor:
        drawn_with.append(torch.get_num_threads())
        if index == 9:
            last.set()
        return draw(self, index)

    def slow(self: VideoWriter, frame: np.ndarray, timestamp: int) -> None:
        assert last.wait(20)
        write(self, frame, timestamp)

    monkeypatch.setattr(nervid.Decoder, "__getitem__", noting)
    monkeypatch.setattr(VideoWriter, "write", slow)
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert main(["decode", str(nerv_path), str(tmp_path / "out.npy")]) == 0
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    assert drawn_with == [3] * 4 + [2] * 6
    monkeypatch.undo()
    with nervid.open(nerv_path) as video:
        np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), video[:].numpy())
