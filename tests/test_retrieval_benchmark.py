"""The benchmark of search by latents runs and records nothing; its rankings, caches and queries are right."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import nervid
from benchmarks.bars import ROOT
from benchmarks.clips import load_table
from benchmarks.retrieval import RESULTS
from benchmarks.retrieval_files import aligned_video, code_version
from benchmarks.retrieval_items import (
    CARTOON,
    QUERIES,
    Item,
    TextQuery,
    film_items,
    label_queries,
    phrases,
    small_size,
    spread,
)
from benchmarks.retrieval_ranking import Scores, compare, first_rank, kendall_tau
from benchmarks.retrieval_table import retrieval
from benchmarks.retrieval_teacher import RememberingTeacher
from benchmarks.retrieval_toy import ToyTeacher
from nervid.errors import InputError


class Counting(ToyTeacher):
    """Counts the frames it is shown."""

    shown = 0

    def images(self, frames: Tensor) -> Tensor:
        self.shown += len(frames)
        return super().images(frames)


def frames_of(seed: int, count: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 48, 3), dtype=np.uint8)


def test_the_smallest_run_measures_both_parts_and_records_nothing() -> None:
    command = [sys.executable, "-m", "benchmarks.retrieval", "--smallest"]
    before = RESULTS.read_bytes() if RESULTS.is_file() else None
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    facts = json.loads(done.stdout.splitlines()[-1])
    fidelity, film = facts["fidelity"], facts["film"]
    assert [row["item"] for row in fidelity["files"]] == ["toy-0", "toy-1", "toy-2", "toy-3"]
    # One phrase and, of the labels red, green and blue, two.
    assert [(row["kind"], row["queries"]) for row in fidelity["recall"]] == [
        ("all", 3),
        ("phrase", 1),
        ("label", 2),
    ]
    assert fidelity["frames"] == film["frames"] == 64
    assert film["seconds"] == pytest.approx(64 / 12, abs=0.05)
    assert len(film["query_milliseconds"]) == 5
    assert 0 < film["bytes_read"] < film["bytes"]
    # Vectors that are read from a file are near the teacher's, even of toys.
    assert fidelity["worst_cosine"] > 0.95
    assert film["cosine"] > 0.95
    assert (RESULTS.read_bytes() if RESULTS.is_file() else None) == before


def test_every_phrase_names_natural_clips_and_stands_there_once() -> None:
    natural = {name for name in load_table() if not CARTOON.fullmatch(name)}
    groups = tomllib.loads(QUERIES.read_text(encoding="utf-8"))["group"]
    assert {name for group in groups for name in group["items"]} == natural
    found = phrases(QUERIES, natural)
    assert len(found) == sum(len(group["phrases"]) for group in groups) == 136
    assert {query.kind for query in found} == {"phrase"}


def test_a_phrase_is_asked_only_where_its_item_is_there() -> None:
    found = {query.text: query.items for query in phrases(QUERIES, ["cup", "gym-4", "gym-5"])}
    assert found["a hand holding a black cup"] == {"cup"}
    assert found["a balance exercise"] == {"gym-4", "gym-5"}
    assert found["dark curtains in a laboratory"] == {"gym-4"}
    assert "city traffic" not in found


def test_a_phrase_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "queries.toml"
    path.write_text('[[group]]\nitems = ["a"]\nphrases = ["x", "x"]\n')
    with pytest.raises(InputError, match="a phrase stands there twice"):
        phrases(path, ["a"])


def test_labels_become_queries_that_fit_all_items_that_have_them() -> None:
    labels = {"a": "crane", "b": "box", "c": "crane", "d": "apron"}
    everything = label_queries(labels, 99)
    assert [(query.text, sorted(query.items)) for query in everything] == [
        ("apron", ["d"]),
        ("box", ["b"]),
        ("crane", ["a", "c"]),
    ]
    assert [query.text for query in label_queries(labels, 1)] == ["box"]
    assert label_queries(labels, 0) == []


def test_values_are_spread_evenly() -> None:
    assert spread(range(10), 5) == [1, 3, 5, 7, 9]
    assert spread([1, 2], 3) == [1, 2]


@pytest.mark.parametrize(
    ("size", "small"),
    [((1280, 720), (176, 96)), ((1080, 1920), (96, 176)), ((176, 144), (112, 96)), ((640, 272), (224, 96))],
)
def test_small_frames_keep_their_aspect(size: tuple[int, int], small: tuple[int, int]) -> None:
    assert small_size(*size) == small


def test_shots_are_the_parts_between_cuts() -> None:
    dark, bright = np.zeros((60, 32, 48, 3), np.uint8), np.full((150, 32, 48, 3), 250, np.uint8)
    frames = np.concatenate([dark, bright])
    items = film_items(nervid.read(frames, frame_rate=24), frames, 5)
    assert [item.name for item in items] == ["shot-00000", "shot-00060"]
    # Every second frame, and of a long shot the first 96 alone.
    assert [len(item.frames) for item in items] == [30, 48]
    assert [item.frame_rate for item in items] == [Fraction(12)] * 2
    assert items[1].frames.min() == 250
    assert items[1].middle.shape == (3, 32, 48)


@pytest.mark.parametrize(
    ("first", "second", "tau"),
    [
        ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], 1.0),
        ([1.0, 2.0, 3.0], [3.0, 2.0, 1.0], -1.0),
        # 5 of 6 pairs agree, 1 does not.
        ([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 4.0, 3.0], 4 / 6),
        # One pair is a tie in the first: 2 agree, / sqrt(2 x 3).
        ([1.0, 1.0, 2.0], [1.0, 2.0, 3.0], 2 / 6**0.5),
        ([1.0, 1.0], [1.0, 2.0], 0.0),
    ],
)
def test_kendall_tau(first: Sequence[float], second: Sequence[float], tau: float) -> None:
    assert kendall_tau(np.array(first), np.array(second)) == pytest.approx(tau)


def test_equal_scores_stay_in_order() -> None:
    names = ["a", "b", "c"]
    values = np.array([0.5, 0.9, 0.5])
    assert [first_rank(values, names, frozenset({name})) for name in names] == [2, 1, 3]
    assert first_rank(values, names, frozenset({"c", "a"})) == 2


def test_two_rankings_are_held_against_the_truth() -> None:
    names = [f"item-{index:02d}" for index in range(12)]
    falling = np.linspace(1, 0, 12)
    by_teacher = np.stack([falling, falling, falling])
    by_file = np.stack([falling, falling[::-1], falling])
    frames = np.stack([np.arange(5.0)] * 3)
    queries = [
        TextQuery(text="p", kind="phrase", items=frozenset({"item-00"})),
        TextQuery(text="q", kind="phrase", items=frozenset({"item-01", "item-11"})),
        TextQuery(text="l", kind="label", items=frozenset({"item-11"})),
    ]
    ours, theirs = (Scores(items=items, frames=frames) for items in (by_file, by_teacher))
    facts = compare(names, queries, ours, theirs)
    everything, phrase, label = facts["recall"]
    assert everything == {
        "kind": "all",
        "queries": 3,
        "r_at_1_file_percent": 66.67,
        "r_at_1_teacher_percent": 33.33,
        "r_at_10_file_percent": 66.67,
        "r_at_10_teacher_percent": 66.67,
    }
    assert (phrase["r_at_1_file_percent"], phrase["r_at_1_teacher_percent"]) == (100.0, 50.0)
    assert (label["queries"], label["r_at_10_file_percent"]) == (1, 0.0)
    assert facts["kendall_tau_items"] == pytest.approx(1 / 3, abs=1e-4)
    assert facts["kendall_tau_frames"] == 1.0
    assert facts["same_first_percent"] == 66.67
    assert [(row["rank_file"], row["rank_teacher"]) for row in facts["queries"]] == [(1, 1), (1, 2), (12, 12)]


def test_a_teacher_sees_no_frame_twice_in_two_runs(tmp_path: Path) -> None:
    frames = torch.from_numpy(frames_of(1, 6)).permute(0, 3, 1, 2)
    inner = Counting()
    first = RememberingTeacher(inner, tmp_path)
    wanted = ToyTeacher().images(frames)
    torch.testing.assert_close(first.images(frames[:4]), wanted[:4], rtol=0, atol=1e-5)
    first.save()
    second = RememberingTeacher(inner, tmp_path)
    assert len(second) == 4
    # A frame's numbers may depend a little on how many are shown beside it.
    torch.testing.assert_close(second.images(frames.flip(0)), wanted.flip(0), rtol=0, atol=1e-5)
    assert (wanted - wanted.flip(0)).abs().max() > 1e-2
    assert inner.shown == 6
    # Equal bytes in another shape are another frame.
    assert second.images(frames[:1].reshape(1, 3, 48, 32)).shape == (1, 16)
    assert inner.shown == 7


def test_a_file_is_found_again_only_for_the_same_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = nervid.read(frames_of(2), frame_rate=12)
    options: dict[str, Any] = {"epochs": 1, "size": "12kB"}
    made = aligned_video(clip, "a", ToyTeacher(), tmp_path, options)
    assert made.path.stat().st_size == made.facts["size_bytes"] <= 12_000
    assert made.facts["frames"] == 16
    before = made.path.stat().st_mtime_ns
    again = aligned_video(clip, "a", ToyTeacher(), tmp_path, options)
    assert again == made
    assert again.path.stat().st_mtime_ns == before
    other = aligned_video(clip, "a", ToyTeacher(), tmp_path, options | {"epochs": 2})
    assert other.path != made.path
    monkeypatch.setattr("benchmarks.retrieval_files.code_version", lambda: "another")
    assert aligned_video(clip, "a", ToyTeacher(), tmp_path, options).path not in {made.path, other.path}
    assert list(tmp_path.glob("*.work")) == []


def test_the_code_version_follows_what_files_depend_on(tmp_path: Path) -> None:
    for name in ("a.py", "fit/b.py", "cli/c.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1\n")
    code_version.cache_clear()
    first = code_version(tmp_path)
    (tmp_path / "cli" / "c.py").write_text("2\n")
    code_version.cache_clear()
    assert code_version(tmp_path) == first
    (tmp_path / "fit" / "b.py").write_text("2\n")
    code_version.cache_clear()
    assert code_version(tmp_path) != first


def test_the_page_has_a_section() -> None:
    recall = {
        "r_at_1_file_percent": 40.5,
        "r_at_1_teacher_percent": 41.0,
        "r_at_10_file_percent": 80.0,
        "r_at_10_teacher_percent": 81.0,
    }
    facts = {
        "command": "do it",
        "hardware": {"cpu": "a CPU", "cores": 2, "gpu": None},
        "fidelity": {
            "commit": "abc1234",
            "texts": 200,
            "items": 3,
            "frames": 1234,
            "recall": [
                {"kind": "all", "queries": 200} | recall,
                {"kind": "phrase", "queries": 136} | recall,
                {"kind": "label", "queries": 64} | recall,
            ],
            "kendall_tau_items": 0.95,
            "kendall_tau_frames": 0.9,
            "same_first_percent": 88.5,
            "cosine": 0.99,
            "files": [{"item": "cup", "cosine": 0.98}, {"item": "box", "cosine": 0.97}],
        },
        "film": {
            "commit": "def5678",
            "seconds": 596.5,
            "frames": 14315,
            "width": 176,
            "height": 96,
            "segments": 140,
            "bytes": 12_000_000,
            "bits_per_pixel": 0.4,
            "psnr_db": 20.123,
            "epochs": 1,
            "cosine": 0.96,
            "query_milliseconds": [80.0, 90.0],
            "median_milliseconds": 85.0,
            "bytes_read": 400_000,
            "share_read_percent": 3.33,
        },
    }
    text = "\n".join(retrieval(facts))
    assert text.startswith("## Search by latents\n")
    assert "200 texts rank 3 items (1,234 frames;" in text
    assert "\n| all texts | 200 | 40.5 | 41 | 80 | 81 |\n| phrases | 136 |" in text
    assert "| the same, lowest items | box 0.97, cup 0.98 |\n" in text
    assert "| 12,000,000 | 0.4 | 140 | 20.12 | 0.96 | 85 | 400,000 | 3.33 |\n" in text
    assert "\n`do it fidelity` at abc1234 on a CPU\n" in text
    assert text.endswith("`do it film` at def5678 on a CPU\n")
    assert max(map(len, text.splitlines())) <= 118


def test_an_item_is_read_at_its_own_rate() -> None:
    item = Item(name="a", frames=frames_of(3), frame_rate=Fraction(25, 2))
    clip = item.clip()
    assert (len(clip), clip.info.frame_rate) == (16, Fraction(25, 2))
    assert len(replace(item, frames=item.frames[::2]).clip()) == 8
