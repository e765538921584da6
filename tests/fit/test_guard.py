from nervid.fit.guard import DivergenceGuard


def test_a_falling_loss_is_healthy() -> None:
    guard = DivergenceGuard()
    assert all(guard.is_healthy(1.0 / (step + 1)) for step in range(1000))


def test_not_a_number_and_infinity_are_caught_at_once() -> None:
    assert not DivergenceGuard().is_healthy(float("nan"))
    assert not DivergenceGuard().is_healthy(float("inf"))


def test_a_collapse_is_caught_within_a_few_dozen_steps() -> None:
    guard = DivergenceGuard()
    for _ in range(500):
        assert guard.is_healthy(0.01)
    caught = next(step for step in range(100) if not guard.is_healthy(0.1))
    assert caught < 40


def test_one_hard_frame_is_no_collapse() -> None:
    guard = DivergenceGuard()
    losses = [0.01] * 47 + [0.1]
    assert all(guard.is_healthy(loss) for loss in losses * 20)
