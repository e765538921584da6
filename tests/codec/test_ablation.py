"""benchmarks.codec_ablation: every variant changes something, and what it changes is counted rightly."""

from dataclasses import replace
from typing import Any

import pytest

from benchmarks import codec_ablation
from benchmarks.codec_ablation import (
    AS_IT_IS,
    VARIANTS,
    bytes_at,
    changed,
    clip_rows,
    patched,
    with_mean_change,
)
from benchmarks.codec_clips import Original, synthetic
from benchmarks.codec_fits import Effort, Encoding
from nervid.encoder import segment
from nervid.fit.rd import decay, motion, multiplier, rounding, trainer
from nervid.models import nervid_sizing

X265 = {"psnr_db": [30.0, 33.0, 36.0], "kB": [10.0, 20.0, 80.0]}


def choices() -> list[Any]:
    """Everything that a variant may change, as the fit of a small clip sees it."""
    schedule = rounding.RoundingSchedule(5.0)
    return [
        nervid_sizing.solve_nervid(
            frames=96, height=180, width=320, budget_bytes=29_000, has_background=True
        ),
        schedule.dearness,
        decay.weights_power(5_000),
        multiplier.EARLY_EXCESS,
        multiplier.MOST_TIMES,
        trainer.STEP_REACH,
        vars(trainer)["usual_multiplier"](29_000, pixels=96 * 180 * 320),
        vars(segment)["RATE_DISTORTION"],
        *(
            vars(motion)[name]
            for name in ("LEAST_GAIN_DB", "LEAST_STILL_SHARE", "TEXTURE_SPANS", "MOTION_SPANS")
        ),
    ]


def test_every_variant_changes_one_thing_and_puts_it_back() -> None:
    usual, seen = choices(), []
    for variant in VARIANTS:
        with patched(variant.patches):
            found = choices()
        different = [number for number, (old, new) in enumerate(zip(usual, found, strict=True)) if old != new]
        assert len(different) == (0 if variant is AS_IT_IS else 1), variant.name
        assert found not in seen, variant.name
        seen.append(found)
        assert choices() == usual
    assert len({str(variant) for variant in VARIANTS}) == len(VARIANTS)


def test_what_is_patched_is_put_back_after_an_error_and_must_exist() -> None:
    before = multiplier.EARLY_EXCESS
    patches = {"nervid.fit.rd.multiplier:EARLY_EXCESS": 7.0, "nervid.fit.rd.multiplier:NO_SUCH": 1}
    with pytest.raises(AttributeError, match="NO_SUCH"), patched(patches):
        pass
    assert before == multiplier.EARLY_EXCESS


def test_bytes_follow_the_nearest_two_points() -> None:
    assert bytes_at(X265, 33.0) == pytest.approx(20_000)
    assert bytes_at(X265, 34.5) == pytest.approx(40_000)
    assert bytes_at(X265, 27.0) == pytest.approx(5_000)
    assert bytes_at(X265, 37.5) == pytest.approx(160_000)


def test_rows_count_bytes_at_equal_quality() -> None:
    facts = {"seconds": 2.0, "commit": "ab"}
    outcomes = [{"psnr_db": 33.0, "bytes": 40_000} | facts] * len(VARIANTS)
    outcomes[1] = {"psnr_db": 30.0, "bytes": 25_000} | facts
    rows = clip_rows(synthetic(), X265, outcomes)
    assert [row["times_x265"] for row in rows[:3]] == [2.0, 2.5, 2.0]
    assert [row["change (%)"] for row in rows[:3]] == [0.0, 25.0, 0.0]
    assert [row["variant"] for row in rows] == [variant.name for variant in VARIANTS]
    better = rows[1] | {"clip": "b", "change (%)": -5.0, "times_x265": 1.5}
    assert with_mean_change([rows[1]]) == [rows[1]]
    assert with_mean_change([rows[1], better])[2] == {
        "part": VARIANTS[1].part,
        "variant": VARIANTS[1].name,
        "clip": "mean",
        "times_x265": 2.0,
        "change (%)": 10.0,
        "seconds": 2.0,
    }


def test_a_variant_is_encoded_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []

    def encoded(job: Encoding, original: Original, is_apart: bool) -> dict[str, Any]:
        seen.append(nervid_sizing.GRID_SPANS)
        return {"asked": job.size_bytes, "is_apart": is_apart}

    monkeypatch.setattr(codec_ablation, "encoded", encoded)
    job = Encoding(network="nervid", size_bytes=8_000, effort=Effort(epochs=1))
    words = "feature grids: the quickest half as quick"
    assert changed(words, job, synthetic(), False) == {"asked": 8_000, "is_apart": False}
    changed(str(AS_IT_IS), replace(job, size_bytes=9_000), synthetic(), False)
    assert seen == [(4, 8, 33, 33), nervid_sizing.GRID_SPANS]
