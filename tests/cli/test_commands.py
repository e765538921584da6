"""Each command's result, and work that is interrupted and goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

import nervid
from nervid.cli.main import main

from .conftest import write_clip


def test_encode_prints_one_readable_line_or_json(
    clip_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["encode", str(clip_path), str(tmp_path / "a.nerv"), "--size", "4kB", "--epochs", "1"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    size = (tmp_path / "a.nerv").stat().st_size
    assert f"a.nerv: {size / 1000:.3g} kB ({size} bytes)" in printed
    assert "10 frames 48x32" in printed
    assert main([*words, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["size_bytes"] == (tmp_path / "a.nerv").stat().st_size
    assert facts["frames"] == 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.nerv"]


def test_part_of_the_source_can_be_taken(clip_path: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.nerv"
    words = ["--start", "0.2", "--duration", "0.6", "--every", "2", "--resize", "32x24"]
    assert main(["encode", str(clip_path), str(output), "--size", "4kB", "--epochs", "1", *words]) == 0
    with nervid.open(output) as video:
        assert video[:].shape == (3, 3, 24, 32)
        assert [video.seconds_of(index) for index in range(3)] == pytest.approx([0.0, 0.2, 0.4])


def test_info_shows_the_files_facts(nerv_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--verify", str(nerv_path)]) == 0
    shown = capsys.readouterr().out
    assert "10 of 48x32" in shown
    assert "all sections are intact" in shown
    assert main(["info", "--json", str(nerv_path)]) == 0
    facts = json.loads(capsys.readouterr().out)
    size = nerv_path.stat().st_size
    assert facts["size_bytes"] == size == sum(facts["section_bytes"].values())
    assert facts["bits_per_pixel"] == 8 * size / (10 * 32 * 48)
    assert facts["models"] == ["nervid"]


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.y4m", "out.npy", "out"])
def test_decode_writes_every_kind_of_target(nerv_path: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    assert main(["decode", str(nerv_path), str(target)]) == 0
    with nervid.open(nerv_path) as video:
        drawn = video[:].permute(0, 2, 3, 1).numpy().astype(int)
    written = nervid.read(np.load(target) if name == "out.npy" else target).load()
    assert written.shape == drawn.shape
    # PNG and NumPy keep every bit; 4:2:0 video smears the noise of a network that was barely fitted.
    limit = 0 if name in ("out", "out.npy") else 8
    assert np.abs(written.astype(int) - drawn).mean() <= limit


def test_a_part_in_seconds_can_be_decoded(nerv_path: Path, tmp_path: Path) -> None:
    target = tmp_path / "part.npy"
    assert main(["decode", str(nerv_path), str(target), "--start", "0.3", "--duration", "0.2"]) == 0
    with nervid.open(nerv_path) as video:
        np.testing.assert_array_equal(np.load(target), video[3:5].numpy())


def test_sound_comes_back_packet_by_packet(tmp_path: Path) -> None:
    source, file, back = tmp_path / "a.mp4", tmp_path / "a.nerv", tmp_path / "b.mp4"
    with av.open(source, "w") as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 48, 32, "yuv420p"
        audio = container.add_stream("aac", rate=48000)
        for index in range(5):
            picture = np.full((32, 48, 3), 40 * index, dtype=np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode(None))
        tone = (np.sin(np.arange(1024 * 20) / 20) * 0.3).astype(np.float32)
        for start in range(0, len(tone), 1024):
            frame = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, start
            container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    assert main(["encode", str(source), str(file), "--size", "12kB", "--epochs", "1"]) == 0
    assert main(["decode", str(file), str(back)]) == 0
    before, after = nervid.read(source).tracks[0], nervid.read(back).tracks[0]
    assert [packet.data for packet in after.packets] == [packet.data for packet in before.packets]
    assert [packet.pts for packet in after.packets] == [packet.pts for packet in before.packets]


def test_compare_measures_the_file_and_draws_a_plot(
    clip_path: Path, nerv_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plot = tmp_path / "plot.png"
    words = ["compare", str(clip_path), str(nerv_path), "--plot", str(plot)]
    assert main([*words, "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)["files"][0]
    assert measured["size_bytes"] == nerv_path.stat().st_size
    assert len(measured["psnr_db_per_frame"]) == 10
    assert measured["psnr_db"] == pytest.approx(np.mean(measured["psnr_db_per_frame"]))
    assert plot.read_bytes()[:4] == b"\x89PNG"
    assert main(words) == 0
    assert "PSNR dB" in capsys.readouterr().out


def encode_command(source: Path, output: Path) -> list[str]:
    words = ["encode", str(source), str(output), "--size", "5kB", "--epochs", "20", "--save-every", "0.05"]
    return [sys.executable, "-m", "nervid", *words]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with clip.mp4 and whole.nerv, what the command makes of it in one go."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    command = encode_command(write_clip(folder / "clip.mp4"), folder / "whole.nerv")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return folder


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_or_stopped_encoding_goes_on_to_the_same_bytes(
    how: signal.Signals, uninterrupted: Path, tmp_path: Path
) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    source = uninterrupted / "clip.mp4"
    whole, broken = uninterrupted / "whole.nerv", tmp_path / "broken.nerv"
    folder = tmp_path / "broken.nerv.partial"
    deadline = time.monotonic() + 60
    with subprocess.Popen(
        encode_command(source, broken), stderr=subprocess.DEVNULL, env=environment
    ) as process:
        while not list(folder.glob("*.safetensors")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(how)
        assert process.wait() == (130 if how == signal.SIGINT else -signal.SIGKILL)
    assert not broken.exists()
    assert list(folder.glob("*.safetensors"))
    again = subprocess.run(
        encode_command(source, broken), check=True, capture_output=True, text=True, env=environment
    )
    assert "going on from there" in again.stderr
    assert broken.read_bytes() == whole.read_bytes()
    assert not folder.exists()
