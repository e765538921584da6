"""The preview head of a network: found where it is known, near to what is possible where it is not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own idiom
from numpy.typing import NDArray
from torch import Tensor

from nervid.compress.feature_sections import QuantizedFeatureGrid
from nervid.compress.quantize import fit_grid, quantize
from nervid.compress.streams import QuantizedTensor, encode_tensors
from nervid.fit.plan import Hooks, SegmentPlan
from nervid.fit.rd.preview import preview_bytes, solve_preview
from nervid.fit.rd.stored import StoredTensors
from nervid.fit.recipe import RATE_DISTORTION, Effort
from nervid.fit.segment import fit_segment
from nervid.models.config import NervidConfig
from nervid.models.nervid import Nervid
from nervid.models.nervid_sizing import solve_nervid
from nervid.models.registry import build

CONFIG = replace(solve_nervid(frames=8, height=32, width=48, budget_bytes=6000), preview=True)
FRAMES = torch.arange(8)


def stored_of(config: NervidConfig = CONFIG, deviation: float = 0.5) -> StoredTensors:
    """A random network in 8 bits, its feature grids in steps of a quarter."""
    network = build(replace(config, preview=False), seed=1)
    weights = []
    for _, weight in network.named_weights():
        grid = fit_grid(weight.detach(), bits=8)
        weights.append(QuantizedTensor(quantize(weight.detach(), grid), grid))
    generator = torch.Generator().manual_seed(5)
    grids = []
    for grid_of in config.feature_grids:
        values = deviation * torch.randn(grid_of.shape, generator=generator)
        steps = torch.full((grid_of.shape[1],), 0.25)
        grids.append(QuantizedFeatureGrid((values / 0.25).round().to(torch.int16), steps))
    return StoredTensors(weights, grids)


def maps_of(stored: StoredTensors, config: NervidConfig = CONFIG) -> Tensor:
    """The maps at a quarter of the size of all frames, [8, 8, 8, 12]."""
    network = build(replace(config, preview=False))
    assert isinstance(network, Nervid)
    names = [name for name, _ in network.named_weights()]
    values = {name: tensor.values() for name, tensor in zip(names, stored.weights, strict=True)}
    values |= {f"grids.{number}": grid.values().flatten(1) for number, grid in enumerate(stored.grids)}
    network.load_state_dict(values)
    with torch.no_grad():
        return network.draw_map(network.embed(FRAMES), 2)


def drawn_by(head: list[QuantizedTensor], maps: Tensor) -> Tensor:
    kernels, biases = (tensor.values() for tensor in head)
    return F.conv2d(maps, kernels, biases, padding=1)


def frames_of(small: Tensor) -> Tensor:
    """Frames whose squares of 4 pixels a side have these colors around 0, in bytes."""
    large = small.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    return ((large + 0.5) * 255).round().clamp(0, 255).to(torch.uint8)


def test_a_head_that_drew_the_frames_is_found() -> None:
    stored = stored_of()
    maps = maps_of(stored)
    codes = (2 * torch.randn(3, 8, 3, 3, generator=torch.Generator().manual_seed(6))).round()
    codes[0, 0, 0, 0] = 15
    scale = 0.08 / F.conv2d(maps, codes, padding=1).std()
    biases = torch.tensor([0.1, -0.05, 0.02])
    small = F.conv2d(maps, scale * codes, biases, padding=1)
    assert small.abs().max() < 0.5
    kernels, found = solve_preview(CONFIG, stored, frames_of(small))
    assert torch.equal(kernels.codes, codes.to(torch.int16))
    assert float(kernels.grid.step) == pytest.approx(float(scale), rel=2e-3)
    torch.testing.assert_close(found.values(), biases, rtol=0, atol=1e-3)


def test_rounding_in_turn_loses_little_and_less_than_rounding_at_once() -> None:
    stored = stored_of()
    maps = maps_of(stored)
    wanted = maps[:, :3] * maps[:, 3:6]
    small = 0.1 * (wanted - wanted.mean()) / wanted.std()
    target = frames_of(small)[..., ::4, ::4].float() / 255 - 0.5
    windows = F.unfold(maps, 3, padding=1).transpose(1, 2).flatten(0, 1)
    windows = torch.cat([windows, torch.ones(len(windows), 1)], dim=1)
    best = torch.linalg.lstsq(windows, target.flatten(2).transpose(1, 2).flatten(0, 1)).solution
    kernels, biases = best[:-1].mT.reshape(3, 8, 3, 3), best[-1]
    grid = fit_grid(kernels, bits=5)
    at_once = F.conv2d(maps, QuantizedTensor(quantize(kernels, grid), grid).values(), biases, padding=1)
    least = (F.conv2d(maps, kernels, biases, padding=1) - target).square().mean()
    in_turn = drawn_by(solve_preview(CONFIG, stored, frames_of(small)), maps)
    error = (in_turn - target).square().mean()
    assert least < error < 1.02 * least
    assert error < (at_once - target).square().mean()


def test_only_pixels_of_the_frame_are_averaged() -> None:
    # In the fifth row a quarter, in the eighth column three quarters of a square lie in the frame.
    config = replace(CONFIG, height=17, width=31, base_height=2, base_width=2)
    stored = stored_of(config)
    frames = torch.full((8, 3, 17, 31), 51, dtype=torch.uint8)
    maps = maps_of(stored, config)[..., :5, :8]
    assert maps.shape == (8, 8, 5, 8)
    kernels, biases = solve_preview(config, stored, frames)
    assert (kernels.values().abs() < 1e-4).all()
    torch.testing.assert_close(biases.values(), torch.full((3,), 0.2 - 0.5), rtol=1e-3, atol=0)


@pytest.mark.parametrize("deviation", [0.0, 0.5])
@pytest.mark.parametrize("budget", [6000, 150_000])
def test_a_head_keeps_the_bytes_set_aside_whatever_the_frames(deviation: float, budget: int) -> None:
    config = replace(solve_nervid(frames=4, height=32, width=48, budget_bytes=budget), preview=True)
    stored = stored_of(config, deviation)
    noise = torch.randint(0, 256, (4, 3, 32, 48), generator=torch.Generator().manual_seed(8))
    head = solve_preview(config, stored, noise.to(torch.uint8))
    more = len(encode_tensors([*stored.weights, *head])) - len(encode_tensors(stored.weights))
    assert [tuple(tensor.codes.shape) for tensor in head] == [(3, config.channels[2], 3, 3), (3,)]
    assert 0 < more <= preview_bytes(config)


def test_black_frames_and_an_empty_network_have_a_head() -> None:
    stored = stored_of(deviation=0.0)
    head = solve_preview(CONFIG, stored, torch.zeros(8, 3, 32, 48, dtype=torch.uint8))
    drawn = drawn_by(head, maps_of(stored))
    torch.testing.assert_close(drawn, torch.full_like(drawn, -0.5), rtol=0, atol=1e-3)


def test_a_fit_has_a_head_of_its_own_network_within_its_size(tiny_frames: NDArray[np.uint8]) -> None:
    frames = torch.from_numpy(tiny_frames)
    plan = SegmentPlan(
        model=CONFIG,
        recipe=RATE_DISTORTION,
        effort=Effort(epochs=1, minimum_steps=20),
        bits=6,
        sparsity=0.0,
        target_bytes=6000,
        seed=1,
        precision="float32",
        device="cpu",
    )
    fitted = fit_segment(frames, plan, Hooks())
    wght, embd = fitted.sections()
    assert embd is not None
    assert len(wght) + len(embd) <= 6000
    assert fitted.config == CONFIG
    network = build(CONFIG)
    assert [tuple(tensor.codes.shape) for tensor in fitted.weights] == [
        tuple(weight.shape) for _, weight in network.named_weights()
    ]
    stored = StoredTensors(fitted.weights[:-2], list(fitted.grids))
    head = solve_preview(CONFIG, stored, frames)
    for own, solved in zip(fitted.weights[-2:], head, strict=True):
        assert torch.equal(own.values(), solved.values())
    # Far from gray: the head has learned something of this clip.
    wanted = F.avg_pool2d(frames / 255 - 0.5, 4)
    error = (drawn_by(head, maps_of(stored)) - wanted).square().mean()
    assert error < 0.25 * (wanted - wanted.mean(dim=(0, 2, 3), keepdim=True)).square().mean()


def test_without_preview_nothing_is_solved_or_set_aside() -> None:
    config = replace(CONFIG, preview=False)
    assert solve_preview(config, stored_of(), torch.zeros(8, 3, 32, 48, dtype=torch.uint8)) == []
    assert preview_bytes(config) == 0
    assert preview_bytes(CONFIG) == 3 * 8 * 9 * 3.5 / 8 + 0.5 + 24
