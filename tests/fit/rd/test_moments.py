import torch

from nervid.fit.rd.moments import KnotMoments, Place

CPU = torch.device("cpu")
PLACES = [Place(0, 0, 2), Place(1, 2, 3)]


def moved(
    moments: KnotMoments, places: list[Place], gradient: list[float], rates: list[float]
) -> list[float]:
    row = torch.zeros(5)
    moments.move(row, places, torch.tensor(gradient), torch.tensor(rates), 0.5)
    return row.tolist()


def test_a_first_step_is_the_rate_times_that_of_each_number_whatever_the_gradient() -> None:
    moments = KnotMoments(5, 2, CPU)
    change = moved(moments, PLACES, [1e-3, -2, 4, 7, -1], [1.0, 1, 1, 2, 4])
    torch.testing.assert_close(torch.tensor(change), torch.tensor([-0.5, 0.5, -0.5, -1, 2]))


def test_a_knot_that_is_not_touched_keeps_its_number_of_updates_and_its_moments() -> None:
    alone, beside = KnotMoments(5, 2, CPU), KnotMoments(5, 2, CPU)
    gradient, ones = [1.0, -3, 2], [1.0, 1, 1]
    moved(alone, PLACES[1:], gradient, ones)
    moved(beside, PLACES[1:], gradient, ones)
    moved(beside, PLACES[:1], [5.0, 6], [1.0, 1])
    assert beside.tensors()["updates"].tolist() == [1, 1]
    assert moved(alone, PLACES[1:], [0.5, 0.5, 0.5], ones) == moved(beside, PLACES[1:], [0.5, 0.5, 0.5], ones)


def test_the_second_step_after_a_gradient_that_turned_around_is_shorter() -> None:
    moments = KnotMoments(5, 2, CPU)
    moved(moments, PLACES[:1], [1.0, 1.0], [1.0, 1])
    change = moved(moments, PLACES[:1], [1.0, -1.0], [1.0, 1])
    # Means 0.19 and -0.01, divided by 1 - 0.81; squares 0.0199, divided by 1 - 0.9801.
    torch.testing.assert_close(
        torch.tensor(change[:2]), torch.tensor([-0.5, 0.5 * 0.01 / 0.19]), atol=1e-6, rtol=0
    )
