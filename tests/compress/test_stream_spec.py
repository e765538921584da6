"""A decoder written from docs/entropy.md alone, in Python integers, reads what the library writes."""

import numpy as np
import pytest
import torch

from nervid.compress.quantize import fit_grid, quantize
from nervid.compress.streams import QuantizedTensor, encode_tensors
from nervid.compress.symbols import encode_symbols
from tests.compress.spec_arrays import SpecArrayDecoder, spec_codes


@pytest.mark.parametrize("seed", range(6))
def test_a_decoder_written_from_the_specification_agrees(seed: int) -> None:
    rng = np.random.default_rng(seed)
    arrays, depths = [], []
    for shape in [(30,), (), (12, 40), (0, 2), (6, 30, 9), (1, 1), (5, 5)]:
        bits = int(rng.integers(2, 9))
        half = 1 << bits - 1
        codes = rng.normal(rng.choice([0, half // 2]), half * rng.choice([0.0, 0.1, 0.4]), shape)
        if len(shape) > 1:
            codes[:, ::3] *= 0.2
        codes = np.where(rng.random(shape) < rng.choice([0.0, 0.6]), 0, codes)
        arrays.append(np.asarray(np.clip(np.rint(codes), -half, half - 1), dtype=np.int16))
        depths.append(bits)
    arrays.append(np.rint(rng.normal(0, rng.choice([0.3, 7.0], (1, 5, 8)), (40, 5, 8))).astype(np.int16))
    depths.append(6)
    decoder = SpecArrayDecoder(encode_symbols(arrays, depths))
    for array, bits in zip(arrays, depths, strict=True):
        np.testing.assert_array_equal(decoder.array(array.shape, bits) - (1 << bits - 1), array)
    assert 6 in decoder.modes


@pytest.mark.parametrize("frames", [1, 2, 70])
def test_embeddings_are_read_as_the_page_of_the_format_says(frames: int) -> None:
    values = torch.randn(frames, 3, 5, generator=torch.Generator().manual_seed(2)).cumsum(0)
    grid = fit_grid(values, bits=6)
    data = encode_tensors([QuantizedTensor(quantize(values, grid), grid, in_time=True)])
    np.testing.assert_array_equal(spec_codes(data, (frames, 3, 5)), quantize(values, grid).numpy())
    assert frames < 3 or data[0] == 0x26
