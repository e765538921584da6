import torch

from nervid.fit.rd.grids import FIRST_STEP, FittedGrid
from nervid.models.config.nervid import FeatureGrid

GRID = FeatureGrid(stage=0, span=4, shape=(4, 2, 3, 3))
FRAMES = 12


def fitted(seed: int = 1) -> FittedGrid:
    grid = FittedGrid(GRID, FRAMES, torch.device("cpu"))
    grid.values.normal_(generator=torch.Generator().manual_seed(seed))
    return grid


def step(grid: FittedGrid, indices: list[int], rate: float = 0.1) -> None:
    touched = grid.touch(indices)
    numbers, bits = grid.read(touched, "straight", torch.Generator(), is_counted=True)
    assert bits is not None
    (numbers.square().sum() + bits).backward()  # type: ignore[no-untyped-call]
    grid.move(touched, rate)


def test_a_step_moves_the_knots_of_its_frames_and_no_other() -> None:
    grid = fitted()
    before = grid.values.clone()
    step(grid, [5])
    moved = (grid.values != before).flatten(1).any(dim=1)
    assert moved.tolist() == [False, True, True, False]


def test_the_first_step_of_every_number_is_the_rate() -> None:
    grid = fitted()
    before = grid.values.clone()
    step(grid, [4], rate=0.125)
    torch.testing.assert_close((grid.values - before)[1].abs(), torch.full((2, 3, 3), 0.125))


def test_numbers_are_mixed_from_rounded_knots() -> None:
    grid = fitted()
    numbers, bits = grid.read(grid.touch([5]), "straight", torch.Generator(), is_counted=False)
    rounded = (grid.values / FIRST_STEP).round() * FIRST_STEP
    expected = 0.75 * rounded[1] + 0.25 * rounded[2]
    torch.testing.assert_close(numbers[0], expected.flatten())
    assert bits is None


def test_the_mean_over_all_frames_of_their_bits_is_the_bits_of_the_grid() -> None:
    found = 0.0
    for index in range(FRAMES):
        grid = fitted()
        _, bits = grid.read(grid.touch([index]), "straight", torch.Generator(), is_counted=True)
        assert bits is not None
        found += float(bits.detach()) / FRAMES
    whole = fitted()
    whole.read(whole.touch(range(FRAMES)), "straight", torch.Generator(), is_counted=True)
    # The running scales have seen other knots in each; they differ by little.
    assert abs(found / whole.bits - 1) < 0.05


def test_the_bits_of_every_touched_knot_are_remembered() -> None:
    grid = fitted()
    assert grid.bits == 0
    grid.read(grid.touch([0]), "straight", torch.Generator(), is_counted=True)
    one = grid.bits
    grid.read(grid.touch([8]), "straight", torch.Generator(), is_counted=True)
    assert one > 0
    assert grid.bits > 1.5 * one


def test_a_state_put_back_goes_on_the_same_way() -> None:
    one, other = fitted(), fitted(seed=2)
    step(one, [1, 6])
    saved = {name: tensor.clone() for name, tensor in one.state_tensors().items()}
    other.load_state_tensors(saved)
    for grid in (one, other):
        step(grid, [6])
    assert torch.equal(one.values, other.values)
    assert one.bits == other.bits
