"""A decoder written from docs/entropy.md alone, in Python integers, reads what the library writes."""

from math import prod

import numpy as np
import pytest
import torch

from nervid.compress.quantize import fit_grid, quantize
from nervid.compress.streams import QuantizedTensor, encode_tensors
from nervid.compress.symbols import encode_symbols
from tests.compress.spec_range_decoder import SpecRangeDecoder

DEFAULT = (1, 16, 0, 16, None)


class SpecDecoder(SpecRangeDecoder):
    """The array layout of the specification, one symbol at a time."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.modes: set[int] = set()
        self.latest: dict[int, tuple[int, int, int, int, int | None]] = {}

    def prior(self, mode: int, bits: int) -> tuple[int, int, int, int, int | None]:
        if mode == 0:
            return self.latest.get(bits, DEFAULT)
        scale, peak, weight = self.field(80), self.field(16), (16, 128, 1024, 8192)[self.field(4)]
        self.latest[bits] = (
            scale // 40,
            scale % 40,
            peak,
            weight,
            self.field(2**bits) if mode == 2 else None,
        )
        return self.latest[bits]

    def table(self, prior: tuple[int, int, int, int, int | None], bits: int) -> list[int]:
        shape, scale, p, _, shifted = prior
        size = 2**bits
        center = size // 2 if shifted is None else shifted
        q = (4 + scale % 4) * 2 ** (scale // 4)
        w, t = [2**60], 2**60 * q**2 // (q**2 + 128)
        u = t * t // 2**60
        for d in range(size):
            w.append(w[d] * t // 2**60 if shape else w[d] * q // (q + 16))
            t = t * u // 2**60
        free = 2**24 - size
        peak = free * p // 16
        shares = [0 if p and s == center else w[abs(s - center)] for s in range(size)]
        table = [1 + share * (free - peak) // sum(shares) for share in shares]
        table[center] += 2**24 - sum(table)
        return table

    def array(self, shape: tuple[int, ...], bits: int) -> np.ndarray:
        if prod(shape) == 0:
            return np.zeros(shape, dtype=int)
        mode = self.field(7)
        self.modes.add(mode)
        if mode == 3:
            return np.full(shape, self.field(2**bits))
        if mode >= 4:
            whole = np.zeros(shape, dtype=int)
            slices = whole.reshape(shape[0], -1).T if mode == 6 else np.moveaxis(whole, mode - 4, 0)
            classes = self.array((len(slices),), 2)
            for i in sorted(set(classes.tolist())):
                slices[classes == i] = self.array((int((classes == i).sum()), *slices.shape[1:]), bits)
            return whole
        prior = self.prior(mode, bits)
        if mode == 0:
            self.latest[bits] = prior
        table = self.table(prior, bits)
        free, weight = 2**24 - 2**bits, prior[3]
        symbols: list[int] = []
        while len(symbols) < prod(shape):
            count = [symbols.count(s) for s in range(2**bits)]
            now = [
                1 + (c * free + weight * (f - 1)) // (len(symbols) + weight)
                for c, f in zip(count, table, strict=True)
            ]
            now[table.index(max(table))] += 2**24 - sum(now)
            for _ in range(min(prod(shape) - len(symbols), max(64, len(symbols)))):
                symbols.append(self.symbol(now))
        return np.array(symbols).reshape(shape)


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
    decoder = SpecDecoder(encode_symbols(arrays, depths))
    for array, bits in zip(arrays, depths, strict=True):
        np.testing.assert_array_equal(decoder.array(array.shape, bits) - (1 << bits - 1), array)
    assert 6 in decoder.modes


@pytest.mark.parametrize("frames", [1, 2, 70])
def test_embeddings_are_read_as_the_page_of_the_format_says(frames: int) -> None:
    values = torch.randn(frames, 3, 5, generator=torch.Generator().manual_seed(2)).cumsum(0)
    grid = fit_grid(values, bits=6)
    data = encode_tensors([QuantizedTensor(quantize(values, grid), grid, in_time=True)])
    codes = quantize(values, grid).numpy().astype(int)
    decoder = SpecDecoder(data[3:])
    if not data[0] & 0x20:
        np.testing.assert_array_equal(decoder.array((frames, 3, 5), 6) - 32, codes)
        return
    read = [decoder.array((1, 3, 5), 6)[0] - 32]
    for difference in decoder.array((frames - 1, 3, 5), 6) - 32:
        read.append((read[-1] + difference + 32) % 64 - 32)
    np.testing.assert_array_equal(read, codes)
    assert frames < 3 or data[0] == 0x26
