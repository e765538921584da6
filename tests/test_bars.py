"""Bars merge by name, sort by name, and read as missed ones first."""

import io
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from benchmarks.bars import Bar, Hardware, commit, from_json, load, merge, record, show, to_json, unmet_first
from nervid.errors import InputError, OutputError

MACHINE = Hardware(cpu="a CPU", cores=2, gpu=None)


def bar(issue: str, row: str, *, met: bool = True, reason: str | None = None, value: float = 1.0) -> Bar:
    return Bar(
        issue=issue,
        row=row,
        value=value,
        unit="dB",
        target=">= 1",
        met=met,
        command="make bars",
        reason=reason,
        commit="abc1234",
        hardware=MACHINE,
    )


bars = st.builds(
    Bar,
    issue=st.sampled_from(["core", "engine", "codec"]),
    row=st.text(min_size=1),
    value=st.floats(allow_nan=False, allow_infinity=False),
    unit=st.text(),
    target=st.text(),
    met=st.booleans(),
    command=st.text(),
    reason=st.none() | st.text(),
    commit=st.text(),
    hardware=st.builds(Hardware, cpu=st.text(), cores=st.integers(1, 512), gpu=st.none() | st.text()),
)


@given(st.lists(bars))
def test_bars_survive_json(some: list[Bar]) -> None:
    assert from_json(to_json(some)) == some


@given(st.lists(bars, unique_by=lambda one: one.key))
def test_merging_in_any_order_gives_the_same_sorted_bars(some: list[Bar]) -> None:
    forwards: list[Bar] = []
    for one in some:
        forwards = merge(forwards, one)
    backwards: list[Bar] = []
    for one in reversed(some):
        backwards = merge(backwards, one)
    assert forwards == backwards == sorted(some, key=lambda one: one.key)


def test_a_bar_of_the_same_issue_and_row_is_replaced() -> None:
    old = [bar("core2", "size"), bar("core2", "speed"), bar("core3", "size")]
    new = bar("core2", "size", value=5.0)
    assert merge(old, new) == [new, bar("core2", "speed"), bar("core3", "size")]


def test_a_bar_missed_again_keeps_its_reason() -> None:
    old = [bar("core2", "size", met=False, reason="the header is large")]
    again = bar("core2", "size", met=False, value=2.0)
    assert merge(old, again) == [replace(again, reason="the header is large")]


def test_a_bar_met_at_last_loses_its_reason() -> None:
    old = [bar("core2", "size", met=False, reason="the header is large")]
    assert merge(old, bar("core2", "size")) == [bar("core2", "size")]


def test_missed_bars_come_first() -> None:
    some = [bar("core1", "a"), bar("core1", "b", met=False), bar("core2", "a", met=False), bar("core2", "b")]
    assert [one.key for one in unmet_first(some)] == [
        ("core1", "b"),
        ("core2", "a"),
        ("core1", "a"),
        ("core2", "b"),
    ]


def test_the_table_gives_the_reason_of_a_miss() -> None:
    console = Console(file=io.StringIO(), width=200)
    console.print(show([bar("core1", "size"), bar("core2", "speed [s]", met=False, reason="one slow layer")]))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert " ".join(lines[1].split()) == "missed core2 speed [s]: one slow layer 1 dB >= 1 abc1234, a CPU"
    assert " ".join(lines[2].split()) == "met core1 size 1 dB >= 1 abc1234, a CPU"


def test_the_file_is_canonical_json() -> None:
    text = to_json([bar("core2", "größe")])
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert '"row": "größe"' in text


def test_recording_twice_leaves_one_row_and_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.bars.hardware", lambda: MACHINE)
    monkeypatch.setattr("benchmarks.bars.commit", lambda: "abc1234")
    path = tmp_path / "bars.json"
    record("core2", "size", 3.5, "%", "<= 3", False, "make bars", "untuned", path=path)
    kept = record("core2", "size", 3.25, "%", "<= 3", False, "make bars", path=path)
    assert kept.reason == "untuned"
    assert load(path) == [kept]
    assert kept.value == 3.25
    assert [file.name for file in tmp_path.iterdir()] == ["bars.json"]


def test_a_value_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="bar 'size': wanted a finite value, got nan; measure it again"):
        record("core2", "size", float("nan"), "%", "<= 3", False, "make bars", path=tmp_path / "bars.json")


def test_an_unwritable_file_is_an_output_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.bars.hardware", lambda: MACHINE)
    monkeypatch.setattr("benchmarks.bars.commit", lambda: "abc1234")
    with pytest.raises(OutputError, match=r"cannot write .*bars\.json: No such file or directory"):
        record("core2", "size", 1.0, "%", "<= 3", True, "make bars", path=tmp_path / "missing" / "bars.json")


@pytest.mark.parametrize("text", ["", "[1]", "[{}]", '[{"issue": "core", "hardware": {}}]'])
def test_a_file_that_holds_no_bars_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"wanted the JSON list that bars\.py writes"):
        from_json(text)


def test_no_file_means_no_bars(tmp_path: Path) -> None:
    assert load(tmp_path / "bars.json") == []


def test_the_commit_says_dirty_only_for_tracked_code(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    with pytest.raises(InputError, match="wanted a git checkout with a commit"):
        commit(tmp_path)
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    code, results = tmp_path / "code.py", tmp_path / "benchmarks" / "bars.json"
    facts = tmp_path / "benchmarks" / "results" / "engine.json"
    code.write_text("1\n")
    results.write_text("[]\n")
    facts.write_text("{}\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    clean = commit(tmp_path)
    assert not clean.endswith("-dirty")
    results.write_text("[ ]\n")
    facts.write_text("{ }\n")
    (tmp_path / "untracked").write_text("")
    assert commit(tmp_path) == clean
    code.write_text("2\n")
    assert commit(tmp_path) == f"{clean}-dirty"
