import pytest

from nervid.fit.rd.multiplier import LEAST, MOST, MOST_TIMES, REACTION, Multiplier, dearness

USUAL = 5.0


def followed(reckoned: float, reaction: float, *, steps: int = 4000, taken: int = 4) -> Multiplier:
    multiplier = Multiplier(1000.0, usual=USUAL)
    for step in range(steps // 2, steps // 2 + round(reaction * steps), taken):
        multiplier.follow(reckoned, step=step, steps=steps, taken=taken)
    return multiplier


def test_twice_the_size_doubles_it_in_the_reaction_time() -> None:
    assert followed(2000.0, REACTION).value == pytest.approx(2 * USUAL, rel=0.05)
    assert followed(1000.0, REACTION).value == pytest.approx(USUAL)


def test_half_the_size_halves_it_in_less() -> None:
    assert followed(500.0, REACTION / MOST_TIMES).value == pytest.approx(USUAL / 2, rel=0.05)
    assert followed(500.0, REACTION, steps=640).value == pytest.approx(USUAL / 2, rel=0.05)


def test_at_the_start_more_is_allowed() -> None:
    early = Multiplier(1000.0, usual=USUAL)
    early.follow(2000.0, step=100, steps=1000, taken=4)
    assert early.value < USUAL


@pytest.mark.parametrize(("steps", "times"), [(300, 1), (1300, 2), (9000, 3)])
def test_bits_are_dear_at_first_in_long_fits(steps: int, times: float) -> None:
    """However large they make it: nothing has a size yet."""
    multiplier = Multiplier(1000.0, usual=USUAL)
    multiplier.follow(1e9, step=steps // 25, steps=steps, taken=4)
    assert multiplier.value == pytest.approx(times * USUAL)
    assert multiplier.usual == pytest.approx(USUAL)


def test_without_an_aim_the_cost_falls_to_the_usual() -> None:
    multiplier, values = Multiplier(None, usual=USUAL), []
    for step in (0, 500, 1000, 1900):
        multiplier.follow(1e9, step=step, steps=2000, taken=4)
        values.append(multiplier.value / USUAL)
    assert values == pytest.approx([3.0, 3**0.5, 1.0, 1.0])


def test_what_the_coder_makes_of_it_counts() -> None:
    multiplier = Multiplier(1000.0, usual=USUAL)
    multiplier.correct(coded_bytes=500.0, reckoned_bytes=1000.0)
    multiplier.follow(2000.0, step=500, steps=1000, taken=4)
    assert multiplier.value == pytest.approx(USUAL)


@pytest.mark.parametrize(("reckoned", "end"), [(1e12, MOST), (0.0, LEAST)])
def test_it_stays_within_bounds(reckoned: float, end: float) -> None:
    multiplier = Multiplier(1000.0, usual=USUAL)
    for _ in range(1000):
        multiplier.follow(reckoned, step=9, steps=10, taken=4)
    assert multiplier.value == pytest.approx(end)


def test_a_forgotten_trend_is_not_followed() -> None:
    """Half the size from one call to the next reads as a fall, unless the next is to be the first."""
    falling, fresh = (Multiplier(1000.0, usual=USUAL) for _ in range(2))
    for multiplier in (falling, fresh):
        multiplier.follow(2000.0, step=500, steps=1000, taken=4)
    before = fresh.value
    fresh.forget_trend()
    for multiplier in (falling, fresh):
        multiplier.follow(1000.0, step=504, steps=1000, taken=4)
    assert falling.value < before
    assert fresh.value == pytest.approx(before)


def test_dearness_is_a_place_on_a_logarithmic_axis() -> None:
    assert [dearness(price, cheap=1.0, dear=100.0) for price in (0.0, 0.5, 1.0, 10.0, 100.0, 1e9)] == [
        *[0.0] * 3,
        0.5,
        1.0,
        1.0,
    ]
