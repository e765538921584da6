"""The command line as a user meets it: help, exit codes, one line for what is wrong."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nervid.cli.main import FAILED, SPINS, WRONG_USAGE, main


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The error output, which must be one line."""
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.strip().splitlines()) == 1, printed.err
    assert "Traceback" not in printed.err
    return printed.err


def test_importing_helping_and_informing_load_neither_torch_nor_opencv(nerv_path: Path) -> None:
    for words in (["--help"], ["encode", "--help"], ["info", str(nerv_path)]):
        code = (
            "import sys; from nervid.cli.main import main\n"
            f"try: main({words!r})\nexcept SystemExit: pass\n"
            "assert not {'torch', 'cv2', 'av'} & set(sys.modules), 'loaded'"
        )
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("words", [["transmogrify"], ["encode"], ["encode", "a", "b", "--bpp", "much"]])
def test_a_command_that_makes_no_sense_exits_with_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(words)
    assert exit_info.value.code == WRONG_USAGE


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "missing.mp4"),
        (b"", "clip.mp4"),
        (b"this is a text, not a video\n" * 50, "clip.mp4"),
    ],
)
def test_a_source_that_is_no_video_is_one_line(
    content: bytes | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / ("missing.mp4" if content is None else "clip.mp4")
    if content is not None:
        source.write_bytes(content)
    assert main(["encode", str(source), str(tmp_path / "out.nerv")]) == WRONG_USAGE
    assert message in one_line(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ([] if content is None else ["clip.mp4"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--bpp", "0.1", "--size", "1kB"], "bpp and size"),
        (["--size", "50B"], "ask for more"),
        (["--size", "heavy"], "size must be"),
        (["--resize", "big"], "resize must be"),
        (["--start", "100"], "start"),
        (["--device", "cuda:7"], "cuda"),
    ],
)
def test_options_that_cannot_be_met_are_one_line(
    options: list[str],
    message: str,
    clip_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "out.nerv"
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main(["encode", str(clip_path), str(output), *options]) == WRONG_USAGE
    assert message in one_line(capsys)
    assert not output.exists()


def test_an_output_that_cannot_be_written_is_said_before_fitting(
    clip_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["encode", str(clip_path), str(tmp_path / "no" / "out.nerv")]) == FAILED
    assert "no folder" in one_line(capsys)
    assert main(["encode", str(clip_path), str(tmp_path)]) == FAILED
    assert "is a folder" in one_line(capsys)


@pytest.mark.parametrize("command", [["info"], ["decode", "OUT"], ["compare"]])
def test_a_file_that_is_not_nerv_is_one_line_that_names_it(
    command: list[str], clip_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {
        "info": ["info", str(clip_path)],
        "decode": ["decode", str(clip_path), str(tmp_path / "out.mp4")],
        "compare": ["compare", str(clip_path), str(clip_path)],
    }[command[0]]
    assert main(words) == FAILED
    line = one_line(capsys)
    assert line.startswith("NotNervError: ")
    assert "clip.mp4" in line
    assert list(tmp_path.iterdir()) == []


def test_a_flipped_bit_names_the_section_and_leaves_no_output(
    nerv_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(nerv_path.read_bytes())
    data[-1] ^= 1
    damaged = tmp_path / "damaged.nerv"
    damaged.write_bytes(data)
    assert main(["decode", str(damaged), str(tmp_path / "out.mp4")]) == FAILED
    assert "EMBD of segment 0" in one_line(capsys)
    assert main(["info", "--verify", str(damaged)]) == FAILED
    assert "EMBD of segment 0" in one_line(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["damaged.nerv"]


def test_a_decode_target_of_unknown_kind_is_one_line(
    nerv_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["decode", str(nerv_path), str(tmp_path / "out.xyz")]) == WRONG_USAGE
    assert ".xyz" in one_line(capsys)


def test_raw_frames_go_to_stdout_and_nothing_else(nerv_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nervid", "decode", str(nerv_path), "-"], check=True, capture_output=True
    )
    frames = np.frombuffer(done.stdout, dtype=np.uint8).reshape(10, 32, 48, 3)
    import nervid

    with nervid.open(nerv_path) as video:
        np.testing.assert_array_equal(frames, video[:].permute(0, 2, 3, 1).numpy())


def test_a_reader_that_leaves_early_ends_the_command_quietly(nerv_path: Path) -> None:
    command = f"{sys.executable} -m nervid decode {nerv_path} - | head -c 100 > /dev/null"
    done = subprocess.run(["bash", "-c", command], check=True, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert "Error" not in done.stderr


def test_threads_do_not_spin_for_long_unless_the_user_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    main(["info", "no such file.nerv"])
    assert os.environ["GOMP_SPINCOUNT"] == SPINS == "1000"
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    main(["info", "no such file.nerv"])
    assert os.environ["GOMP_SPINCOUNT"] == "7"
    monkeypatch.delenv("GOMP_SPINCOUNT")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    main(["info", "no such file.nerv"])
    assert "GOMP_SPINCOUNT" not in os.environ
