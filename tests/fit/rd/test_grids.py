import math

import pytest
import torch

from nervid.fit.rd.grids import FIRST_STEP, FittedGrids
from nervid.fit.rd.moments import BETAS
from nervid.fit.rd.relaxation import Noise, Relaxation, laplace_bits
from nervid.models.config.feature_grid import MixedGrid

GRIDS = (
    MixedGrid(stage=0, span=4, shape=(4, 2, 3, 3)),
    MixedGrid(stage=1, span=20, shape=(1, 3, 2, 2)),
)
FRAMES = 12
SOFTNESS = 0.4
NOISE = Noise(200, seed=1, device=torch.device("cpu"))


def fitted(seed: int = 1) -> FittedGrids:
    grids = FittedGrids(GRIDS, FRAMES, torch.device("cpu"))
    for values in grids.values():
        values.normal_(generator=torch.Generator().manual_seed(seed))
    return grids


def relax(
    grids: FittedGrids, indices: list[int], kind: Relaxation = "straight", softness: float = SOFTNESS
) -> torch.Tensor:
    return grids.relax(indices, kind, NOISE, 7, softness=softness, is_counted=True)


def softly_rounded(codes: torch.Tensor) -> torch.Tensor:
    """The formula, for automatic differentiation."""
    middles = codes.detach().floor() + 0.5
    return middles + ((codes - middles) / SOFTNESS).tanh() / (2 * math.tanh(1 / (2 * SOFTNESS)))


def step(grids: FittedGrids, indices: list[int], rate: float = 0.1) -> None:
    relax(grids, indices).square().sum().backward()  # type: ignore[no-untyped-call]
    grids.collect(1.0)
    grids.move(rate)


def test_a_step_moves_the_knots_of_its_frames_and_no_other() -> None:
    grids = fitted()
    before = [values.clone() for values in grids.values()]
    step(grids, [5])
    moved = [(now != old).flatten(1).any(dim=1) for now, old in zip(grids.values(), before, strict=True)]
    assert moved[0].tolist() == [False, True, True, False]
    assert moved[1].tolist() == [True]


def test_the_first_step_of_every_number_is_the_rate() -> None:
    grids = fitted()
    before = grids.values()[0].clone()
    step(grids, [4], rate=0.125)
    torch.testing.assert_close((grids.values()[0] - before)[1].abs(), torch.full((2, 3, 3), 0.125))


def test_steps_follow_adam_with_corrected_moments() -> None:
    grids = fitted()
    values = grids.values()[0][1].clone()
    mean, square = torch.zeros_like(values), torch.zeros_like(values)
    for count in (1, 2, 3):
        relax(grids, [4]).square().sum().backward()  # type: ignore[no-untyped-call]
        grids.collect(0.0)
        grids.move(0.01)
        gradient = 2 * (values / FIRST_STEP).round() * FIRST_STEP
        mean = BETAS[0] * mean + (1 - BETAS[0]) * gradient
        square = BETAS[1] * square + (1 - BETAS[1]) * gradient**2
        root = (square / (1 - BETAS[1] ** count)).sqrt()
        values -= 0.01 * mean / (1 - BETAS[0] ** count) / root
        torch.testing.assert_close(grids.values()[0][1], values, atol=1e-5, rtol=1e-4)


def test_numbers_are_mixed_from_rounded_knots() -> None:
    grids = fitted()
    numbers = relax(grids, [5])
    rounded = (grids.values()[0] / FIRST_STEP).round() * FIRST_STEP
    expected = 0.75 * rounded[1] + 0.25 * rounded[2]
    torch.testing.assert_close(numbers[0, :18], expected.flatten())
    alone = (grids.values()[1] / FIRST_STEP).round() * FIRST_STEP
    torch.testing.assert_close(numbers[0, 18:], alone.flatten())


@pytest.mark.parametrize(
    ("kind", "softness"), [("noise", SOFTNESS), ("noise", math.inf), ("straight", SOFTNESS)]
)
def test_gradients_by_hand_are_those_of_automatic_differentiation(kind: Relaxation, softness: float) -> None:
    grids, cost = fitted(), 0.3
    with torch.no_grad():
        grids.log_steps.add_(torch.linspace(0, 3, len(grids.log_steps)))
    grids.steps_moved()
    numbers = relax(grids, [4], kind, softness)
    target = torch.linspace(-1, 1, numbers.numel()).view_as(numbers)
    (numbers - target).square().sum().backward()  # type: ignore[no-untyped-call]
    grids.collect(cost)
    scales = torch.repeat_interleave(grids._scales, torch.tensor([9, 9, 4, 4, 4]))
    # Frame 4 is knot 1 of the first grid, of which seven frames are mixed; all twelve are of the second one.
    weights = torch.tensor([12 / 7] * 18 + [1.0] * 12)
    values = torch.cat([grids.values()[0][1].flatten(), grids.values()[1].flatten()]).requires_grad_(True)
    log_steps = grids.log_steps.detach().clone().requires_grad_(True)
    steps = torch.repeat_interleave(log_steps.exp(), torch.tensor([9, 9, 4, 4, 4]))
    codes = values / steps
    if kind == "noise" and softness == math.inf:
        rounded = codes + NOISE.at(7, 30)
    elif kind == "noise":
        rounded = softly_rounded(softly_rounded(codes) + NOISE.at(7, 30))
    else:
        rounded = codes + (codes.round() - codes).detach()
    bits = (laplace_bits(rounded, scales) * weights).sum()
    ((rounded * steps - target[0]).square().sum() + cost * bits).backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(grids.touched.grad, values.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(grids.log_steps.grad, log_steps.grad, rtol=1e-4, atol=1e-4)


def test_the_mean_over_all_frames_of_the_gradient_of_their_bits_is_that_of_all_bits() -> None:
    found = torch.zeros(4)
    for index in range(FRAMES):
        grids = fitted()
        relax(grids, [index])
        knots = grids._touched[0].knots
        assert grids._slope is not None
        by_knot = grids._slope[: 18 * len(knots)].view(len(knots), 18).abs().sum(dim=1)
        found[knots] += by_knot / FRAMES
    whole = fitted()
    relax(whole, list(range(FRAMES)))
    assert whole._slope is not None
    expected = whole._slope[:72].view(4, 18).abs().sum(dim=1)
    # The running scales have seen other knots in each; they differ by little.
    torch.testing.assert_close(found, expected, rtol=0.15, atol=0)


def test_the_bits_of_every_touched_knot_are_remembered() -> None:
    grids = fitted()
    assert grids.bits == 0
    relax(grids, [0])
    one = grids.bits
    relax(grids, [8])
    assert one > 0
    assert grids.bits > 1.2 * one


def test_most_touched_is_two_knots_a_frame_where_there_are_so_many() -> None:
    grids = fitted()
    assert grids.most_touched(1) == 2 * 18 + 12
    assert grids.most_touched(3) == 4 * 18 + 12


def test_a_state_put_back_goes_on_the_same_way() -> None:
    one, other = fitted(), fitted(seed=2)
    step(one, [1, 6])
    saved = {name: tensor.clone() for name, tensor in one.state_tensors().items()}
    other.load_state_tensors(saved)
    for grids in (one, other):
        step(grids, [6])
    assert all(torch.equal(a, b) for a, b in zip(one.values(), other.values(), strict=True))
    assert one.bits == other.bits
