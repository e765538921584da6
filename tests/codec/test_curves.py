"""Curves of the codec benchmark: sizes asked for, comparisons, means, bars, pictures."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import codec_classical
from benchmarks.codec_bench import Bench, Choice, rows_of
from benchmarks.codec_classical import curve
from benchmarks.codec_clips import NAMES, synthetic
from benchmarks.codec_curves import curves, finish, sizes_for
from benchmarks.codec_plots import line_of, plot_rates, plots, rates
from benchmarks.codec_tables import bd_row, percent, shared_db, with_mean
from benchmarks.meta_runs import Facts, Runs
from benchmarks.report import page
from nervid.errors import InputError
from tests.codec.samples import KB, curve_of, drawn, kept, measured


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
    assert sizes_for("hnerv", x265) == [12000, 24290, 49169, 99527]
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
