"""The benchmark of the nervid codec: clips, sizes, comparisons and bars; the smallest run keeps nothing."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import nervid
from benchmarks import codec, codec_bench, codec_classical, codec_fits
from benchmarks.bars import BARS, ROOT, Hardware, load
from benchmarks.codec_bench import RESULTS, Bench, Choice, rows_of
from benchmarks.codec_classical import curve
from benchmarks.codec_clips import CLASSES, NAMES, SOURCES, Shape, Source, chosen, read, synthetic
from benchmarks.codec_curves import curves, effort_of, finish, sizes_for
from benchmarks.codec_fits import Effort, Encoding, Encodings
from benchmarks.codec_plots import line_of, plot_rates, plots, rates
from benchmarks.codec_speed import keep_film, keep_played, keep_quick, quick_efforts
from benchmarks.codec_tables import bd_row, percent, shared_db, with_mean
from benchmarks.codec_toy import try_out
from benchmarks.meta_runs import Facts, Runs
from benchmarks.report import page
from nervid.errors import InputError

KB = [10.0, 20.0, 40.0, 80.0]
DB = [28.0, 31.0, 34.0, 37.0]


def curve_of(times: float = 1.0, louder_db: float = 0.0) -> dict[str, Any]:
    return {"kB": [times * size for size in KB], "psnr_db": [value + louder_db for value in DB]}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(
        runs=Runs(None, workers=0),
        choice=Choice(),
        part="curves",
        work=tmp_path,
        results=tmp_path,
        bars=tmp_path / "bars.json",
    )


def kept(bench: Bench) -> dict[str, tuple[float, str, bool]]:
    """Recorded bars: value, target and whether it is met, by row."""
    return {bar.row: (bar.value, bar.target, bar.met) for bar in load(bench.bars)}


@pytest.mark.parametrize(
    ("source", "large", "small"),
    [
        ((1280, 720), (640, 360), (320, 180)),  # bunny
        ((720, 405), (360, 200), (320, 180)),  # city: twice as many rows as it has left would be 204
        ((1768, 994), (640, 360), (320, 180)),  # park
        ((1080, 1920), (360, 640), (180, 320)),  # gym-1
        ((1088, 1920), (360, 636), (180, 320)),  # gym-4
        ((768, 576), (384, 288), (276, 208)),  # vtest
        ((640, 480), (320, 240), (276, 208)),  # cup
        ((640, 360), (320, 180), (320, 180)),  # woman: one size in both classes
    ],
)
def test_clips_shrink_by_two_or_more_and_keep_their_shape(
    source: tuple[int, int], large: tuple[int, int], small: tuple[int, int]
) -> None:
    for wanted, pixels in zip((large, small), CLASSES.values(), strict=True):
        shape = Shape.of(*source, pixels)
        assert (shape.width, shape.height) == wanted
        left, top, right, bottom = shape.box
        assert min(left, top) >= 0
        assert right <= source[0]
        assert bottom <= source[1]
        factor = (right - left) / shape.width
        assert factor >= 2
        assert factor == pytest.approx((bottom - top) / shape.height)


def test_frames_are_averaged_over_areas() -> None:
    frame = np.zeros((16, 24, 3), dtype=np.uint8)
    frame[:2, :2] = [[[10], [20]], [[30], [40]]]
    shrunk = Shape.of(24, 16, 24 * 16).shrunk(frame)
    assert shrunk.shape == (8, 12, 3)
    assert shrunk[0, 0].tolist() == [25, 25, 25]
    assert not shrunk[1:].any()


def test_a_source_of_few_pixels_is_refused() -> None:
    with pytest.raises(InputError, match="8 pixels or more, got 40x6"):
        Shape.of(40, 6, 100)


def test_clips_are_chosen_by_name_in_their_order() -> None:
    assert [source.name for source in chosen(["cup", "city"])] == ["city", "cup"]
    assert chosen([]) == SOURCES
    with pytest.raises(InputError, match=r"wanted clips of bunny .*, got cat"):
        chosen(["city", "cat"])
    assert Choice().has_all_clips
    assert Choice().words == ""
    some = Choice(clips=("cup",), networks=("nervid", "hnerv"), preset="best", epochs=7)
    assert some.words == " --clips cup --networks nervid hnerv --preset best --epochs 7"
    assert not Choice(clips=("cup",)).has_all_clips


def test_a_clip_is_read_up_to_its_frames_or_refused(tmp_path: Path) -> None:
    demo = nervid.demo_clip()
    clip = read(Source(name="demo", file=demo.name, frames=2), "320x180", folder=demo.parent)
    info = nervid.read(demo).info
    shape = Shape.of(info.width, info.height, CLASSES["320x180"])
    assert clip.size == f"{shape.width}x{shape.height}"
    assert clip.frames.shape == (2, shape.height, shape.width, 3)
    assert clip.clip.info.frame_rate == info.frame_rate
    with pytest.raises(InputError, match="wanted 9999 frames, got"):
        read(Source(name="demo", file=demo.name, frames=9999), "320x180", folder=demo.parent)
    with pytest.raises(InputError, match=r"city\.mpg: no such clip; fetch it with make clips"):
        read(SOURCES[1], "320x180", folder=tmp_path)


def test_a_codec_is_measured_one_point_beyond_each_end(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def measured(runs: Runs, original: object, codec: str, crf: float) -> Facts:
        asked.append(crf)
        rest = {"ms_ssim": 0.9, "encode_seconds": 1.0, "decode_fps": 50.0}
        psnr_db = 64 - crf if codec == "x265" else min(64 - crf, 38.9)
        return {"crf": crf, "bytes": round(1000 * 2 ** (10 - crf / 5)), "psnr_db": psnr_db} | rest

    monkeypatch.setattr(codec_classical, "measured", measured)
    row = curve(Runs(None, workers=0), synthetic(1), "x265", low_db=26, high_db=40)
    assert asked == [31, 26, 21, 31, 36, 41]
    assert row["crf"] == [41, 36, 31, 26, 21]
    assert row["psnr_db"] == [23, 28, 33, 38, 43]
    assert row["kB"] == sorted(row["kB"])
    # Where more bytes hardly help, the curve ends before.
    assert curve(Runs(None, workers=0), synthetic(1), "x264", low_db=26, high_db=40)["crf"] == [
        41,
        36,
        31,
        26,
    ]
    # Beyond the coarsest setting there is nothing.
    assert curve(Runs(None, workers=0), synthetic(1), "x265", low_db=0, high_db=30)["crf"] == [
        51,
        46,
        41,
        36,
        31,
    ]


def test_sizes_are_those_of_x265_evenly_spaced() -> None:
    x265 = {"crf": [30.0, 20.0], "kB": [10.0, 100.0]}  # a tenth for every 10: 39.8 kB at 24, 1 kB at 40
    assert sizes_for("nervid", x265) == [3000, 7103, 16815, 39811]
    assert sizes_for("hnerv", x265) == [12000, 28410, 67262, 159243]
    large = {"crf": [40.0, 30.0, 24.0], "kB": [20.0, 60.0, 100.0]}
    assert sizes_for("nervid", large)[::3] == [20_000, 100_000]
    # Where x265 needs almost nothing, sizes still differ by enough.
    assert sizes_for("nervid", {"crf": [40.0, 24.0], "kB": [0.1, 0.2]}) == [3000, 4762, 7560, 12000]


def test_bd_rates_are_those_of_the_rows() -> None:
    assert percent(curve_of(), curve_of(0.5)) == pytest.approx(-50)
    assert percent(curve_of(), curve_of(2)) == pytest.approx(100)
    assert percent(curve_of(), curve_of(louder_db=20)) is None
    assert shared_db(curve_of(), curve_of(louder_db=2)) == 7
    assert shared_db(curve_of(), curve_of(louder_db=20)) == 0
    curves = {"x265": curve_of(), "svtav1": curve_of(0.5), "nervid": curve_of(0.25)}
    assert bd_row({"clip": "a"}, curves, "nervid", ["x265", "svtav1", "hnerv"]) == {
        "clip": "a",
        "x265 (%)": -75,
        "x265, shared_db": 9,
        "svtav1 (%)": -50,
        "svtav1, shared_db": 9,
    }


def test_a_mean_lacks_what_one_clip_lacks() -> None:
    rows = [
        {"clip": "a", "x265 (%)": -10.0, "hnerv (%)": None},
        {"clip": "b", "x265 (%)": 30.0, "hnerv (%)": -5.0},
    ]
    assert with_mean(rows, row={"class": "c"})[-1] == {
        "class": "c",
        "clip": "mean",
        "x265 (%)": 10.0,
        "hnerv (%)": None,
    }


def measured(bench: Bench, *, size_class: str = "640x360") -> Bench:
    """Give the results of conventional codecs: x265 as it is, SVT-AV1 with half its bytes."""
    rows = [
        {"class": size_class, "clip": clip, "codec": codec} | curve_of(times)
        for clip in NAMES
        for codec, times in (("x265", 1.0), ("svtav1", 0.5))
    ]
    replace(bench, part="classical").write("classical", {"curves": rows})
    return bench


def drawn(clip: str, times: float = 1.9, network: str = "nervid") -> dict[str, Any]:
    return {"clip": clip, "size": "640x360", "network": network} | curve_of(times)


def test_means_of_all_clips_are_kept_as_bars(bench: Bench) -> None:
    measured(bench)
    found = [drawn(clip) for clip in NAMES]
    found[0] |= curve_of(0.4)
    finish(bench, "640x360", [*found, *(drawn(clip, 9.5, "hnerv") for clip in NAMES)])
    bars = kept(bench)
    against = "BD-rate against {}, mean of 8 clips, 640x360, balanced"
    value, *rest = bars.pop(against.format("x265"))
    assert value == pytest.approx(71.25, abs=0.1)
    assert rest == ["<= 100 (stretch 25)", True]
    value, *rest = bars.pop(against.format("hnerv"))
    assert value == pytest.approx(-82, abs=0.1)
    assert rest == ["<= -75 (stretch -85)", True]
    counted = "clips on which SVT-AV1 preset 4 needs more bytes, 640x360, balanced"
    assert bars == {counted: (1, "shown (stretch 4)", True)}
    rows = rows_of(bench.results, "curves_640x360_balanced", "rows")
    assert [row["clip"] for row in rows] == [*NAMES, "mean", *NAMES, "mean"]
    facts = json.loads((bench.results / "codec_curves_640x360_balanced.json").read_text())
    assert facts["command"] == "python -m benchmarks.codec curves"
    assert facts["hardware"]["cores"] >= 1


def test_best_has_a_bar_of_its_own_and_x265_only_one_class(bench: Bench) -> None:
    best = replace(bench, choice=Choice(preset="best"))
    finish(measured(best, size_class="320x180"), "320x180", [drawn(clip) for clip in NAMES])
    assert list(kept(best)) == ["clips on which SVT-AV1 preset 4 needs more bytes, 320x180, best"]
    finish(measured(best), "640x360", [drawn(clip, 1.26) for clip in NAMES])
    value, *rest = kept(best)["BD-rate against x265, mean of 8 clips, 640x360, best"]
    assert value == pytest.approx(26, abs=0.1)
    assert rest == ["<= 25 (stretch -20)", False]


def test_clips_are_added_one_by_one_and_measured_again(bench: Bench) -> None:
    measured(bench)
    for clip in NAMES[:0:-1]:
        some = replace(bench, choice=Choice(clips=(clip,), networks=("nervid",), code="ab", workers=2))
        finish(some, "640x360", [drawn(clip)])
    assert kept(bench) == {}
    rows = rows_of(bench.results, "curves_640x360_balanced", "rows")
    assert [row["clip"] for row in rows] == list(NAMES[1:])
    finish(bench, "640x360", [drawn(NAMES[1], 3.0), drawn(NAMES[0])])
    rows = rows_of(bench.results, "curves_640x360_balanced", "rows")
    assert [row["x265 (%)"] for row in rows] == pytest.approx([90, 200, *6 * [90], 103.75], abs=0.1)
    assert kept(bench)["BD-rate against x265, mean of 8 clips, 640x360, balanced"][2] is False
    some = replace(bench, choice=Choice(clips=("cup",), workers=2, code="ab"))
    finish(some, "640x360", [drawn("cup")])
    facts = json.loads((bench.results / "codec_curves_640x360_balanced.json").read_text())
    assert facts["command"] == "python -m benchmarks.codec curves --workers 2"


def test_curves_need_those_of_conventional_codecs(bench: Bench) -> None:
    with pytest.raises(InputError, match="no curves of x265 for bunny; run the part classical first"):
        curves(bench)


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


def test_a_picture_has_a_panel_for_every_clip(tmp_path: Path) -> None:
    facts = {"size": "64x32", "frames": 10} | curve_of()
    rows = [{"clip": name, "codec": codec} | facts for name in "ab" for codec in ("x265", "svtav1")]
    best = {"clip": "a", "network": "nervid", "effort": "best"} | facts
    assert [line_of(row) for row in (rows[0], best)] == ["x265", "nervid best"]
    path = plot_rates([*rows, best], tmp_path / "rd.png")
    with Image.open(path) as picture:
        assert picture.size == (600, 310)
    assert rates(rows[0]) == [8 * 1000 * size / (10 * 64 * 32) for size in KB]


def test_without_results_there_is_nothing_to_draw(bench: Bench) -> None:
    with pytest.raises(InputError, match="no results of this benchmark; run the part classical first"):
        plots(bench)


def test_the_page_shows_a_class_and_a_preset(tmp_path: Path, bench: Bench) -> None:
    written = replace(bench, results=tmp_path / "results")
    written.results.mkdir()
    finish(measured(written), "640x360", [drawn(clip) for clip in NAMES])
    text = page(tmp_path)
    assert "## The codec nervid, 640x360, balanced" in text
    assert "| mean |  | nervid | 90 | 9.00 | 280 | 9.00 |" in text
    assert "| bunny | 640x360 | nervid | 19, 38, 76, 152 | 28, 31, 34, 37 |" in text


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
