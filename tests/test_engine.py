"""The engine's benchmark runs; its timings are never judged here."""

import pytest

from benchmarks import engine_work
from benchmarks.engine import Row, step_row


def test_every_kind_of_measurement_runs_on_a_tiny_network() -> None:
    assert engine_work.step("tiny", "fast")["seconds"] > 0
    rates = engine_work.decode("tiny", "fast")["fps"]
    assert set(rates) == {"0", "1", "2", "3", "4", "9"}
    assert min(rates.values()) > 0


def test_a_row_takes_medians_and_counts_work_by_the_plain_network(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {"fast": iter([0.5, 0.7, 0.4]), "plain": iter([3.0, 2.0, 4.0])}

    def measured(work: str, model: str, path: str) -> dict[str, float]:
        assert (work, model) == ("step", "hnerv")
        return {"seconds": next(seconds[path]), "gflop": 400.0 if path == "plain" else 0.0}

    monkeypatch.setattr("benchmarks.engine.work", measured)
    assert step_row("hnerv", "a step", 0.6, 0.45, 3.65, 1600.0) == Row(
        row="a step",
        value=0.5,
        unit="s",
        target="<= 0.60",
        met=True,
        stretch="<= 0.45",
        official=3.65,
        plain=3.0,
        gflops=800,
        ceiling_percent=50,
    )
