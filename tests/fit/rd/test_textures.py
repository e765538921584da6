"""Textures and motion in a step of a fit: those that the network reads, with their gradients."""

import pytest
import torch

from nervid.fit.rd.grids import FittedGrids
from nervid.fit.rd.relaxation import Noise
from nervid.models.nervid import Nervid
from nervid.models.registry import build
from tests.models.test_nervid_textures import TEXTURED

CPU = torch.device("cpu")


def fitted() -> FittedGrids:
    grids = FittedGrids(TEXTURED.feature_grids, TEXTURED.frames, CPU)
    for number, values in enumerate(grids.values()):
        values.normal_(generator=torch.Generator().manual_seed(number))
    return grids


def network_of(grids: FittedGrids) -> Nervid:
    """The network whose feature grids are those of a fit, rounded."""
    network = build(TEXTURED, seed=1)
    assert isinstance(network, Nervid)
    with torch.no_grad():
        for number, (values, steps) in enumerate(zip(grids.values(), grids.steps(), strict=True)):
            unit = steps.view(1, -1, 1, 1)
            network.grids[str(number)].copy_(((values / unit).round() * unit).flatten(1))
    return network


# Between the first two anchors, the last two, in both intervals, and an anchor, which reads one texture.
@pytest.mark.parametrize("indices", [[2], [6], [7, 1], [0], [4, 9]])
def test_a_step_sees_and_moves_what_the_network_draws_from(indices: list[int]) -> None:
    grids = fitted()
    most = grids.most_touched(len(indices))
    numbers = grids.relax(
        indices, "straight", Noise(most, seed=1, device=CPU), 0, softness=0.4, is_counted=False
    )
    network = network_of(grids)
    embedding = network.embed(torch.tensor(indices))
    torch.testing.assert_close(numbers, embedding, rtol=1e-4, atol=1e-4)
    weights = torch.randn(embedding.shape, generator=torch.Generator().manual_seed(9))
    (numbers * weights).sum().backward()  # type: ignore[no-untyped-call]
    (embedding * weights).sum().backward()  # type: ignore[no-untyped-call]
    grids.collect(1.0)
    assert grids.touched.grad is not None
    touched = [(each.number, knot) for each in grids._touched for knot in each.knots]
    sizes = [place.size for place in grids._places]
    for (number, knot), found in zip(touched, torch.split(grids.touched.grad, sizes), strict=True):
        wanted = network.grids[str(number)].grad
        assert wanted is not None
        torch.testing.assert_close(found, wanted[knot], rtol=1e-3, atol=1e-3)
    moved = {
        (number, knot)
        for number, grid in enumerate(TEXTURED.feature_grids)
        for knot in range(grid.shape[0])
        if network.grids[str(number)].grad[knot].any()
    }
    assert moved <= set(touched)
