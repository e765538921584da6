"""A nervid network with textures: what frames are drawn from, and what files say of it."""

from dataclasses import replace
from math import prod
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nervid.errors import FormatError, InputError
from nervid.models.config import NervidConfig, from_json, parameter_count, to_json
from nervid.models.config.nervid import MOTION_UNIT
from nervid.models.nervid import Nervid
from nervid.models.nervid_sizing import LARGE_PIXELS, Spans, solve_nervid
from nervid.models.registry import build
from nervid.models.sizing import macs_per_pixel
from nervid.models.warping import warp
from tests.models.nervid_samples import CONFIG

TEXTURED = replace(CONFIG, texture_channels=2, texture_span=5, motion_span=2)
"""Ten frames: anchors at 0, 4 and 9; two knots of motion in each of two intervals, three to either side."""
TEXTURE, BACKWARD, FORWARD = "3", "4", "5"


def network(config: NervidConfig = TEXTURED) -> Nervid:
    """A network whose every number is random."""
    built = build(config, seed=1)
    assert isinstance(built, Nervid)
    generator = torch.Generator().manual_seed(2)
    for name, parameter in built.named_parameters():
        nn.init.normal_(parameter, std=1.0 if name.startswith("grids") else 0.2, generator=generator)
    return built.requires_grad_(False)


def test_textures_add_grids_and_a_wider_projection_to_the_last_stage() -> None:
    shapes = [grid.shape for grid in TEXTURED.feature_grids]
    assert shapes[:3] == [grid.shape for grid in CONFIG.feature_grids]
    assert shapes[3:] == [(3, 2, 12, 16), (4, 2, 3, 4), (4, 2, 3, 4)]
    assert parameter_count(TEXTURED) - parameter_count(CONFIG) == 2 * 9 * 4
    assert TEXTURED.embedding_shape[0] - CONFIG.embedding_shape[0] == 2 * 2 * 12 * 16 + 2 * 2 * 12
    assert TEXTURED.stored_embedding_count - CONFIG.stored_embedding_count == 3 * 2 * 192 + 2 * 4 * 24


def what_the_last_stage_reads(net: Nervid, embedding: Tensor, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """Textures alone: the numbers behind those of the stage's own feature grid."""
    read: list[Tensor] = []
    stage = net.blocks[-1]
    assert isinstance(stage.project, nn.Module)
    stage.project.register_forward_pre_hook(lambda _, given: read.append(given[0]))
    net.draw_colors(embedding)
    return read[0][:, 1:]


@pytest.mark.parametrize(("index", "anchor"), [(0, 0), (4, 1), (9, 2)])
def test_an_anchor_is_drawn_from_its_own_texture(
    index: int, anchor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = network()
    found = what_the_last_stage_reads(net, net.embed(torch.tensor([index])), monkeypatch)
    wanted = net.grids[TEXTURE][anchor].view(1, 2, 12, 16)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4)


def test_a_frame_between_is_drawn_from_two_warped_textures(monkeypatch: pytest.MonkeyPatch) -> None:
    net = network()
    found = what_the_last_stage_reads(net, net.embed(torch.tensor([4, 7])), monkeypatch)[1:]
    # Frame 7 lies three behind the anchor 4, two before 9. Backward knots of this interval are 6 and 8.
    textures = net.grids[TEXTURE].view(3, 2, 12, 16)
    backward = net.grids[BACKWARD].view(4, 1, 2, 3, 4)[2:].mean(dim=0)
    forward = net.grids[FORWARD].view(4, 1, 2, 3, 4)[3]
    # The last stage's map is at half of the frame's sides.
    before, after = (
        warp(texture[None], flow * MOTION_UNIT / 2)
        for texture, flow in zip(textures[1:], (backward, forward), strict=True)
    )
    torch.testing.assert_close(found, 0.4 * before + 0.6 * after, rtol=1e-4, atol=1e-4)


def test_frames_to_be_mixed_read_the_same_anchors() -> None:
    net = network()
    numbers = prod(TEXTURED.feature_grids[3].shape[1:])
    start = net.embed(torch.tensor([0])).shape[1] - 2 * numbers - 4 * 12
    together = net.embed_together(torch.tensor([3, 4]))[:, start:]
    textures = net.grids[TEXTURE]
    # As the end of the interval the anchor has no share of the texture before, all of the one after.
    assert together[1, :numbers].eq(0).all()
    torch.testing.assert_close(together[1, numbers : 2 * numbers], textures[1])
    torch.testing.assert_close(together[0, :numbers], textures[0] / 4)
    apart = torch.tensor([3, 5])
    assert net.embed_together(apart).equal(net.embed(apart))
    plain = network(CONFIG)
    assert plain.embed_together(apart).equal(plain.embed(apart))


def test_smaller_frames_are_those_of_the_whole_averaged() -> None:
    net = network()
    embedding = net.embed(torch.tensor([2]))
    means = nn.functional.avg_pool2d(net.draw_colors(embedding), 2)
    torch.testing.assert_close(net.draw_reduced(embedding, 2), means, rtol=0, atol=1e-4)


def test_a_file_says_nothing_of_textures_that_are_not_there() -> None:
    names = {"texture_channels", "texture_span", "motion_span"}
    assert not names & to_json(CONFIG).keys()
    described = to_json(TEXTURED)
    assert names <= described.keys()
    assert from_json(described) == TEXTURED
    with pytest.raises(FormatError, match="texture_span must be left out"):
        from_json(to_json(CONFIG) | {"texture_span": 0})


@pytest.mark.parametrize(
    "changes",
    [{"texture_span": 1}, {"texture_channels": 0}, {"motion_span": 0}, {"texture_span": 0}, {"frames": 2}],
)
def test_textures_without_all_that_they_need_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="textures need"):
        replace(TEXTURED, **changes)


@pytest.mark.parametrize(("height", "width", "stride", "channels"), [(180, 320, 2, 3), (360, 640, 4, 8)])
def test_a_solved_network_reads_them_at_its_last_map(
    height: int, width: int, stride: int, channels: int
) -> None:
    assert (height * width >= LARGE_PIXELS) == (stride == 4)
    plain, textured = (
        solve_nervid(frames=96, height=height, width=width, budget_bytes=60_000, spans=spans)
        for spans in (None, Spans(24, 2))
    )
    assert plain.texture_channels == 0
    assert textured.strides[-1] == stride
    last = plain.channels[-1]
    assert macs_per_pixel(textured) - macs_per_pixel(plain) == pytest.approx(
        channels * 9 * last * textured.sites[-2] / (height * width)
    )
    assert textured == replace(plain, texture_channels=channels, texture_span=24, motion_span=2)
