"""Pictures from any place of a recording are those that decoding from the start gives."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nervid.errors import InputError
from nervid.meta.corpus import Corpus
from nervid.meta.recording import open_recording

from .samples import counting, plain, write_image, write_shard


def decode(path: Path | str, seconds: float, index: int = 0) -> list[NDArray[np.uint8]]:
    with open_recording(Corpus.find([path]).files[index]) as recording:
        pictures = recording.pictures(seconds)
        return [np.asarray(picture.to_ndarray(format="rgb24"), dtype=np.uint8) for picture in pictures]


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "ffv1"), ("a.avi", "mpeg4")])
def test_a_place_inside_gives_the_rest_of_the_frames_exactly(tmp_path: Path, name: str, codec: str) -> None:
    path = counting(tmp_path / name, 30, codec=codec)
    whole = decode(path, 0)
    assert len(whole) == 30
    for first in (1, 13, 29):
        rest = decode(path, first / 25)
        assert len(rest) == 30 - first
        assert all(np.array_equal(a, b) for a, b in zip(rest, whole[first:], strict=True))


def test_one_recording_gives_several_places(tmp_path: Path) -> None:
    path = counting(tmp_path / "a.mp4", 30, codec="libx264")
    with open_recording(Corpus.find([path]).files[0]) as recording:
        assert recording.seconds == pytest.approx(1.2, abs=0.001)
        assert recording.frame_rate == 25
        counts = [len(list(recording.pictures(seconds))) for seconds in (0.0, 0.8, 0.4, 0.0)]
    assert counts == [30, 10, 20, 30]


def test_a_member_of_a_shard_decodes_as_the_file_does(tmp_path: Path) -> None:
    one = counting(tmp_path / "one.mp4", 20, codec="libx264")
    two = counting(tmp_path / "two.mkv", 20, first=30)
    image = write_image(tmp_path / "three.png", plain(40, 40, (9, 8, 7)))
    files = {path.name: path.read_bytes() for path in (one, two, image)}
    shard = write_shard(tmp_path / "train-0.tar", files)
    # In order of names: one, three, two.
    for index, path in enumerate((one, image, two)):
        for seconds in (0.0, 0.4) if path is not image else (0.0,):
            member, file = decode(shard, seconds, index), decode(path, seconds)
            assert len(member) == (20 - round(seconds * 25) if path is not image else 1)
            assert all(np.array_equal(a, b) for a, b in zip(member, file, strict=True))


def test_a_file_that_is_cut_short_gives_what_is_left(tmp_path: Path) -> None:
    path = counting(tmp_path / "a.mkv", 30)
    whole = decode(path, 0)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    left = decode(path, 0)
    assert 10 < len(left) < 25
    assert all(np.array_equal(a, b) for a, b in zip(left, whole, strict=False))


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"not a picture at all" * 50)
    with pytest.raises(InputError, match=r"a\.mp4: not a video that can be read; replace or remove it"):
        decode(tmp_path / "a.mp4", 0)


def test_a_playlist_that_calls_itself_a_video_is_not_followed(tmp_path: Path) -> None:
    counting(tmp_path / "real.mkv", 5)
    (tmp_path / "list.mp4").write_text(f"ffconcat version 1.0\nfile {tmp_path}/real.mkv\n")
    with pytest.raises(InputError, match=r"list\.mp4: not a video that can be read"):
        decode(tmp_path / "list.mp4", 0)
