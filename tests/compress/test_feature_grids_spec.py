"""Streams of feature grids, read by the decoder that was written from the specification."""

import numpy as np
import pytest

from nervid.compress.feature_grids import encode_grids
from tests.compress.spec_grids import Shape, SpecGridDecoder


def drifting(shape: tuple[int, int, int, int], seed: int) -> np.ndarray:
    """Return waves that drift from knot to knot, with noise and one channel of zeros."""
    rng = np.random.default_rng(seed)
    k, c, y, x = np.meshgrid(*map(np.arange, shape), indexing="ij")
    waves = 9 * np.sin(x / 3 + k / 4 + c) * np.cos(y / 2) + rng.laplace(0, 0.6, shape)
    return np.rint(np.where(c == 1, 0, waves)).astype(np.int16)


def hard_grids(seed: int) -> list[np.ndarray]:
    """Return predictable grids, noise, silence, and none."""
    rng = np.random.default_rng(seed)
    return [
        drifting((3, 3, 20, 26), seed),
        drifting((3, 2, 9, 7), seed),
        np.zeros((2, 2, 3, 3), dtype=np.int16),
        np.zeros((2, 0, 3, 3), dtype=np.int16),
        drifting((1, 1, 30, 20), seed),
        np.rint(rng.laplace(0, 300, (2, 1, 5, 4))).clip(-2047, 2047).astype(np.int16),
        np.where(rng.random((4, 2, 6, 6)) < 0.05, 1, 0),
    ]


@pytest.mark.parametrize("seed", range(3))
def test_a_decoder_written_from_the_specification_agrees(seed: int) -> None:
    grids = hard_grids(seed)
    decoder = SpecGridDecoder(encode_grids(grids))
    for grid, shape in zip(grids, shapes_of(grids), strict=True):
        np.testing.assert_array_equal(decoder.grid(shape), grid)


def test_so_it_does_where_knots_come_as_frames_need_them() -> None:
    grids, spans = hard_grids(3), [4, 1, 7, 2, 9, 3, 2]
    order = [
        [max(0, (knot - 1) * span + 1) for knot in range(len(grid))]
        for grid, span in zip(grids, spans, strict=True)
    ]
    found = SpecGridDecoder(encode_grids(grids, order)).grids(shapes_of(grids), order)
    for one, grid in zip(found, grids, strict=True):
        np.testing.assert_array_equal(one, grid)


def shapes_of(grids: list[np.ndarray]) -> list[Shape]:
    return [(shape[0], shape[1], shape[2], shape[3]) for shape in (grid.shape for grid in grids)]
