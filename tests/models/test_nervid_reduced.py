"""Frames at a part of their size, and what they cost."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from nervid.errors import FormatError, InputError
from nervid.models.config import NervidConfig, from_json, parameter_count, to_json
from nervid.models.nervid import Nervid
from nervid.models.nervid_sizing import solve_nervid
from nervid.models.registry import build
from nervid.models.sizing import macs_per_pixel
from nervid.models.stage import NervidStage

CONFIG = NervidConfig(
    frames=3,
    height=20,
    width=30,
    base_height=3,
    base_width=4,
    strides=(2, 2, 2),
    channels=(8, 6, 4),
    depths=(1, 1, 2),
    grid_stages=(0, 1, 2),
    grid_channels=(3, 2, 1),
    grid_spans=(1, 1, 1),
    preview=True,
)


def network(config: NervidConfig = CONFIG) -> Nervid:
    """A network whose every number is random, biases and feature grids too."""
    built = build(config, seed=1)
    assert isinstance(built, Nervid)
    generator = torch.Generator().manual_seed(2)
    for name, parameter in built.named_parameters():
        deviation = 1.0 if name.startswith("grids") else 0.2
        nn.init.normal_(parameter, std=deviation, generator=generator)
    return built.requires_grad_(False)


def area_means(frames: Tensor, factor: int) -> Tensor:
    """The mean of every square, cut ones by the pixels that they have; in float64, by loops."""
    rows, columns = (range(0, side, factor) for side in frames.shape[2:])
    means = [
        [frames[..., y : y + factor, x : x + factor].double().mean(dim=(2, 3)) for x in columns] for y in rows
    ]
    return torch.stack([torch.stack(row, dim=-1) for row in means], dim=-2)


@pytest.mark.parametrize(("height", "width"), [(20, 30), (17, 31), (18, 25), (24, 32), (23, 26)])
def test_half_size_is_the_full_frame_averaged(height: int, width: int) -> None:
    net = network(replace(CONFIG, height=height, width=width))
    embedding = net.embed(torch.tensor([0, 2]))
    full = net.draw_colors(embedding)
    half = net.draw_reduced(embedding, 2)
    assert full.std() > 0.3
    assert half.shape == (2, 3, -(-height // 2), -(-width // 2))
    torch.testing.assert_close(half, area_means(full, 2).float(), rtol=0, atol=1e-5)


def test_a_last_stride_of_three_averages_nine_pixels() -> None:
    config = replace(CONFIG, strides=(2, 2, 3), base_height=2, base_width=3, preview=False)
    net = network(config)
    embedding = net.embed(torch.tensor([1]))
    assert config.reductions == (3,)
    means = area_means(net.draw_colors(embedding), 3)
    assert means.shape == (1, 3, 7, 10)
    torch.testing.assert_close(net.draw_reduced(embedding, 3), means.float(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("reduction", [2, 4])
@pytest.mark.parametrize(("height", "width"), [(32, 48), (30, 45), (31, 42), (29, 47)])
def test_a_last_stride_of_four_averages_by_two_and_by_four(height: int, width: int, reduction: int) -> None:
    config = replace(
        CONFIG, strides=(2, 2, 4), height=height, width=width, base_height=2, base_width=3, preview=False
    )
    net = network(config)
    embedding = net.embed(torch.tensor([1]))
    assert config.reductions == (2, 4)
    means = area_means(net.draw_colors(embedding), reduction)
    small = net.draw_reduced(embedding, reduction)
    assert small.shape == means.shape == (1, 3, -(-height // reduction), -(-width // reduction))
    torch.testing.assert_close(small, means.float(), rtol=0, atol=1e-5)
    assert config.layers_at(reduction)[-1].outputs == 3 * (4 // reduction) ** 2


def test_the_preview_head_reads_the_map_at_a_quarter_of_the_size() -> None:
    net = network()
    assert net.preview is not None
    assert net.preview.bias is not None
    nn.init.zeros_(net.preview.weight)
    # Red is channel 4 of the pixel itself, green channel 1 of the one to its left, blue a color alone.
    net.preview.weight[0, 4, 1, 1] = 1
    net.preview.weight[1, 1, 1, 0] = 1
    net.preview.bias.copy_(torch.tensor([0.0, 0.5, 0.25]))
    embedding = net.embed(torch.tensor([0, 1]))
    small, features = net.draw_reduced(embedding, 4), net.draw_map(embedding, 1)
    assert features.shape == (2, 6, 6, 8)
    assert small.shape == (2, 3, 5, 8)
    torch.testing.assert_close(small[:, 0], features[:, 4, :5])
    torch.testing.assert_close(small[:, 1, :, 1:], features[:, 1, :5, :7] + 0.5)
    assert (small[:, 1, :, 0] == 0.5).all()
    assert (small[:, 2] == 0.25).all()


def test_the_map_of_the_last_stage_is_what_full_frames_are_drawn_from() -> None:
    net = network()
    last = net.blocks[2]
    assert isinstance(last, NervidStage)
    assert last.enlarge.bias is not None
    nn.init.zeros_(last.enlarge.weight)
    nn.init.zeros_(last.enlarge.bias)
    last.enlarge.weight[9, 3, 1, 1] = 1
    embedding = net.embed(torch.tensor([1]))
    # Output 9 is red of the lower right pixel of a square.
    drawn = net.draw_colors(embedding)[0, 0, 1::2, 1::2]
    torch.testing.assert_close(drawn, net.draw_map(embedding, 2)[0, 3, :10, :15])


def test_a_fresh_preview_head_draws_gray_and_leaves_all_other_weights_as_they_were() -> None:
    with_head, without = (build(replace(CONFIG, preview=preview), seed=7) for preview in (True, False))
    assert isinstance(with_head, Nervid)
    small = with_head.draw_reduced(with_head.embed(torch.tensor([0])), 4)
    assert (with_head.squash(small) == 0.5).all()
    names = [name for name, _ in without.named_weights()]
    assert [name for name, _ in with_head.named_weights()] == [*names, "preview.weight", "preview.bias"]
    for name, weight in without.named_weights():
        assert torch.equal(dict(with_head.named_weights())[name], weight)


def test_multiply_accumulates_of_smaller_frames() -> None:
    first = (3 * 8 * 9 + 8 * 8 * 9 + 8 * 24) * 12
    second = (2 * 6 * 9 + 6 * 6 * 9) * 48
    third = (1 * 4 * 9 + 2 * 4 * 4 * 9) * 192
    in_all = {reduction: sum(layer.macs for layer in CONFIG.layers_at(reduction)) for reduction in (1, 2, 4)}
    assert in_all == {
        1: first + second + 6 * 16 * 48 + third + 4 * 12 * 9 * 192,
        2: first + second + 6 * 16 * 48 + third + 4 * 3 * 9 * 192,
        4: first + second + 6 * 3 * 9 * 48,
    }
    # The head runs at no site of a full frame.
    assert macs_per_pixel(CONFIG) == macs_per_pixel(replace(CONFIG, preview=False)) == in_all[1] / (20 * 30)


@pytest.mark.parametrize(
    ("height", "width", "shares"), [(180, 320, [1, 0.89, 0.46]), (720, 1280, [1, 0.75, 0.69])]
)
def test_smaller_frames_take_less_arithmetic(height: int, width: int, shares: list[float]) -> None:
    config = solve_nervid(frames=132, height=height, width=width, budget_bytes=60_000)
    assert config.preview == (height < 270)
    costs = [sum(layer.macs for layer in config.layers_at(reduction)) for reduction in (1, 2, 4)]
    assert [round(cost / costs[0], 2) for cost in costs] == shares


def test_parameters_of_the_preview_head_are_counted() -> None:
    assert parameter_count(CONFIG) == parameter_count(replace(CONFIG, preview=False)) + 6 * 3 * 9 + 3
    assert parameter_count(CONFIG) == sum(weight.numel() for _, weight in network().named_weights())


def test_a_config_says_that_there_is_a_preview_head_only_where_there_is_one() -> None:
    described, without = to_json(CONFIG), to_json(replace(CONFIG, preview=False))
    assert described == without | {"preview": True}
    assert from_json(described) == CONFIG
    assert from_json(without) == replace(CONFIG, preview=False)
    with pytest.raises(FormatError, match="preview must be left out where it is False"):
        from_json(without | {"preview": False})


@pytest.mark.parametrize(("preview", "reductions"), [(True, (2, 4)), (False, (2,))])
def test_reductions_are_those_that_have_a_head(preview: bool, reductions: tuple[int, ...]) -> None:
    config = replace(CONFIG, preview=preview)
    assert config.reductions == reductions
    net = network(config)
    with pytest.raises(InputError, match=r"reduction must be one of \(2,"):
        net.draw_reduced(net.embed(torch.tensor([0])), 8)


@pytest.mark.parametrize("strides", [(2, 2, 1), (4, 1, 2)])
def test_a_preview_head_needs_two_stages_that_enlarge(strides: tuple[int, ...]) -> None:
    total = strides[0] * strides[1] * strides[2]
    with pytest.raises(InputError, match="preview needs two last stages that enlarge"):
        replace(CONFIG, strides=strides, base_height=-(-20 // total), base_width=-(-30 // total))


def test_files_that_afford_it_have_a_preview_head() -> None:
    configs = [solve_nervid(frames=8, height=64, width=64, budget_bytes=size) for size in (19_999, 20_000)]
    assert [config.preview for config in configs] == [False, True]
