"""A teacher sees every frame once: what it gives is checked, and kept when it is stopped."""

from pathlib import Path

import numpy as np
import pytest

import nervid
from nervid.encoder.align import teach
from nervid.errors import InputError, OutputError
from nervid.fit.trainer import Interrupted
from nervid.teachers import TeacherRecord
from tests.encoder.teacher import DIMENSION, Fake


@pytest.fixture
def clip(tiny_frames: np.ndarray) -> nervid.Clip:
    return nervid.read(tiny_frames)


def test_a_teacher_that_returns_nan_is_refused(clip: nervid.Clip) -> None:
    with pytest.raises(
        InputError, match=r"12 finite numbers for each of 8 frames, got NaN or infinity; check"
    ):
        teach(clip, Fake(spoil=float("nan")), None)


def test_a_teacher_of_another_dimension_than_its_record_is_refused(clip: nervid.Clip) -> None:
    teacher = Fake()
    teacher.record = TeacherRecord(name="fake", revision="1", sha256="0" * 64, dimension=DIMENSION + 1)
    with pytest.raises(InputError, match=r"13 finite numbers for each of 8 frames, got an array \[8, 12\]"):
        teach(clip, teacher, None)


def test_a_stopped_teacher_goes_on_where_it_was(
    clip: nervid.Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nervid.encoder.align.FRAMES_AT_ONCE", 2)
    whole = teach(clip, Fake(), None)
    seen: list[int] = []
    first = Fake()
    with pytest.raises(Interrupted):
        teach(clip, first, tmp_path, on_frames=seen.append, should_stop=lambda: len(seen) == 3)
    assert (first.asked, seen) == (3, [2, 4, 6])
    seen.clear()
    second = Fake()
    rows = teach(clip, second, tmp_path, on_frames=seen.append)
    assert (second.asked, seen) == (1, [8])
    np.testing.assert_array_equal(rows, whole)
    third = Fake()
    np.testing.assert_array_equal(teach(clip, third, tmp_path), whole)
    assert third.asked == 0
    assert len(list(tmp_path.iterdir())) == 1


def test_a_killed_teacher_loses_what_was_not_saved(
    clip: nervid.Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nervid.encoder.align.FRAMES_AT_ONCE", 2)

    def die(seen: int) -> None:
        if seen == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        teach(clip, Fake(), tmp_path, on_frames=die, save_seconds=0.0)
    again = Fake()
    np.testing.assert_array_equal(teach(clip, again, tmp_path), teach(clip, Fake(), None))
    assert again.asked == 2


@pytest.mark.parametrize(
    "kept",
    [
        np.ones((3, DIMENSION + 1), dtype=np.float32),
        np.ones((9, DIMENSION), dtype=np.float32),
        np.ones((4, DIMENSION)),
        np.full((4, DIMENSION), np.nan, dtype=np.float32),
        np.ones(DIMENSION, dtype=np.float32),
        None,
    ],
)
def test_kept_vectors_that_cannot_be_the_teachers_are_made_anew(
    clip: nervid.Clip, tmp_path: Path, kept: np.ndarray | None
) -> None:
    wanted = teach(clip, Fake(), tmp_path)
    (path,) = tmp_path.iterdir()
    if kept is None:
        path.write_bytes(path.read_bytes()[:100])
    else:
        np.save(path, kept)
    again = Fake()
    np.testing.assert_array_equal(teach(clip, again, tmp_path), wanted)
    assert again.asked == 1


def test_an_unfinished_batch_is_asked_again(
    clip: nervid.Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nervid.encoder.align.FRAMES_AT_ONCE", 4)
    wanted = teach(clip, Fake(), tmp_path)
    (path,) = tmp_path.iterdir()
    np.save(path, wanted[:7])
    again = Fake()
    np.testing.assert_array_equal(teach(clip, again, tmp_path), wanted)
    assert again.asked == 1


def test_a_folder_that_cannot_be_written_is_one_line(clip: nervid.Clip, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*gone: No such file"):
        teach(clip, Fake(), tmp_path / "gone")
