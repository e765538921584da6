"""Arrays and tensors as docs/entropy.md and docs/format.md describe them, in plain Python integers."""

from math import prod

import numpy as np

from tests.compress.spec_range_decoder import SpecRangeDecoder

DEFAULT = (1, 16, 0, 16, None)


class SpecArrayDecoder(SpecRangeDecoder):
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


def spec_codes(data: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """Read the codes of a stream of one tensor with one step and no offset, differences or not."""
    bits, half = data[0] & 0x0F, 1 << (data[0] & 0x0F) - 1
    assert data[0] & 0xD0 == 0
    decoder = SpecArrayDecoder(data[3:])
    if not data[0] & 0x20:
        return decoder.array(shape, bits) - half
    frames, *rest = shape
    read = [decoder.array((1, *rest), bits)[0] - half]
    for difference in decoder.array((frames - 1, *rest), bits) - half:
        read.append((read[-1] + difference + half) % 2**bits - half)
    return np.array(read)
