"""Which part of a network may run in bfloat16, so that hardly a byte of a frame moves by more than one."""

import copy
from collections.abc import Iterable
from typing import Any, Literal

import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from nervid.decoder.fused import FusedBlock
from nervid.decoder.network import NEVER_HALF, draw_frame
from nervid.hardware import has_bfloat16
from nervid.models.blocks import UpsampleBlock
from nervid.models.latent_inr import LatentInr
from nervid.models.representation import Representation

PlayPrecision = Literal["auto", "float32", "bfloat16"]
"""Type of the convolutions while playing: what the file allows, all float32, or all bfloat16."""
LARGEST_DIFFERENCE = 2
"""Most that a byte may differ from the one that float32 draws."""
RARE = 1000
"""Of so many bytes of a frame at most one may differ by more than 1."""


def first_half_block(precision: PlayPrecision, allowed: int, device: torch.device) -> int:
    """Return the first block to run in bfloat16.

    Args:
        precision: What the user asked for.
        allowed: What the file says, ``nervid.decoder.network.half_from``.
        device: Where the network runs; without native bfloat16 there, "auto" is float32.
    """
    if precision == "auto":
        return allowed if has_bfloat16(device) else NEVER_HALF
    return 0 if precision == "bfloat16" else NEVER_HALF


def run_in_half(network: Representation[Any], first: int) -> Representation[Any]:
    """Put the blocks from ``first`` on, and the heads, into bfloat16, in place.

    A pixel-wise network's stem does most of the work and goes with its first block. A preview head does
    little and stays in float32.

    An error early in a network is drawn large by the blocks that follow, and the late blocks do nearly all
    of the arithmetic: of a network with three blocks the last one alone in bfloat16 moved bytes by 1 at most,
    all three by 4. Any other stem stays in float32.

    Args:
        network: In evaluation mode, float32.
        first: Block, counted from 0; from the number of blocks on nothing is changed.
    """
    if first >= len(network.config.strides):
        return network
    blocks = network.get_submodule("blocks")
    assert isinstance(blocks, nn.ModuleList)
    heads = [module for name, module in network.named_children() if name in ("head", "heads")]
    for part in [*blocks[first:], *heads]:
        part.to(torch.bfloat16)
        for convolution in (each for each in part.modules() if isinstance(each, nn.Conv2d)):
            convolution.register_forward_pre_hook(_to_own_type)
    if isinstance(network, LatentInr) and network.config.is_pixel_wise:
        network.stem_type = torch.bfloat16
        return network
    for number, block in enumerate(blocks):
        if isinstance(block, UpsampleBlock) and FusedBlock.takes(block):
            blocks[number] = FusedBlock(block)
    return network


def find_half_from(network: Representation[Any], indices: Iterable[int]) -> int:
    """Measure from which block on bfloat16 keeps some frames' bytes to those that float32 draws.

    In each frame no byte may differ by more than ``LARGEST_DIFFERENCE``, and at most one in ``RARE`` by more
    than 1.

    Args:
        network: In evaluation mode, float32.
        indices: The frames to draw: all, for a promise about all.

    Returns:
        The first block, or ``NEVER_HALF`` where not even the last block may, or where the network's device
        has no native bfloat16 to measure with.
    """
    if not has_bfloat16(next(network.parameters()).device):
        return NEVER_HALF
    first = 0
    candidate = run_in_half(copy.deepcopy(network), first)
    for index in indices:
        exact = draw_frame(network, index)
        while not _is_close(draw_frame(candidate, index), exact):
            first += 1
            if first == len(network.config.strides):
                return NEVER_HALF
            candidate = run_in_half(copy.deepcopy(network), first)
    return first


def _is_close(frame: UInt8[Tensor, "3 height width"], exact: UInt8[Tensor, "3 height width"]) -> bool:
    differences = (frame.to(torch.int16) - exact.to(torch.int16)).abs()
    is_rare = RARE * int((differences > 1).sum()) <= differences.numel()
    return is_rare and int(differences.max()) <= LARGEST_DIFFERENCE


def _to_own_type(module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
    """Cast a convolution's input to the type of its weights."""
    assert isinstance(module, nn.Conv2d)
    return (inputs[0].to(module.weight.dtype),)
