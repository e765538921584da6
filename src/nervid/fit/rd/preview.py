"""The preview head of a fitted network: solved by least squares, then quantized."""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, prod, sqrt
from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own idiom
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from nervid.compress.quantize import Grid, dequantize, fit_grid, quantize
from nervid.compress.streams import QuantizedTensor, estimate_bytes
from nervid.fit.rd.stored import StoredTensors
from nervid.models.config.nervid import PREVIEW_KERNEL, NervidConfig
from nervid.models.nervid import GRIDS, Nervid
from nervid.models.registry import build_empty
from nervid.models.representation import in_channels_last

KERNEL_BITS: Final = (5, 4, 3, 2)
"""Bits of a kernel's codes before entropy coding: the first that keep the bytes set aside. Five lose a tenth
of a decibel at most and take about 3 after it (docs/log.md)."""
EXPECTED_BITS: Final = 3.5
"""Bits after entropy coding that are set aside for each of a kernel's codes."""
SPARE_BYTES: Final = 24
"""Bytes set aside for the grids of kernels and biases, the coder's tables and its end."""
MOST_FRAMES: Final = 32
MOST_SITES: Final = 4096
"""Frames, and sites of each, that are looked at; hundreds for every number that is solved for."""
RIDGE: Final = 1e-7
"""Part of the features' mean square that is added to the square of each, so that some may be alike."""
LEAST_SQUARE: Final = 0.01
"""Least mean square that is taken for it: so no kernel is larger than a step can be."""


def preview_bytes(config: NervidConfig) -> int:
    """Return how many bytes of WGHT are set aside for a network's preview head; 0 without one."""
    if not config.preview:
        return 0
    return ceil(3 * config.channels[-2] * PREVIEW_KERNEL**2 * EXPECTED_BITS / 8) + SPARE_BYTES


def solve_preview(
    config: NervidConfig, tensors: StoredTensors, frames: UInt8[Tensor, "frames 3 height width"]
) -> list[QuantizedTensor]:
    """Return the kernels and biases of a network's preview head; nothing without one.

    With them the stored network draws small frames of nearly the least squared error, over a sample of frames
    and sites, against the frames averaged over areas.

    Args:
        config: The network.
        tensors: What is stored of it, head aside.
        frames: The segment, values in [0, 255].
    """
    if not config.preview:
        return []
    network = _stored_network(config, tensors, frames.device)
    squares, products = _normal_equations(network, frames)
    count = len(squares) - 1
    mean_square = squares.diagonal()[:count].mean().clamp(min=LEAST_SQUARE * float(squares[count, count]))
    squares = squares + RIDGE * mean_square * torch.eye(len(squares))
    solved = torch.linalg.solve(squares, products)
    head: list[QuantizedTensor] = []
    for bits in KERNEL_BITS:
        grid = fit_grid(solved[:count].to(torch.float32), bits=bits)
        codes, biases = _round_in_turn(solved, squares, grid)
        kernels = codes.mT.reshape(3, -1, PREVIEW_KERNEL, PREVIEW_KERNEL).contiguous()
        head = [QuantizedTensor(kernels, grid), _quantized_biases(biases)]
        if estimate_bytes(head) <= preview_bytes(config):
            break
    return head


def _round_in_turn(
    solved: Float[Tensor, "numbers 3"], squares: Float[Tensor, "numbers numbers"], grid: Grid
) -> tuple[Int[Tensor, "kernel_numbers 3"], Float[Tensor, "3"]]:
    """Quantize all rows but the last, one after the other; those that follow make up for its error.

    Args:
        solved: The solution of the normal equations, biases last.
        squares: Their matrix.
        grid: That of the kernels.

    Returns:
        The kernels' codes, and the biases that are best beside them.

    Source:
        GPTQ (Frantar et al., ICLR 2023, arXiv:2210.17323), without its blocks.
    """
    numbers = solved.clone()
    # Row i of the factor tells how numbers from i on move when number i does, those before it being fixed.
    factor = torch.linalg.cholesky(torch.linalg.inv(squares), upper=True)
    codes = torch.zeros(len(solved) - 1, 3, dtype=torch.int16)
    for row in range(len(codes)):
        codes[row] = quantize(numbers[row].to(torch.float32), grid)
        error = numbers[row] - dequantize(codes[row], grid)
        numbers[row:] -= factor[row, row:, None] / factor[row, row] * error
    return codes, numbers[-1]


def _quantized_biases(biases: Float[Tensor, "3"]) -> QuantizedTensor:
    """Give every bias a step of its own, its magnitude: as exact as a step is."""
    values = biases.to(torch.float32)
    step = values.abs().clamp(min=2.0**-14).to(torch.float16).to(torch.float32)
    grid = Grid(bits=2, step=step, offset=torch.zeros(3), axis=0)
    return QuantizedTensor(quantize(values, grid), grid)


def _stored_network(config: NervidConfig, tensors: StoredTensors, device: torch.device) -> Nervid:
    """Return the network as a file's reader will have it, without its preview head."""
    network = build_empty(replace(config, preview=False))
    assert isinstance(network, Nervid)
    names = [name for name, _ in network.named_weights()]
    values = {name: tensor.values() for name, tensor in zip(names, tensors.weights, strict=True)}
    values |= {f"{GRIDS}.{number}": grid.values().flatten(1) for number, grid in enumerate(tensors.grids)}
    network.load_state_dict(values, assign=True)
    return in_channels_last(network.requires_grad_(False).eval().to(device))


@torch.no_grad()
def _normal_equations(
    network: Nervid, frames: UInt8[Tensor, "frames 3 height width"]
) -> tuple[Float[Tensor, "numbers numbers"], Float[Tensor, "numbers 3"]]:
    """Return sums over sites of the products of all features, and of features and colors.

    Features are the numbers of the map under a kernel's window, in the kernel's order, and a last one for the
    bias, 1 everywhere.
    """
    strides = network.config.strides
    reduction, stage = prod(strides[-2:]), len(strides) - 2
    squares = products = torch.zeros(())
    for index in _evenly(len(frames), MOST_FRAMES):
        colors = frames[index : index + 1].to(torch.float32) / 255 - 0.5
        small = F.avg_pool2d(colors, reduction, ceil_mode=True)
        rows, columns = small.shape[2:]
        every = ceil(sqrt(rows * columns / MOST_SITES))
        features = network.draw_map(network.embed(torch.tensor([index], device=frames.device)), stage)
        # Only every so many-th site; sites beyond the frame are in windows, but have no window.
        padding = PREVIEW_KERNEL // 2
        around = F.pad(features, [padding] * 4)[..., : rows + 2 * padding, : columns + 2 * padding]
        windows = F.unfold(around, PREVIEW_KERNEL, stride=every)[0].to("cpu", torch.float64)
        windows = torch.cat([windows, torch.ones(1, windows.shape[1], dtype=torch.float64)])
        wanted = small[0, :, ::every, ::every].flatten(1).to("cpu", torch.float64)
        squares, products = squares + windows @ windows.mT, products + windows @ wanted.mT
    return squares, products


def _evenly(count: int, most: int) -> Sequence[int]:
    """Return at most so many indices, evenly spaced."""
    return range(0, count, ceil(count / most))
