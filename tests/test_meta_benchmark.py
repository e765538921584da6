"""The benchmark of meta-learning runs and records nothing; what it makes of its fits is right."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import meta, meta_curves, meta_parts
from benchmarks.bars import BARS
from benchmarks.meta_bench import RESULTS, Bench
from benchmarks.meta_clips import Frames, Stripes, held_out, square, synthetic
from benchmarks.meta_curves import best_trial, point, steps_to, tune
from benchmarks.meta_delta import savings
from benchmarks.meta_fits import Fit, Trial, TrialKind, draw_fit, network_at, outcome, plan_of
from benchmarks.meta_plots import plot_curves, strip
from benchmarks.meta_runs import Run, Runs, key_of
from benchmarks.meta_toy import TOY, try_out
from benchmarks.report import page
from nervid.errors import InputError
from nervid.fit.recipe import RECIPES
from nervid.meta.config import MetaConfig, MetaModel
from nervid.meta.learned import learned_config
from nervid.meta.train import meta_train


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("meta") / "toy.safetensors"
    return str(meta_train(Stripes(TOY.size, TOY.frames), TOY).save(path))


def fit_of(file: str, **changes: Any) -> Fit:  # noqa: ANN401 - fields of Fit
    fields: dict[str, Any] = {"initialization": file, "clip": "a", "size": 64, "start": "random"}
    return Fit(**(fields | {"steps": 2, "seed": 1} | changes))


def test_the_smallest_run_measures_every_part_and_records_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    kept = [BARS, *sorted(RESULTS.glob("meta*"))]
    before = [path.read_bytes() for path in kept]
    found = try_out()
    assert [path.read_bytes() for path in kept] == before
    assert [(row["kind"], row["rate"]) for row in found["tune"] if row["best"]] == [("adam", 0.004)]
    zero, one, four = found["curves"]
    assert zero["random_spread_db"] > 0  # seeds have other random weights
    assert zero["learned_spread_db"] == 0  # and the same learned ones
    assert one["recipe"] == "random: adam 0.004"
    assert four["recipe"] == "quick"
    assert four["learned_db"] > zero["learned_db"]
    assert four["gain_db"] == pytest.approx(four["learned_db"] - four["random_db"], abs=2e-3)
    for row in found["delta"]:
        assert 0.97 * row["asked"] <= row["bytes"] <= row["asked"]
    assert [row["start"] for row in found["delta"]] == ["random", "learned", "delta"]
    assert [row["arm"] for row in found["ablation"]] == ["plain", "random weights"]
    assert found["ablation"][0]["after_3_db"] != found["ablation"][1]["after_3_db"]
    assert min(found["learning_time"]) > 0
    assert capsys.readouterr().out == ""


def test_a_square_is_the_middle_averaged_over_areas() -> None:
    frame = np.zeros((4, 8, 3), dtype=np.uint8)
    frame[:, :2], frame[:, 6:] = 255, 255  # outside of the square
    frame[:2, 2:4] = [[[10], [20]], [[30], [40]]]
    drawn = square(frame, 2)
    assert drawn[:, :, 0].tolist() == [[25, 0], [0, 0]]


def test_stripes_move_and_differ() -> None:
    frames = synthetic(32, 3)
    assert frames.shape == (3, 3, 32, 32)
    assert frames.is_contiguous(memory_format=torch.channels_last)
    assert not torch.equal(frames[0], frames[1])
    assert not torch.equal(frames, synthetic(32, 3, phase=1))


def test_a_clip_that_was_not_fetched_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"bikes\.mp4: no such clip; run python -m benchmarks\.meta_corpus"):
        held_out(64, folder=tmp_path)


def test_runs_are_done_once_and_remembered(tmp_path: Path) -> None:
    done: list[int] = []

    def double(number: int) -> dict[str, Any]:
        done.append(number)
        return {"twice": 2 * number}

    runs = [Run(key=str(number), arguments=(number,)) for number in (3, 1, 3)]
    with Runs(tmp_path, workers=0) as kept:
        assert kept.outcomes(double, runs) == [{"twice": 6}, {"twice": 2}, {"twice": 6}]
    assert done == [3, 1]
    file = tmp_path / "finished.jsonl"
    file.write_text(file.read_text() + '{"name": "double 7", "fa')  # killed while it wrote
    with Runs(tmp_path, workers=0) as kept:
        assert kept.outcomes(double, [*runs, Run(key="7", arguments=(7,))])[-1] == {"twice": 14}
    assert done == [3, 1, 7]
    assert [json.loads(line)["name"] for line in file.read_text().splitlines()] == [
        "double 3",
        "double 1",
        "double 7",
    ]


def test_a_key_tells_parts_apart() -> None:
    assert key_of("a", "b") != key_of("ab", "")
    assert key_of(b"a", 1) == key_of(b"a", 1)


def test_learned_fits_take_the_learned_steps_and_random_ones_the_recipe(toy: str) -> None:
    learned = plan_of(fit_of(toy, start="learned"), 2)
    assert learned.start is not None
    assert learned.start.first_steps == TOY.inner_steps
    assert learned.recipe == RECIPES["quick"]
    assert plan_of(fit_of(toy), 2).start is None
    assert plan_of(fit_of(toy, recipe="hnerv"), 2).recipe == RECIPES["hnerv"]


@pytest.mark.parametrize(("kind", "inner"), [("orthogonal", "muon"), ("gradient", "gradient")])
def test_a_trial_gives_random_weights_one_rate(toy: str, kind: TrialKind, inner: str) -> None:
    plan = plan_of(fit_of(toy, steps=3, trial=Trial(kind=kind, rate=0.5)), 2)
    assert plan.start is not None
    assert (plan.start.weights, plan.start.inner, plan.start.first_steps) == ({}, inner, 3)
    assert set(plan.start.rates.values()) == {(0.5, 0.5, 0.5)}
    assert {name.split(".")[0] for name in plan.start.rates} == {"network", "encoder"}


def test_a_trial_of_an_optimizer_sees_all_frames_and_does_not_warm_up(toy: str) -> None:
    recipe = plan_of(fit_of(toy, trial=Trial(kind="adam", rate=0.25)), 8).recipe
    assert (recipe.optimizer, recipe.learning_rate, recipe.batch_size, recipe.warmup) == ("adam", 0.25, 8, 0)
    assert plan_of(fit_of(toy, trial=Trial(kind="muon", rate=0.25)), 8).recipe.optimizer == "muon"


@pytest.mark.parametrize("family", ["hnerv", "nerv"])
def test_another_size_has_the_learned_network_with_another_base_map(family: MetaModel) -> None:
    learned = learned_config(MetaConfig(model=family, size=128))
    assert network_at(learned, 128, 8) == learned
    larger = network_at(learned, 256, 4)
    assert (larger.height, larger.frames, larger.strides) == (256, 4, learned.strides)
    assert larger.base_height == 2 * learned.base_height
    if family == "hnerv":
        assert network_at(learned, 256, 8) == learned_config(MetaConfig(model="hnerv", size=256))


def test_a_fit_measures_what_it_draws(toy: str) -> None:
    frames = synthetic(64, 2)
    fit = fit_of(toy, start="learned", steps=0)
    drawn = draw_fit(fit, frames)
    error = (drawn.double() - frames.double()).square().mean((1, 2, 3))
    mean = float((10 * torch.log10(255**2 / error)).mean())
    assert outcome(fit, frames.numpy())["psnr_db"] == pytest.approx(mean, abs=1e-4)


Found = Callable[[Runs, Sequence[Fit], Mapping[str, Frames]], list[tuple[float, float]]]


def pretend(monkeypatch: pytest.MonkeyPatch, db: Callable[[Fit], float]) -> list[Fit]:
    """Replace fits by numbers; return those that were asked for."""
    asked: list[Fit] = []

    def measure(_: Runs, fits: Sequence[Fit], __: Mapping[str, Frames]) -> list[tuple[float, float]]:
        asked.extend(fits)
        return [(db(fit), float(fit.steps)) for fit in fits]

    monkeypatch.setattr(meta_curves, "measure", measure)
    return asked


CLIPS = {"a": synthetic(32, 1), "b": synthetic(32, 1)}


def test_the_best_rate_of_each_kind_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def db(fit: Fit) -> float:
        assert fit.trial is not None
        wanted = {"adam": 0.2, "gradient": 3.0}[fit.trial.kind]
        return 20 - abs(fit.trial.rate - wanted) - (fit.clip == "b") - (fit.trial.kind == "adam")

    pretend(monkeypatch, db)
    rows = tune(
        Runs(None, workers=0),
        family="nerv",
        initialization="",
        size=64,
        windows=CLIPS,
        trials={"adam": (0.1, 0.2, 0.4), "gradient": (1.0, 2.5)},
    )
    assert [(row["kind"], row["rate"], row["psnr_db"], row["at_edge"], row["best"]) for row in rows] == [
        ("adam", 0.2, 18.5, False, False),
        ("gradient", 2.5, 19.0, True, True),
    ]
    assert best_trial(rows, "nerv", 64) == Trial(kind="gradient", rate=2.5)


@pytest.mark.parametrize(("steps", "tried"), [(0, False), (1, True), (3, True), (10, False)])
def test_a_point_has_means_over_clips_and_the_spread_of_seeds(
    monkeypatch: pytest.MonkeyPatch, steps: int, tried: bool
) -> None:
    trial = Trial(kind="adam", rate=0.1)
    asked = pretend(
        monkeypatch,
        lambda fit: 20.0 + fit.seed + (fit.start == "learned") * (6 if fit.clip == "a" else 8),
    )
    row = point(
        Runs(None, workers=0),
        family="nerv",
        initialization="",
        clips=CLIPS,
        size=64,
        steps=steps,
        seeds=(1, 3),
        trial=trial,
    )
    assert (row["random_db"], row["learned_db"]) == (22.0, 29.0)
    assert row["random_spread_db"] == pytest.approx(2**0.5, abs=1e-3)
    assert (row["gain_db"], row["least_gain_db"]) == (7.0, 6.0)
    assert (row["clips"], row["seeds"], row["random_seconds"]) == (2, 2, steps)
    assert [fit.trial for fit in asked if fit.start == "random"] == [trial if tried else None] * 4
    assert {fit.trial for fit in asked if fit.start == "learned"} == {None}


def test_steps_to_a_quality_lie_between_two_points() -> None:
    curve = [(0, 10.0), (1, 20.0), (10, 30.0), (1000, 40.0)]
    assert steps_to(curve, 35.0) == pytest.approx(100.0)
    assert steps_to(curve, 30.0) == pytest.approx(10.0)
    assert steps_to(curve, 15.0) == 1.0
    assert steps_to(curve, 9.0) == 0.0
    assert steps_to(curve, 41.0) is None


def curve_rows(start: str, sizes: Sequence[int], add_db: float = 0.0, seed: int = 1) -> list[dict[str, Any]]:
    """Files whose PSNR rises by 6 dB with each doubling from 1000 bytes and 20 dB on."""
    common = {"network": "nerv", "clip": "a", "epochs": 30, "seed": seed, "start": start}
    return [common | {"bytes": size, "psnr_db": 20 + 6 * np.log2(size / 1000) + add_db} for size in sizes]


def test_savings_are_bytes_at_equal_quality() -> None:
    sizes = (1000, 2000, 4000, 8000)
    rows = [*curve_rows("random", sizes), *curve_rows("learned", sizes, 6.0)]
    rows += curve_rows("delta", sizes, 60.0)
    (found,) = savings(rows)
    assert found["learned (%)"] == pytest.approx(-50)
    assert found["learned, shared_db"] == 12
    assert (found["delta (%)"], found["delta, shared_db"]) == (None, 0)
    assert (found["seeds"], found["learned, spread"]) == (1, None)


def test_savings_are_means_over_seeds_of_one_clip() -> None:
    sizes = (1000, 2000, 4000, 8000)
    rows = [*curve_rows("random", sizes), *curve_rows("learned", sizes, 6.0), *curve_rows("delta", sizes)]
    rows += [*curve_rows("random", sizes, seed=2), *curve_rows("learned", sizes, seed=2)]
    rows += curve_rows("delta", sizes, 60.0, seed=2)
    (found,) = savings(rows)
    assert found["learned (%)"] == pytest.approx(-25)  # -50 and 0
    assert found["learned, spread"] == pytest.approx(35.36, abs=0.01)
    assert found["learned, shared_db"] == pytest.approx(15)  # 12 and 18
    assert (found["delta (%)"], found["seeds"]) == (None, 2)


def bench_of(monkeypatch: pytest.MonkeyPatch) -> tuple[Bench, list[tuple[Any, ...]]]:
    kept: list[tuple[Any, ...]] = []
    monkeypatch.setattr("benchmarks.meta_bench.record", lambda *bar: kept.append(bar))
    return Bench(runs=Runs(None, workers=0), initializations={"nerv": "f"}, is_recorded=True), kept


def test_bars_of_a_curve_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, kept = bench_of(monkeypatch)
    rows = [
        {"recipe": "random: x", "steps": 3, "random_db": 14.0, "learned_db": 21.0, "gain_db": 7.0},
        {"recipe": "quick", "steps": 30, "random_db": 20.0, "learned_db": 25.0, "gain_db": 5.0},
        {"recipe": "quick", "steps": 100, "random_db": 26.0, "learned_db": 29.0, "gain_db": 3.0},
        {"recipe": "quick", "steps": 300, "random_db": 30.0, "learned_db": 31.0, "gain_db": 1.0},
        {"recipe": "hnerv", "steps": 100, "random_db": 27.0, "learned_db": 28.5, "gain_db": 1.5},
    ]
    meta_parts.keep_curve(bench, "nerv", 128, rows)
    few, many, third = [(*bar[2:6], bar[7]) for bar in kept]
    assert few == (7.0, "dB", ">= 6", True, None)
    # Random weights do better with the published recipe, which is then the one compared.
    assert many == (1.5, "dB", ">= 2", False, None)
    assert third[0] == pytest.approx((100 * 300) ** 0.5, abs=1e-3)
    assert third[1:] == ("steps", "<= 100", False, None)
    rows[3]["random_db"] = 32.0
    meta_parts.keep_curve(bench, "nerv", 128, rows)
    assert kept[-1][2:6] == (300.0, "steps", "<= 100", False)
    assert kept[-1][7] == "not reached in 300 steps"


def test_bars_of_named_initializations_are_printed_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped, kept = bench_of(monkeypatch)
    named = Bench(runs=shipped.runs, initializations={}, is_recorded=False)
    named.keep("a row", 5.0, "dB", ">= 6", False)
    assert capsys.readouterr().out == "a row: 5 dB (>= 6, missed)\n"
    assert kept == []


def test_a_part_that_needs_another_one_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("benchmarks.meta_bench.RESULTS", tmp_path)
    bench, _ = bench_of(monkeypatch)
    with pytest.raises(InputError, match=r"meta_tune\.json: no such result; run first: python -m .* tune"):
        bench.trial("nerv", 128)


def test_a_missing_initialization_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert meta.main(["tune", "--initialization", str(tmp_path / "none.safetensors")]) == 1
    assert capsys.readouterr().err.startswith("InputError: cannot read the initialization")


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def test_pictures_stand_where_their_steps_say(tmp_path: Path) -> None:
    def plain(level: int) -> np.ndarray:
        return np.full((32, 32, 3), level, dtype=np.uint8)

    path = tmp_path / "strip.png"
    strip({"random": {0: plain(10), 3: plain(20)}, "learned": {0: plain(30), 3: plain(40)}}, plain(50), path)
    with Image.open(path) as picture:
        pixels = np.asarray(picture)
    height, width = pixels.shape[:2]
    lines = [pixels[height - 20 - 36 * line, width - 20 - 36 * np.arange(3), 0].tolist() for line in (1, 0)]
    assert lines == [[50, 20, 10], [50, 40, 30]]
    assert list(tmp_path.iterdir()) == [path]


def test_curves_are_drawn_for_every_network(tmp_path: Path) -> None:
    rows = [
        {"network": network, "steps": steps}
        | {
            f"{start}_{key}": value + steps
            for start in ("random", "learned")
            for key, value in (("db", 20.0), ("spread_db", 0.5), ("seconds", 1.0))
        }
        for network in ("hnerv", "nerv")
        for steps in (0, 3, 10)
    ]
    plot_curves(rows[:3], tmp_path / "one.png")
    plot_curves(rows, tmp_path / "two.png")
    one, two = (size_of(tmp_path / name) for name in ("one.png", "two.png"))
    assert (one[0], one[1] * 2) == two


def test_the_page_shows_tables_and_the_pictures_that_are_there(tmp_path: Path) -> None:
    results, images = tmp_path / "benchmarks" / "results", tmp_path / "docs" / "images"
    results.mkdir(parents=True)
    images.mkdir(parents=True)
    (images / "meta_strip.png").write_bytes(b"")
    provenance = {"command": "c", "commit": "abc1234", "measured_seconds": 90}
    row = {"network": "nerv", "random_db": 14.0, "random_spread_db": None, "gain_db": 7.25}
    (results / "meta_curves.json").write_text(json.dumps(provenance | {"rows": [row]}))
    tables = {"rows": [{"delta (%)": -15.5}], "files": [{"clip": "cup", "bytes": 8000}]}
    (results / "meta_delta.json").write_text(json.dumps(provenance | tables))
    text = page(tmp_path / "benchmarks")
    section, _, files = text[text.index("## From learned weights") :].partition("## Bytes from learned")
    assert "(images/meta_strip.png)" in section
    assert "meta_curves.png" not in section
    assert "| network | random (dB) | random spread (dB) | gain (dB) |" in section
    assert "| nerv | 14.00 |  | 7.25 |" in section
    assert "`c` at abc1234, in 90 s" in section
    assert "| delta (%) |\n| --- |\n| -15.5 |" in files
    assert "files:\n\n| clip | bytes |\n| --- | --- |\n| cup | 8,000 |" in files
