"""Frames at half and quarter size, as a decoder draws them."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from nervid.decoder.half import run_in_half
from nervid.decoder.network import draw_embedding, draw_frame
from nervid.decoder.resample import resample
from nervid.models.config import NervidConfig
from nervid.models.nervid import Nervid
from nervid.models.nervid_sizing import solve_nervid
from nervid.models.registry import build

CONFIG = replace(solve_nervid(frames=3, height=36, width=52, budget_bytes=6000), preview=True)


def network(config: NervidConfig = CONFIG) -> Nervid:
    """A network of random pictures, no color beyond [0, 1]."""
    built = build(config, seed=3)
    assert isinstance(built, Nervid)
    generator = torch.Generator().manual_seed(4)
    for grid in built.grids.values():
        nn.init.normal_(grid, std=0.03, generator=generator)
    if built.preview is not None:
        nn.init.normal_(built.preview.weight, std=0.15, generator=generator)
    return built.requires_grad_(False).eval()


def colors_of(net: Nervid, reduction: int) -> Tensor:
    embedding = net.embed(torch.tensor([1]))
    return (net.draw_colors(embedding) if reduction == 1 else net.draw_reduced(embedding, reduction))[0] + 0.5


def bytes_of(picture: Tensor) -> Tensor:
    return (255 * picture.clamp(0, 1)).round().to(torch.uint8)


@pytest.mark.parametrize(
    ("size", "reduction"),
    [
        ((35, 52), 1),
        ((19, 10), 1),
        ((10, 27), 1),
        ((18, 26), 2),
        ((17, 5), 2),
        ((10, 13), 2),
        ((9, 13), 4),
        ((1, 1), 4),
    ],
)
def test_the_smallest_frame_that_has_all_rows_and_columns_is_resampled(
    size: tuple[int, int], reduction: int
) -> None:
    net = network()
    drawn = draw_frame(net, 1, size)
    assert drawn.shape == (3, *size)
    assert torch.equal(drawn, bytes_of(resample(colors_of(net, reduction).clamp(0, 1), *size)))


@pytest.mark.parametrize(("size", "reduction"), [((18, 26), 2), ((9, 13), 4)])
def test_exactly_half_and_a_quarter_are_not_filtered(size: tuple[int, int], reduction: int) -> None:
    net = network()
    assert torch.equal(draw_frame(net, 1, size), bytes_of(colors_of(net, reduction)))


def test_half_size_is_within_rounding_of_the_averaged_bytes() -> None:
    net = network()
    full = draw_frame(net, 1)
    assert full.float().std() > 3
    means = full.float().unfold(1, 2, 2).unfold(2, 2, 2).mean(dim=(3, 4))
    # Half a value by rounding each, and as much by rounding their mean.
    assert (draw_frame(net, 1, (18, 26)).float() - means).abs().max() <= 1


def test_without_preview_head_a_quarter_comes_from_half_size() -> None:
    net = network(replace(CONFIG, preview=False))
    half = colors_of(net, 2).clamp(0, 1)
    assert torch.equal(draw_frame(net, 1, (9, 13)), bytes_of(resample(half, 9, 13)))


@pytest.mark.parametrize(("size", "reduction"), [((9, 16), 2), ((8, 15), 2), ((5, 8), 4), ((4, 7), 4)])
def test_a_part_of_odd_sides_covers_the_frame_and_no_more(size: tuple[int, int], reduction: int) -> None:
    net = network(replace(CONFIG, height=17, width=31, base_height=2, base_width=2))
    covered = (17 / reduction, 31 / reduction)
    colors = colors_of(net, reduction)
    assert colors.shape == (3, -(-17 // reduction), -(-31 // reduction))
    drawn = draw_frame(net, 1, size)
    assert torch.equal(drawn, bytes_of(resample(colors.clamp(0, 1), *size, covered=covered)))


def test_what_lies_between_two_frames_is_drawn_small_too() -> None:
    net = network()
    mixed = torch.lerp(net.embed(torch.tensor([0])), net.embed(torch.tensor([2])), 0.5)
    small = draw_embedding(net, mixed, (9, 13))
    assert torch.equal(small, bytes_of(net.draw_reduced(mixed, 4)[0] + 0.5))


@pytest.mark.parametrize("size", [(18, 26), (9, 13)])
def test_in_bfloat16_small_frames_differ_by_little(size: tuple[int, int]) -> None:
    exact = draw_frame(network(), 1, size).int()
    half = run_in_half(network(), 2)
    types = {name: weight.dtype for name, weight in half.named_weights()}
    assert types["preview.weight"] == types["blocks.1.enlarge.weight"] == torch.float32
    assert types["blocks.2.enlarge.weight"] == types["blocks.3.enlarge.weight"] == torch.bfloat16
    drawn = draw_frame(half, 1, size).int()
    assert exact.float().std() > 3
    assert (drawn - exact).abs().max() <= 1
