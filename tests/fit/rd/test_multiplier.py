import pytest

from nervid.fit.rd.multiplier import LEAST, MOST, REACTION, Multiplier

FIRST = 5.0


def followed(reckoned: float, steps: int = 1000, *, first_step: int = 500, taken: int = 4) -> Multiplier:
    multiplier = Multiplier(1000.0, first=FIRST)
    for step in range(first_step, first_step + int(REACTION * steps), taken):
        multiplier.follow(reckoned, step=step, steps=steps, taken=taken)
    return multiplier


def test_twice_the_size_doubles_it_in_the_reaction_time() -> None:
    assert followed(2000.0).value == pytest.approx(2 * FIRST, rel=0.05)
    assert followed(500.0).value == pytest.approx(FIRST / 2, rel=0.05)
    assert followed(1000.0).value == pytest.approx(FIRST)


def test_at_the_start_more_is_allowed() -> None:
    early = Multiplier(1000.0, first=FIRST)
    early.follow(2000.0, step=100, steps=1000, taken=4)
    assert early.value < FIRST


def test_without_an_aim_the_cost_stays() -> None:
    multiplier = Multiplier(None, first=0.25)
    multiplier.follow(1e9, step=500, steps=1000, taken=4)
    assert multiplier.value == pytest.approx(0.25)


def test_nothing_moves_before_there_is_a_size() -> None:
    multiplier = Multiplier(1000.0, first=FIRST)
    multiplier.follow(1e9, step=10, steps=1000, taken=4)
    assert multiplier.value == pytest.approx(FIRST, abs=1e-12)


def test_what_the_coder_makes_of_it_counts() -> None:
    multiplier = Multiplier(1000.0, first=FIRST)
    multiplier.correct(coded_bytes=500.0, reckoned_bytes=1000.0)
    multiplier.follow(2000.0, step=500, steps=1000, taken=4)
    assert multiplier.value == pytest.approx(FIRST)


@pytest.mark.parametrize(("reckoned", "end"), [(1e12, MOST), (0.0, LEAST)])
def test_it_stays_within_bounds(reckoned: float, end: float) -> None:
    multiplier = Multiplier(1000.0, first=FIRST)
    for _ in range(1000):
        multiplier.follow(reckoned, step=9, steps=10, taken=4)
    assert multiplier.value == pytest.approx(end)


def test_a_forgotten_trend_is_not_followed() -> None:
    """Half the size from one call to the next reads as a fall, unless the next is to be the first."""
    falling, fresh = (Multiplier(1000.0, first=FIRST) for _ in range(2))
    for multiplier in (falling, fresh):
        multiplier.follow(2000.0, step=500, steps=1000, taken=4)
    before = fresh.value
    fresh.forget_trend()
    for multiplier in (falling, fresh):
        multiplier.follow(1000.0, step=504, steps=1000, taken=4)
    assert falling.value < before
    assert fresh.value == pytest.approx(before)
