"""The benchmark of the nervid codec: its other parts, its command; the smallest run keeps nothing."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import codec, codec_bench, codec_fits
from benchmarks.bars import BARS, ROOT, Hardware
from benchmarks.codec_bench import RESULTS, Bench, Choice
from benchmarks.codec_clips import synthetic
from benchmarks.codec_curves import effort_of
from benchmarks.codec_fits import Effort, Encoding, Encodings
from benchmarks.codec_speed import keep_film, keep_played, keep_quick, quick_efforts
from benchmarks.codec_toy import try_out
from benchmarks.meta_runs import Facts, Runs
from nervid.errors import InputError
from tests.codec.samples import kept


def test_toys_leave_nothing(bench: Bench) -> None:
    replace(bench, is_recorded=False).keep("a", 1.0, "dB", ">= 0", True)
    replace(bench, is_recorded=False).write("a", {"rows": []})
    assert list(bench.results.iterdir()) == []


def quick_row(seconds: float, psnr_db: float, parameters: int = 300_000) -> dict[str, Any]:
    return {"seconds": seconds, "psnr_db": psnr_db, "parameters": parameters}


def test_the_quick_bars_take_the_first_fit_that_is_good_enough_and_small(bench: Bench) -> None:
    rows = [quick_row(8.5, 29.0), quick_row(19.0, 30.2), quick_row(58.0, 32.0), quick_row(61.0, 33.0)]
    keep_quick(bench, [quick_row(25.0, 33.0, parameters=400_000), *rows])
    seconds, minute = kept(bench).values()
    assert {seconds, minute} == {(19.0, "<= 20 (stretch 8)", True), (32.0, ">= 32.5 (stretch 33.5)", False)}
    keep_quick(bench, rows[:1])
    assert kept(bench)["Bunny 160x320, whole encoding: time to 30.09 dB"][::2] == (8.5, False)


def test_a_minute_of_a_large_network_misses_its_bar_whatever_its_quality(bench: Bench) -> None:
    keep_quick(bench, [quick_row(5.0, 33.0, parameters=400_000)])
    assert sorted(kept(bench).values()) == [
        (5.0, "<= 20 (stretch 8)", True),
        (33.0, ">= 32.5 (stretch 33.5)", False),
    ]


@pytest.mark.parametrize(
    ("psnr_db", "seconds", "met"), [(32.0, 600.0, True), (31.99, 1.0, False), (40.0, 601.0, False)]
)
def test_the_large_clip_needs_quality_and_time(
    bench: Bench, psnr_db: float, seconds: float, met: bool
) -> None:
    keep_film(bench, {"frames": 132, "psnr_db": psnr_db, "seconds": seconds})
    ((value, _, is_met),) = kept(bench).values()
    assert (value, is_met) == (psnr_db, met)


def test_playing_has_three_bars(bench: Bench) -> None:
    keep_played(bench, {"fps": 29.9, "first_frame_ms": 299.0, "macs_per_pixel": 10_000.0})
    assert [met for _, _, met in kept(bench).values()] == [False, True, True]
    assert sorted(value for value, _, _ in kept(bench).values()) == [29.9, 299.0, 10_000.0]


def test_times_are_taken_on_two_cores_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for cores in (2, 16):
        monkeypatch.setattr(codec_bench, "hardware", lambda n=cores: Hardware(cpu="a", cores=n, gpu=None))
        replace(bench, is_recorded=False).need_cores()
        if cores == 2:
            bench.need_cores()
    with pytest.raises(InputError, match="2 cores, this process may use 16; run it under taskset -c 0-1"):
        bench.need_cores()


def test_an_effort_is_asked_for_in_one_way() -> None:
    assert Effort(preset="best").options == {"preset": "best"}
    assert Effort(epochs=3).options == {"epochs": 3}
    assert Effort(seconds=60.0).options == {"time": "60s"}
    assert [str(effort) for effort in (Effort(preset="best"), Effort(epochs=3), Effort(seconds=8.0))] == [
        "best",
        "3 epochs",
        "8 s",
    ]
    assert effort_of("nervid", "640x360", Choice(preset="fast", epochs=7)) == Effort(preset="fast")
    assert effort_of("hnerv", "640x360", Choice(epochs=7)) == Effort(epochs=7)
    assert effort_of("hnerv", "640x360", Choice()) == Effort(epochs=40)
    assert quick_efforts("nervid")[-1] == Effort(seconds=60.0)
    assert quick_efforts("hnerv")[0] == Effort(epochs=1)


def test_an_encoding_is_done_once_for_a_version_of_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []

    def encoded(job: Encoding, *_: object) -> Facts:
        done.append(job.size_bytes)
        return {"bytes": job.size_bytes}

    monkeypatch.setattr(codec_fits, "encoded", encoded)
    job, original = Encoding(network="hnerv", size_bytes=9, effort=Effort(epochs=1)), synthetic(1)
    with Runs(tmp_path, workers=0) as runs:
        assert Encodings(runs=runs, code="one").outcomes([job], original) == [{"bytes": 9}]
    with Runs(tmp_path, workers=0) as runs:
        Encodings(runs=runs, code="one").outcomes([job], original)
        assert done == [9]
        Encodings(runs=runs, code="other").outcomes([job], original)
        Encodings(runs=runs, code="one").outcomes([replace(job, effort=Effort(epochs=2))], original)
        Encodings(runs=runs, code="one").outcomes([job], synthetic(2))
    assert done == [9, 9, 9, 9]


def test_the_smallest_run_measures_every_part_and_keeps_nothing() -> None:
    files = [BARS, *sorted(RESULTS.glob("codec*"))]
    before = [path.read_bytes() for path in files]
    found = try_out(is_apart=False)
    assert [path.read_bytes() for path in files] == before
    assert [row["codec"] for row in found["classical"]] == ["x264", "x265", "svtav1"]
    for row in found["classical"]:
        assert row["psnr_db"][0] <= 33
        assert row["psnr_db"][-1] >= 34
        assert row["psnr_db"] == sorted(row["psnr_db"])
    curve = found["curves"]
    for size, asked in zip(curve["kB"], (8, 16), strict=True):
        assert 0.97 * asked <= size <= asked
    assert 5 < found["quick"][0]["psnr_db"] == curve["psnr_db"][0] == found["encode720"]["psnr_db"]
    assert found["decode"]["bytes"] == 1000 * curve["kB"][0]
    assert found["decode"]["macs_per_pixel"] == curve["macs_per_pixel"][0] > 100
    assert found["decode"]["fps"] > 1
    assert found["decode"]["first_frame_ms"] > 0
    assert found["rows"][-1]["clip"] == "mean"


def test_an_unknown_part_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        codec.main(["curve"])
    assert (
        "wanted parts of classical curves ablation quick encode720 decode plots, got curve"
        in capsys.readouterr().err
    )


def test_parts_get_what_was_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[Bench] = []
    parts: dict[str, Callable[[Bench], None]] = {"curves": seen.append}
    monkeypatch.setattr(codec, "PARTS", parts)
    monkeypatch.setattr(codec, "WORK", tmp_path)
    assert codec.main(["curves", "--clips", "cup", "--networks", "nervid", "--preset", "best"]) == 0
    (bench,) = seen
    assert bench.choice == Choice(clips=("cup",), networks=("nervid",), preset="best")
    assert (bench.part, bench.is_recorded) == ("curves", True)


@pytest.mark.slow
def test_a_file_that_cannot_be_played_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.codec_play", str(tmp_path / "a.nerv")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "a.nerv" in done.stderr.splitlines()[-1]
