from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nervid.compress.quantize import Grid, fit_grid, quantize
from nervid.compress.streams import QuantizedTensor, decode_tensors, encode_tensors, estimate_bytes
from nervid.compress.symbols import encode_symbols
from nervid.errors import FormatError

SHAPES = [(8, 4, 3, 3), (8,), (2, 5, 1, 1), (3, 7)]


def _tensors(
    seed: int, bits: int, axis: int | None, centered: bool, *, in_time: bool = False
) -> list[QuantizedTensor]:
    generator = torch.Generator().manual_seed(seed)
    tensors = []
    for shape in SHAPES:
        values = torch.randn(shape, generator=generator) + 0.5
        if in_time:
            values = values.cumsum(0)
        grid = fit_grid(values, bits=bits, axis=axis if len(shape) > 1 else None, centered=centered)
        tensors.append(QuantizedTensor(quantize(values, grid), grid, in_time=in_time))
    return tensors


def _walk(bits: int, shape: tuple[int, ...] = (50, 6, 4), seed: int = 0) -> QuantizedTensor:
    """Embeddings that hardly change from frame to frame but cover all codes in the end."""
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).cumsum(0)
    grid = fit_grid(values, bits=bits, centered=True)
    return QuantizedTensor(quantize(values, grid), grid, in_time=True)


@given(
    seed=st.integers(0, 1000),
    bits=st.integers(2, 8),
    axis=st.sampled_from([None, 0, 1]),
    centered=st.booleans(),
    in_time=st.booleans(),
)
@settings(max_examples=40)
def test_tensors_come_back_exactly(
    seed: int, bits: int, axis: int | None, centered: bool, in_time: bool
) -> None:
    tensors = _tensors(seed, bits, axis, centered, in_time=in_time)
    back = decode_tensors(encode_tensors(tensors), SHAPES)
    for before, after in zip(tensors, back, strict=True):
        assert torch.equal(before.codes, after.codes)
        assert torch.equal(before.values(), after.values())


@given(seed=st.integers(0, 1000), bits=st.integers(2, 8), in_time=st.booleans())
@settings(max_examples=30)
def test_the_estimate_is_within_two_percent_and_a_word_of_the_bytes(
    seed: int, bits: int, in_time: bool
) -> None:
    tensors = _tensors(seed, bits, None, False, in_time=in_time)
    assert abs(len(encode_tensors(tensors)) - estimate_bytes(tensors)) <= 0.02 * estimate_bytes(tensors) + 8


def test_grids_are_flags_and_half_floats_in_front() -> None:
    values = torch.tensor([[1.0, -1.0]])
    grid = fit_grid(values, bits=6)
    data = encode_tensors([QuantizedTensor(quantize(values, grid), grid)])
    half = torch.tensor([grid.step.item()], dtype=torch.float16).numpy().tobytes()
    assert data[:3] == b"\x06" + half


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_embeddings_that_hardly_change_are_coded_as_differences(bits: int) -> None:
    tensor = _walk(bits)
    data = encode_tensors([tensor])
    without = encode_tensors([QuantizedTensor(tensor.codes, tensor.grid)])
    assert (data[0] & 0x20, without[0] & 0x20) == (0x20, 0)
    assert len(data) < 0.75 * len(without)
    (back,) = decode_tensors(data, [tuple(tensor.codes.shape)])
    assert back.in_time
    assert torch.equal(back.codes, tensor.codes)
    assert torch.equal(back.values(), tensor.values())
    assert abs(len(data) - estimate_bytes([tensor])) <= 0.02 * len(data) + 8


def test_embeddings_without_likeness_in_time_are_coded_as_they_are() -> None:
    values = torch.randn(50, 6, 4, generator=torch.Generator().manual_seed(1))
    grid = fit_grid(values, bits=6, centered=True)
    plain = QuantizedTensor(quantize(values, grid), grid)
    in_time = QuantizedTensor(plain.codes, grid, in_time=True)
    assert encode_tensors([in_time]) == encode_tensors([plain])
    assert estimate_bytes([in_time]) == estimate_bytes([plain])


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_the_fewest_frames_come_back(frames: int) -> None:
    tensor = _walk(6, (frames, 3, 2))
    (back,) = decode_tensors(encode_tensors([tensor]), [(frames, 3, 2)])
    assert torch.equal(back.codes, tensor.codes)


def test_differences_are_these_bytes() -> None:
    """Part of the file format: five frames, eight times over, of two numbers that wrap around."""
    codes = torch.tensor([[3, 7], [4, -8], [5, -7], [6, 7], [7, 6]] * 8, dtype=torch.int16)
    grid = Grid(bits=4, step=torch.tensor(0.5), offset=torch.tensor(0.0), axis=None)
    data = encode_tensors([QuantizedTensor(codes, grid, in_time=True)])
    assert data.hex() == "2400381e58854122cf593e065466a65b2e67fff16b5ca66e608c70"
    # Flags and step, then the stream of two arrays.
    first, later = np.array([[3, 7]]), np.array([[1, 1], [1, 1], [1, -2], [1, -1], [-4, 1]] * 8)[:-1]
    assert data[3:] == encode_symbols([first, later], [4, 4])


@pytest.mark.parametrize("flags", [0x06, 0x36, 0x16])
def test_other_flags_than_those_of_the_differences_are_refused(flags: int) -> None:
    tensor = _walk(6)
    data = encode_tensors([QuantizedTensor(tensor.codes, fit_grid(tensor.values(), bits=6), in_time=True)])
    assert data[0] == 0x26
    with pytest.raises(FormatError):
        decode_tensors(bytes([flags]) + data[1:], [tuple(tensor.codes.shape)])


def test_differences_of_a_tensor_without_axes_are_refused() -> None:
    codes, grid = torch.tensor(3, dtype=torch.int16), fit_grid(torch.tensor(1.0), bits=6)
    data = encode_tensors([QuantizedTensor(codes, grid)])
    assert decode_tensors(data, [()])[0].codes.item() == 3
    with pytest.raises(FormatError, match="flags 0x26"):
        decode_tensors(b"\x26" + data[1:], [()])


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:2],
        lambda data: b"\x0f" + data[1:],
        lambda data: b"\x26" + data[1:],
        lambda data: b"\x16" + data[1:],
        lambda data: data[:1] + b"\x00\x00" + data[3:],
        lambda data: data[:1] + b"\x00\x7c" + data[3:],
        lambda data: data[:1] + b"\x00\xbc" + data[3:],
    ],
)
def test_damaged_grids_are_refused(damage: Callable[[bytes], bytes]) -> None:
    data = encode_tensors(_tensors(1, 6, None, False))
    with pytest.raises(FormatError):
        decode_tensors(damage(data), SHAPES)


@given(data=st.binary(max_size=200), flags=st.none() | st.integers(0x22, 0x28))
def test_random_bytes_never_crash(data: bytes, flags: int | None) -> None:
    with suppress(FormatError):
        decode_tensors(data if flags is None else bytes([flags]) + data, SHAPES)


@settings(max_examples=50)
@given(seed=st.integers(0, 100), position=st.integers(0, 10_000), change=st.integers(1, 255))
def test_changed_bytes_of_differences_are_refused_or_decode_to_codes(
    seed: int, position: int, change: int
) -> None:
    data = bytearray(encode_tensors([_walk(6, seed=seed)]))
    data[position % len(data)] ^= change
    with suppress(FormatError):
        (back,) = decode_tensors(bytes(data), [(50, 6, 4)])
        half = 1 << back.grid.bits - 1
        assert -half <= int(back.codes.min()) <= int(back.codes.max()) < half
