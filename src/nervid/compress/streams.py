"""Quantized tensors to bytes and back: grids in front, then one entropy-coded stream of all codes."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nervid.compress.quantize import Grid, dequantize
from nervid.compress.symbols import decode_symbols, encode_symbols, ideal_bits
from nervid.errors import CorruptSectionError

PER_CHANNEL_FLAG = 0x80
CENTERED_FLAG = 0x40


@dataclass(frozen=True, slots=True, eq=False)
class QuantizedTensor:
    """Codes and the grid that gives them their values."""

    codes: Int[Tensor, "*shape"]
    """Integer codes, int16, any shape."""
    grid: Grid
    """Levels; an axis other than None must be axis 0 or 1."""

    def cpu(self) -> "QuantizedTensor":
        """Return the same tensor on the CPU."""
        return QuantizedTensor(self.codes.cpu(), self.grid.to(torch.device("cpu")))

    def values(self) -> Float[Tensor, "*shape"]:
        """Return the dequantized values, float32, the codes' shape."""
        return dequantize(self.codes, self.grid)


def encode_tensors(tensors: Sequence[QuantizedTensor]) -> bytes:
    """Return the bytes of a weights or embeddings section (docs/format.md).

    Names and shapes are not stored: the reader knows them, in the same order, from the model configuration.
    """
    head = b"".join(_grid_bytes(tensor.grid) for tensor in tensors)
    return head + encode_symbols([_array(t) for t in tensors], [t.grid.bits for t in tensors])


def decode_tensors(data: bytes, shapes: Sequence[tuple[int, ...]]) -> list[QuantizedTensor]:
    """Undo :func:`encode_tensors`.

    Args:
        data: The section's payload.
        shapes: Shape of each tensor, in the order in which they were encoded.

    Raises:
        CorruptSectionError: If the bytes do not hold tensors of these shapes.
    """
    grids, position = [], 0
    for shape in shapes:
        grid, position = _read_grid(data, position, shape)
        grids.append(grid)
    arrays = decode_symbols(data[position:], shapes, [grid.bits for grid in grids])
    return [
        QuantizedTensor(torch.from_numpy(array.astype(np.int16)).reshape(shape), grid)
        for array, shape, grid in zip(arrays, shapes, grids, strict=True)
    ]


def estimate_bytes(tensors: Sequence[QuantizedTensor]) -> float:
    """Return the size that :func:`encode_tensors` would reach with an ideal coder, in bytes."""
    grids = sum(len(_grid_bytes(tensor.grid)) for tensor in tensors)
    return grids + ideal_bits([_array(t) for t in tensors], [t.grid.bits for t in tensors]) / 8


def _array(tensor: QuantizedTensor) -> np.ndarray:
    return tensor.codes.detach().cpu().numpy()


def _grid_bytes(grid: Grid) -> bytes:
    centered = bool((grid.offset != 0).any())
    flags = grid.bits | (0 if grid.axis is None else PER_CHANNEL_FLAG) | (CENTERED_FLAG if centered else 0)
    flags |= 0 if grid.axis is None else grid.axis << 4
    steps = grid.step.detach().cpu().numpy().astype("<f2").tobytes()
    offsets = grid.offset.detach().cpu().numpy().astype("<f2").tobytes() if centered else b""
    return struct.pack("<B", flags) + steps + offsets


def _read_grid(data: bytes, position: int, shape: tuple[int, ...]) -> tuple[Grid, int]:
    if position >= len(data):
        raise CorruptSectionError("quantization grids: the section ends early; copy or encode the file again")
    flags = data[position]
    bits, axis = flags & 0x0F, ((flags >> 4) & 1) if flags & PER_CHANNEL_FLAG else None
    if not 2 <= bits <= 8 or flags & 0x20 or (axis is not None and axis >= len(shape)):
        raise CorruptSectionError(
            f"quantization grids: flags 0x{flags:02x} are not valid; encode the file again"
        )
    grid_shape = (
        tuple(size if dim == axis else 1 for dim, size in enumerate(shape)) if axis is not None else ()
    )
    step, position = _read_halves(data, position + 1, grid_shape)
    if not bool((step > 0).all()):
        raise CorruptSectionError("quantization grids: a step is not positive; encode the file again")
    offset = torch.zeros_like(step)
    if flags & CENTERED_FLAG:
        offset, position = _read_halves(data, position, grid_shape)
    return Grid(bits=bits, step=step, offset=offset, axis=axis), position


def _read_halves(data: bytes, position: int, shape: tuple[int, ...]) -> tuple[Tensor, int]:
    end = position + 2 * prod(shape)
    if end > len(data):
        raise CorruptSectionError("quantization grids: the section ends early; copy or encode the file again")
    halves = np.frombuffer(data[position:end], dtype="<f2").astype(np.float32).reshape(shape)
    if not np.isfinite(halves).all():
        raise CorruptSectionError("quantization grids: a number is not finite; encode the file again")
    return torch.from_numpy(halves), end
