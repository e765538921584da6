"""Hard cuts are found wherever they are in a shot; motion is none."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nervid.meta.cuts import changes, longest_run


def scene(frames: int, seed: int) -> torch.Tensor:
    """A textured picture, shifted by a pixel per frame; uint8 [frames, 3, 48, 64]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 6, 16, generator=generator)
    wide = torch.nn.functional.interpolate(coarse, size=(48, 64 + frames), mode="bilinear")[0]
    pan = torch.stack([wide[:, :, index : index + 64] for index in range(frames)])
    return (255 * pan).round().to(torch.uint8)


def test_changes_are_mean_levels_of_coarse_pictures() -> None:
    frames = torch.zeros(3, 3, 32, 32, dtype=torch.uint8)
    frames[1:] = 10
    frames[2, 0] = 40
    assert changes(frames).tolist() == [10.0, 10.0]


def test_a_pan_has_no_cut() -> None:
    assert longest_run(scene(40, 1)) == range(40)


@pytest.mark.parametrize("frames", [1, 2])
def test_the_shortest_shots_are_kept(frames: int) -> None:
    assert longest_run(scene(frames, 1)) == range(frames)


@given(st.integers(1, 39))
def test_a_cut_is_found_at_any_place(place: int) -> None:
    shot = torch.cat([scene(place, 1), scene(40 - place, 2)])
    assert longest_run(shot) == (range(place) if place >= 20 else range(place, 40))


def test_of_several_scenes_the_longest_is_taken() -> None:
    shot = torch.cat([scene(3, 1), scene(9, 2), scene(12, 3), scene(8, 4)])
    assert longest_run(shot) == range(12, 24)


def test_a_show_of_slides_is_all_cuts() -> None:
    slides = torch.tensor([0, 255] * 5, dtype=torch.uint8).view(10, 1, 1, 1).expand(10, 3, 20, 20)
    assert longest_run(slides) == range(1)
