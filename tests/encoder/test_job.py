from pathlib import Path

import pytest

from nervid.encoder.job import CodedSegment, Job
from nervid.errors import OutputError

SEGMENT = CodedSegment(modl=b"model", wght=b"weights", embd=b"", psnr_db=31.5, parameters=12)


def test_a_stored_segment_comes_back_in_the_next_run(tmp_path: Path) -> None:
    Job(tmp_path / "job", "key").store("segment00000", SEGMENT)
    again = Job(tmp_path / "job", "key")
    assert again.resumed
    assert again.load("segment00000") == SEGMENT
    assert again.load("segment00001") is None


def test_no_embeddings_and_empty_embeddings_are_told_apart(tmp_path: Path) -> None:
    job = Job(tmp_path / "job", "key")
    without = CodedSegment(modl=b"m", wght=b"w", embd=None, psnr_db=0.0, parameters=1)
    job.store("a", without)
    assert job.load("a") == without


def test_another_key_starts_afresh(tmp_path: Path) -> None:
    Job(tmp_path / "job", "key").store("segment00000", SEGMENT)
    other = Job(tmp_path / "job", "other")
    assert not other.resumed
    assert other.load("segment00000") is None


def test_a_segment_cut_short_on_disk_does_not_count(tmp_path: Path) -> None:
    job = Job(tmp_path / "job", "key")
    job.store("a", SEGMENT)
    (tmp_path / "job" / "a.bin").write_bytes(b"mod")
    assert job.load("a") is None
    job.store("b", SEGMENT)
    (tmp_path / "job" / "b.json").write_text("{")
    assert job.load("b") is None


def test_time_adds_up_over_runs(tmp_path: Path) -> None:
    Job(tmp_path / "job", "key").add_seconds(2.5)
    job = Job(tmp_path / "job", "key")
    job.add_seconds(1.0)
    assert job.seconds == 3.5


def test_storing_drops_the_checkpoint_and_removing_drops_everything(tmp_path: Path) -> None:
    job = Job(tmp_path / "job", "key")
    job.checkpoint("a").write_bytes(b"state")
    job.store("a", SEGMENT)
    assert not job.checkpoint("a").exists()
    job.remove()
    assert not (tmp_path / "job").exists()


def test_a_file_in_the_way_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        Job(tmp_path / "file" / "job", "key")
