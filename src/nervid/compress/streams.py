"""Quantized tensors to bytes and back: grids in front, then one entropy-coded stream of all codes."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nervid.compress.differences import from_differences, to_differences
from nervid.compress.quantize import Grid, dequantize
from nervid.compress.symbols import decode_symbols, encode_symbols, ideal_bits
from nervid.errors import CorruptSectionError

PER_CHANNEL_FLAG = 0x80
CENTERED_FLAG = 0x40
DIFFERENCES_FLAG = 0x20
AXIS_BIT = 4


@dataclass(frozen=True, slots=True, eq=False)
class QuantizedTensor:
    """Codes and the grid that gives them their values."""

    codes: Int[Tensor, "*shape"]
    """Integer codes, int16, any shape."""
    grid: Grid
    """Levels; an axis other than None must be axis 0 or 1."""
    in_time: bool = False
    """Whether the first axis is that of frames, so that neighbors along it may be alike: they are then coded
    as differences where that takes fewer bytes."""

    def cpu(self) -> "QuantizedTensor":
        """Return the same tensor on the CPU."""
        return replace(self, codes=self.codes.cpu(), grid=self.grid.to(torch.device("cpu")))

    def values(self) -> Float[Tensor, "*shape"]:
        """Return the dequantized values, float32, the codes' shape."""
        return dequantize(self.codes, self.grid)


def encode_tensors(tensors: Sequence[QuantizedTensor]) -> bytes:
    """Return the bytes of a weights or embeddings section (docs/format.md).

    Names and shapes are not stored: the reader knows them, in the same order, from the model configuration.
    """
    head, arrays, bits = _laid_out(tensors)
    return head + encode_symbols(arrays, bits)


def decode_tensors(data: bytes, shapes: Sequence[tuple[int, ...]]) -> list[QuantizedTensor]:
    """Undo :func:`encode_tensors`.

    Args:
        data: The section's payload.
        shapes: Shape of each tensor, in the order in which they were encoded.

    Raises:
        CorruptSectionError: If the bytes do not hold tensors of these shapes.
    """
    heads, position = [], 0
    for shape in shapes:
        grid, has_differences, position = _read_grid(data, position, shape)
        heads.append((shape, grid, has_differences))
    parts = [
        (part, grid.bits)
        for shape, grid, has_differences in heads
        for part in (_split_in_time(shape) if has_differences else [shape])
    ]
    arrays = iter(decode_symbols(data[position:], [part for part, _ in parts], [bits for _, bits in parts]))
    tensors = []
    for shape, grid, has_differences in heads:
        array = next(arrays)
        if has_differences:
            array = from_differences(array, next(arrays), grid.bits)
        codes = torch.from_numpy(array.astype(np.int16)).reshape(shape)
        tensors.append(QuantizedTensor(codes, grid, in_time=has_differences))
    return tensors


def estimate_bytes(tensors: Sequence[QuantizedTensor]) -> float:
    """Return the size that :func:`encode_tensors` would reach with an ideal coder, in bytes."""
    head, arrays, bits = _laid_out(tensors)
    return len(head) + ideal_bits(arrays, bits) / 8


def _laid_out(tensors: Sequence[QuantizedTensor]) -> tuple[bytes, list[np.ndarray], list[int]]:
    """Return the grids' bytes, then the arrays of the stream and the bits of each."""
    head, arrays, bits = b"", [], []
    for tensor in tensors:
        parts, depth = _parts(tensor), tensor.grid.bits
        head += _grid_bytes(tensor.grid, has_differences=len(parts) == 2)
        arrays += parts
        bits += [depth] * len(parts)
    return head, arrays, bits


def _parts(tensor: QuantizedTensor) -> list[np.ndarray]:
    """Return a tensor's codes, or those of its first frame and the differences where that is shorter."""
    codes, bits = tensor.codes.detach().cpu().numpy(), tensor.grid.bits
    if not tensor.in_time:
        return [codes]
    split = list(to_differences(codes, bits))
    return min([codes], split, key=lambda arrays: ideal_bits(arrays, [bits] * len(arrays)))


def _split_in_time(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return the shapes of the two arrays that stand for a tensor coded as differences."""
    first = min(1, shape[0])
    return [(first, *shape[1:]), (shape[0] - first, *shape[1:])]


def _grid_bytes(grid: Grid, *, has_differences: bool) -> bytes:
    centered = bool((grid.offset != 0).any())
    flags = grid.bits | (CENTERED_FLAG if centered else 0) | (DIFFERENCES_FLAG if has_differences else 0)
    flags |= 0 if grid.axis is None else PER_CHANNEL_FLAG | grid.axis << AXIS_BIT
    steps = grid.step.detach().cpu().numpy().astype("<f2").tobytes()
    offsets = grid.offset.detach().cpu().numpy().astype("<f2").tobytes() if centered else b""
    return struct.pack("<B", flags) + steps + offsets


def _read_grid(data: bytes, position: int, shape: tuple[int, ...]) -> tuple[Grid, bool, int]:
    """Return a tensor's grid, whether its codes are differences, and where the next grid starts."""
    if position >= len(data):
        raise CorruptSectionError("quantization grids: the section ends early; copy or encode the file again")
    flags = data[position]
    bits, axis, has_differences = flags & 0x0F, (flags >> AXIS_BIT) & 1, bool(flags & DIFFERENCES_FLAG)
    is_per_channel = bool(flags & PER_CHANNEL_FLAG)
    if (
        not 2 <= bits <= 8
        or (has_differences and not shape)
        or (axis >= len(shape) if is_per_channel else axis != 0)
    ):
        raise CorruptSectionError(
            f"quantization grids: flags 0x{flags:02x} are not valid; encode the file again"
        )
    grid_shape = tuple(size if dim == axis else 1 for dim, size in enumerate(shape)) if is_per_channel else ()
    step, position = _read_halves(data, position + 1, grid_shape)
    if not bool((step > 0).all()):
        raise CorruptSectionError("quantization grids: a step is not positive; encode the file again")
    offset = torch.zeros_like(step)
    if flags & CENTERED_FLAG:
        offset, position = _read_halves(data, position, grid_shape)
    grid = Grid(bits=bits, step=step, offset=offset, axis=axis if is_per_channel else None)
    return grid, has_differences, position


def _read_halves(data: bytes, position: int, shape: tuple[int, ...]) -> tuple[Tensor, int]:
    end = position + 2 * prod(shape)
    if end > len(data):
        raise CorruptSectionError("quantization grids: the section ends early; copy or encode the file again")
    halves = np.frombuffer(data[position:end], dtype="<f2").astype(np.float32).reshape(shape)
    if not np.isfinite(halves).all():
        raise CorruptSectionError("quantization grids: a number is not finite; encode the file again")
    return torch.from_numpy(halves), end
