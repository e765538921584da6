"""The curve is mirrored in a file, a JSON object a line."""

import json
from pathlib import Path

import pytest

from nervid.errors import OutputError
from nervid.meta.curve import Curve, CurvePoint


def point(step: int) -> CurvePoint:
    return CurvePoint(
        step=step, frames=8, start_db=20.5, adapted_db=None, held_out_db=24.25, seconds=float(step)
    )


def test_the_file_has_all_points_those_of_earlier_runs_first(tmp_path: Path) -> None:
    path = tmp_path / "curve.jsonl"
    path.write_text("what was here before")
    curve = Curve(path, [point(10)])
    curve.add(point(20))
    curve.add(point(30))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, 20, 30]
    assert lines[2] == {
        "step": 30,
        "frames": 8,
        "start_db": 20.5,
        "adapted_db": None,
        "held_out_start_db": None,
        "held_out_db": 24.25,
        "seconds": 30.0,
    }
    assert [path.name for path in tmp_path.iterdir()] == ["curve.jsonl"]


def test_without_a_path_points_are_kept_in_memory_alone(tmp_path: Path) -> None:
    given = [point(1)]
    curve = Curve(None, given)
    curve.add(point(2))
    assert [each.step for each in curve.points] == [1, 2]
    assert len(given) == 1


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*curve\.jsonl: No such file or directory"):
        Curve(tmp_path / "none" / "curve.jsonl", []).add(point(1))
