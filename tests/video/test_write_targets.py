"""Targets other than encoded files, and a result that appears whole or not at all."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from nervid.errors import InputError, OutputError
from nervid.video import VideoInfo, open_writer, read

from .samples import picture

_INFO = VideoInfo(width=47, height=33, time_base=Fraction(1, 25), frame_rate=Fraction(25))
_FRAMES = np.stack([picture(index, 47, 33) for index in range(4)])
_TARGETS = ["a.mp4", "a.mkv", "a.y4m", "a.npy", "folder"]


def _write_at(target: Path, timestamps: list[int], then: BaseException | None = None) -> None:
    with open_writer(target, _INFO) as writer:
        for frame, timestamp in zip(_FRAMES, timestamps, strict=False):
            writer.write(frame, timestamp)
        if then is not None:
            raise then


def _write(target: Path) -> None:
    _write_at(target, [0, 1, 2, 3])


def test_an_npy_file_holds_frames_channels_first(tmp_path: Path) -> None:
    _write(tmp_path / "a.npy")
    assert np.array_equal(np.load(tmp_path / "a.npy"), _FRAMES.transpose(0, 3, 1, 2))


def test_a_folder_holds_numbered_images(tmp_path: Path) -> None:
    _write(tmp_path / "frames")
    assert sorted(path.name for path in (tmp_path / "frames").iterdir()) == [
        f"{index:06d}.png" for index in range(4)
    ]
    assert np.array_equal(read(tmp_path / "frames").load(), _FRAMES)


@pytest.mark.parametrize(("width", "height", "chroma"), [(47, 33, "444"), (48, 32, "420jpeg")])
def test_y4m_has_the_header_and_size_of_its_format(
    tmp_path: Path, width: int, height: int, chroma: str
) -> None:
    info = VideoInfo(
        width=width, height=height, time_base=Fraction(1, 30000), frame_rate=Fraction(30000, 1001)
    )
    with open_writer(tmp_path / "a.y4m", info) as writer:
        writer.write(picture(0, width, height), 0)
        writer.write(picture(1, width, height), 1001)
    head, _, body = (tmp_path / "a.y4m").read_bytes().partition(b"\n")
    assert head.decode() == (
        f"YUV4MPEG2 W{width} H{height} F30000:1001 Ip A1:1 C{chroma} XCOLORRANGE=LIMITED"
    )
    assert len(body) == 2 * (6 + width * height * (6 if chroma == "444" else 3) // 2)
    copy = read(tmp_path / "a.y4m")
    assert copy.info.frame_rate == Fraction(30000, 1001)
    error = copy.load()[1].astype(int) - picture(1, width, height)
    assert abs(error).mean() < (2 if chroma == "444" else 12)


@pytest.mark.parametrize("name", _TARGETS)
def test_an_exception_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        _write_at(tmp_path / name, [0], then=KeyboardInterrupt())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", _TARGETS)
def test_nothing_is_there_under_its_name_until_the_end(tmp_path: Path, name: str) -> None:
    with open_writer(tmp_path / name, _INFO) as writer:
        writer.write(_FRAMES[0], 0)
        (beside,) = tmp_path.iterdir()
        assert beside.name.startswith(f".{name}.")
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", _TARGETS[:4])
def test_an_existing_file_is_kept_on_failure_and_replaced_on_success(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    target.write_text("before")
    with pytest.raises(InputError, match="timestamps must increase, got 0 after 0"):
        _write_at(target, [0, 0])
    assert target.read_text() == "before"
    _write(target)
    assert target.stat().st_size > 100
    assert list(tmp_path.iterdir()) == [target]


def test_frames_of_another_size_are_refused(tmp_path: Path) -> None:
    writer = open_writer(tmp_path / "a.npy", _INFO)
    with pytest.raises(InputError, match=r"uint8 \[33, 47, 3\], got uint8 \[32, 48, 3\]"), writer:
        writer.write(picture(0), 0)


@pytest.mark.parametrize("name", _TARGETS)
def test_a_writer_without_frames_fails(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="no frame was written"), open_writer(tmp_path / name, _INFO):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", _TARGETS)
def test_a_folder_that_is_not_there_is_an_output_error(tmp_path: Path, name: str) -> None:
    target = tmp_path / "absent" / name
    with pytest.raises(OutputError, match="cannot be written") as caught:
        open_writer(target, _INFO)
    assert str(target) in str(caught.value)


def test_a_folder_in_use_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "mine").touch()
    with pytest.raises(OutputError, match="a folder with this name is in the way"):
        open_writer(tmp_path / "frames", _INFO)
    with pytest.raises(OutputError, match="a file is where a folder was to be made"):
        open_writer(tmp_path / "frames" / "mine", _INFO)


_FULL_DISK = """
import resource, signal, sys
import numpy as np
from fractions import Fraction
from nervid.errors import OutputError
from nervid.video import VideoInfo, open_writer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
info = VideoInfo(width=64, height=64, time_base=Fraction(1, 25), frame_rate=Fraction(25))
rng = np.random.default_rng(0)
for name in sys.argv[2:]:
    try:
        with open_writer(sys.argv[1] + "/" + name, info) as writer:
            for index in range(60):
                writer.write(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8), index)
    except OutputError as error:
        print(error)
"""


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    names = _TARGETS[:4]
    done = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(tmp_path), *names], capture_output=True, text=True, timeout=60
    )
    lines = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"{tmp_path}/{name}" for name in names]
    assert all("cannot be written (File too large)" in line for line in lines)
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


_PIPE = """
import sys
import numpy as np
from fractions import Fraction
from nervid.video import VideoInfo, open_writer
info = VideoInfo(width=64, height=64, time_base=Fraction(1, 25), frame_rate=Fraction(25))
with open_writer("-", info) as writer:
    for index in range(int(sys.argv[1])):
        writer.write(np.full((64, 64, 3), index % 256, dtype=np.uint8), index)
print(writer.is_open, file=sys.stderr)
"""


def test_standard_output_gets_raw_frames() -> None:
    done = subprocess.run([sys.executable, "-c", _PIPE, "3"], capture_output=True, timeout=60)
    frames = np.frombuffer(done.stdout, dtype=np.uint8).reshape(3, -1)
    assert frames.shape == (3, 64 * 64 * 3)
    assert frames[:, 0].tolist() == [0, 1, 2]
    assert done.stderr == b"True\n"


def test_a_reader_that_goes_away_is_no_error() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _PIPE, "400"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b"False\n"
    process.stderr.close()
    assert process.wait(60) == 0
