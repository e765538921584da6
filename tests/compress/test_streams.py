from collections.abc import Callable
from contextlib import suppress

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nervid.compress.quantize import fit_grid, quantize
from nervid.compress.streams import QuantizedTensor, decode_tensors, encode_tensors, estimate_bytes
from nervid.errors import FormatError

SHAPES = [(8, 4, 3, 3), (8,), (2, 5, 1, 1), (3, 7)]


def _tensors(seed: int, bits: int, axis: int | None, centered: bool) -> list[QuantizedTensor]:
    generator = torch.Generator().manual_seed(seed)
    tensors = []
    for shape in SHAPES:
        values = torch.randn(shape, generator=generator) + 0.5
        grid = fit_grid(values, bits=bits, axis=axis if len(shape) > 1 else None, centered=centered)
        tensors.append(QuantizedTensor(quantize(values, grid), grid))
    return tensors


@given(
    seed=st.integers(0, 1000),
    bits=st.integers(2, 8),
    axis=st.sampled_from([None, 0, 1]),
    centered=st.booleans(),
)
@settings(max_examples=40)
def test_tensors_come_back_exactly(seed: int, bits: int, axis: int | None, centered: bool) -> None:
    tensors = _tensors(seed, bits, axis, centered)
    back = decode_tensors(encode_tensors(tensors), SHAPES)
    for before, after in zip(tensors, back, strict=True):
        assert torch.equal(before.codes, after.codes)
        assert torch.equal(before.values(), after.values())


@given(seed=st.integers(0, 1000), bits=st.integers(2, 8))
@settings(max_examples=30)
def test_the_estimate_is_within_two_percent_and_a_word_of_the_bytes(seed: int, bits: int) -> None:
    tensors = _tensors(seed, bits, None, False)
    assert abs(len(encode_tensors(tensors)) - estimate_bytes(tensors)) <= 0.02 * estimate_bytes(tensors) + 8


def test_grids_are_flags_and_half_floats_in_front() -> None:
    values = torch.tensor([[1.0, -1.0]])
    grid = fit_grid(values, bits=6)
    data = encode_tensors([QuantizedTensor(quantize(values, grid), grid)])
    half = torch.tensor([grid.step.item()], dtype=torch.float16).numpy().tobytes()
    assert data[:3] == b"\x06" + half


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:2],
        lambda data: b"\x0f" + data[1:],
        lambda data: b"\x26" + data[1:],
        lambda data: data[:1] + b"\x00\x00" + data[3:],
        lambda data: data[:1] + b"\x00\x7c" + data[3:],
        lambda data: data[:1] + b"\x00\xbc" + data[3:],
    ],
)
def test_damaged_grids_are_refused(damage: Callable[[bytes], bytes]) -> None:
    data = encode_tensors(_tensors(1, 6, None, False))
    with pytest.raises(FormatError):
        decode_tensors(damage(data), SHAPES)


@given(data=st.binary(max_size=200))
def test_random_bytes_never_crash(data: bytes) -> None:
    with suppress(FormatError):
        decode_tensors(data, SHAPES)
