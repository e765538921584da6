"""A camera stays inside its photograph, and cut-outs are pieces of photographs where they should be."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nervid.errors import InputError
from nervid.meta.corpus import Corpus
from nervid.meta.photographs import Camera, draw_camera, draw_cut_out, film, load_photograph

from .samples import frame, plain, write_image

SHARE = st.floats(0, 1)


def colored(height: int, width: int, color: tuple[int, int, int]) -> torch.Tensor:
    return torch.from_numpy(plain(height, width, color)).permute(2, 0, 1)


@given(st.integers(0, 2**32), SHARE, st.floats(0.5, 2))
def test_the_camera_never_sees_beyond_the_edges(seed: int, time: float, aspect: float) -> None:
    view = draw_camera(np.random.default_rng(seed)).view(time, 100, round(100 * aspect))
    corners = torch.tensor([[-1.0, -1, 1, 1], [-1, 1, -1, 1], [1, 1, 1, 1]])
    assert float((view @ corners).abs().max()) <= 1 + 1e-6


def test_a_straight_camera_cuts_out_the_pixels_it_looks_at() -> None:
    camera = Camera(heights=(0.5, 0.5), angles=(0, 0), rows=(0, 1), columns=(1, 0))
    first, last = camera.view(0, 64, 64), camera.view(1, 64, 64)
    # x runs over the right half, y over the upper one; then the other way round.
    assert torch.allclose(first, torch.tensor([[0.5, 0, 0.5], [0, 0.5, -0.5]]))
    assert torch.allclose(last, torch.tensor([[0.5, 0, -0.5], [0, 0.5, 0.5]]))


def test_a_turned_camera_keeps_right_angles() -> None:
    camera = Camera(heights=(0.5, 0.5), angles=(0.05, 0.05), rows=(0.5, 0.5), columns=(0.5, 0.5))
    view = camera.view(0, 50, 100)
    # In pixels of the photograph: half a width to the right and half a height down.
    right = view[:, 0] * torch.tensor([50.0, 25.0])
    down = view[:, 1] * torch.tensor([50.0, 25.0])
    assert float(right @ down) == pytest.approx(0, abs=1e-4)
    assert (float(right.norm()), float(down.norm())) == pytest.approx((25, 12.5), abs=1e-4)
    assert math.atan2(-float(right[1]), float(right[0])) == pytest.approx(0.05, abs=1e-6)


@given(st.integers(0, 2**32))
def test_of_one_color_everything_is_that_color(seed: int) -> None:
    photograph = colored(48, 60, (10, 130, 250))
    shot = film(photograph, photograph, frames=3, short_side=24, generator=np.random.default_rng(seed))
    assert shot.shape == (3, 3, 24, 30)
    assert torch.equal(shot, photograph[:, :24, :30].expand(3, -1, -1, -1))


def test_cut_outs_of_another_photograph_are_seen_to_move() -> None:
    red, blue = colored(80, 80, (200, 0, 0)), colored(80, 80, (0, 0, 200))
    with_piece = 0
    for seed in range(40):
        shot = film(red, blue, frames=4, short_side=40, generator=np.random.default_rng(seed)).float()
        # Red and blue share every pixel out between them, at the outline too.
        assert float((shot[:, 0] + shot[:, 2] - 200).abs().max()) <= 1
        share = shot[:, 2] / 200
        areas = share.sum(dim=(1, 2))
        if float(areas.max()) > 0:
            with_piece += 1
            assert float(areas.max()) <= math.pi * (0.35 * 40) ** 2
            assert float((share[0] - share[3]).abs().max()) > 0.5
    # 0.25 + 0.75 * 0.65 of all shots.
    assert 22 <= with_piece <= 37


def test_a_cut_out_lies_where_it_is_said_to_be() -> None:
    blue = colored(80, 80, (0, 0, 200))
    for seed in range(10):
        piece = draw_cut_out(np.random.default_rng(seed), blue, 200, 300)
        assert float(piece.patch[3, [0, -1], :].max()) == float(piece.patch[3, :, [0, -1]].max()) == 0
        for time in (0.0, 1.0):
            laid = piece.lay_over(torch.zeros(3, 200, 300), time)[2] / 200
            rows, columns = torch.arange(200.0) + 0.5, torch.arange(300.0) + 0.5
            row = piece.rows[0] + (piece.rows[1] - piece.rows[0]) * time
            column = piece.columns[0] + (piece.columns[1] - piece.columns[0]) * time
            assert 0 <= row <= 200
            assert 0 <= column <= 300
            if 40 < row < 160 and 40 < column < 260:
                assert float(laid.sum()) == pytest.approx(float(piece.patch[3].sum()), rel=0.02)
                center = (laid.sum(1) @ rows / laid.sum(), laid.sum(0) @ columns / laid.sum())
                assert float(torch.hypot(center[0] - row, center[1] - column)) < 8


def test_motion_is_smooth_and_goes_on(tmp_path: Path) -> None:
    photograph = torch.from_numpy(frame(10, width=200, height=150)).permute(2, 0, 1)
    for seed in range(10):
        generator = np.random.default_rng(seed)
        shot = film(photograph, photograph, frames=24, short_side=60, generator=generator)
        change = (shot[1:].float() - shot[:-1].float()).abs().mean(dim=(1, 2, 3))
        assert 0 < float(change.max()) < 12


def test_a_photograph_is_read_small_and_not_too_long(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", frame(5, width=300, height=100))
    write_image(tmp_path / "b.png", plain(20, 100, (1, 2, 3)))
    (tmp_path / "c.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 100)
    wide, small, broken = Corpus.find([tmp_path / "*.png"]).files
    assert load_photograph(wide, 40).shape == (3, 50, 100)
    exact = load_photograph(wide, 400)
    assert torch.equal(exact, torch.from_numpy(frame(5, width=300, height=100)[:, 50:250]).permute(2, 0, 1))
    with pytest.raises(InputError, match=r"b\.png: 100x20 pixels, 32x32 are needed"):
        load_photograph(small, 40)
    with pytest.raises(InputError, match=r"c\.png: .* replace or remove it"):
        load_photograph(broken, 40)
