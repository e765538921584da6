import pytest

from nervid.fit.rd.clock import UNTIMED_STEPS, Clock


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that says what is written into the list."""
    now = [0.0]
    monkeypatch.setattr("nervid.fit.rd.clock.time.monotonic", lambda: now[0])
    return now


def run(clock: Clock, now: list[float], *, pace: float, planned: int, first: int = 0) -> int:
    """Take steps until the clock says that they were all; return how many."""
    step, steps = first, planned
    while step < steps:
        steps = clock.steps_in_all(step, steps)
        now[0] += pace
        step += 1
    return step


@pytest.mark.parametrize("planned", [10, 10_000])
def test_steps_fill_the_time_whatever_was_planned(ticking: list[float], planned: int) -> None:
    assert run(Clock(60.0), ticking, pace=0.5, planned=planned) == pytest.approx(120, abs=1)


def test_a_plan_stands_until_there_is_a_pace(ticking: list[float]) -> None:
    clock = Clock(60.0)
    for step in range(UNTIMED_STEPS + 1):
        assert clock.steps_in_all(step, 77) == 77
        ticking[0] += 1
    assert clock.steps_in_all(UNTIMED_STEPS + 1, 77) != 77


def test_a_break_does_not_count(ticking: list[float]) -> None:
    clock = Clock(60.0)
    for step in range(40):
        clock.steps_in_all(step, 1000)
        ticking[0] += 0.5
    resumed = Clock(60.0)
    resumed.resume(clock.seconds)
    ticking[0] += 10_000
    assert run(resumed, ticking, pace=0.5, planned=1000, first=40) == pytest.approx(121, abs=2)


def test_one_more_step_is_always_taken(ticking: list[float]) -> None:
    clock = Clock(1.0)
    for step in range(10):
        clock.steps_in_all(step, 1000)
        ticking[0] += 100
    assert clock.steps_in_all(10, 1000) == 11
