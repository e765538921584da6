"""A decoder written from the section "Feature grids" of docs/entropy.md, one site at a time."""

from collections.abc import Iterator
from math import isqrt

import numpy as np

from tests.compress.spec_range_decoder import SpecRangeDecoder

Site = tuple[int, int]
Shape = tuple[int, int, int, int]
SHARES = {True: [(0, 0, 0, 8), (5, 0, 0, 3), (6, 0, 0, 2)], False: [(0, 3, 3, 2), (3, 2, 2, 1), (4, 2, 1, 1)]}


class SpecGridDecoder(SpecRangeDecoder):
    """Feature grids in plain Python integers."""

    def weight(self) -> int:
        w = [2**60]
        for _ in range(128):
            w.append(w[-1] * 128 // 144)
        free = 2**24 - 256
        peak = free * 2 // 16
        total = sum(w[abs(s - 128)] for s in range(256) if s != 128)
        table = [1 if s == 128 else 1 + w[abs(s - 128)] * (free - peak) // total for s in range(256)]
        table[128] += 2**24 - sum(table)
        return self.symbol(table) - 128

    def flags(self, odds: dict[int, list[int]], start: list[int], contexts: list[int]) -> list[int]:
        """Read one flag per context, then count them all."""
        read = []
        for context in contexts:
            no, yes = odds.setdefault(context, [1024 - start[context], start[context]])
            true = 1 + yes * (2**24 - 2) // (no + yes)
            read.append(self.symbol([2**24 - true, true]))
        for context, flag in zip(contexts, read, strict=True):
            odds[context][flag] += 512
        return read

    def errors(self, odds: dict[str, dict[int, list[int]]], sites: list[tuple[int, int]]) -> list[int]:
        """Read the error of each site, given its class and fraction."""
        bound = [isqrt(2 ** (c + 6)) for c in range(26)]
        wrong = [max(1, 1024 * bound[i // 3] // (bound[i // 3] + 1280)) for i in range(78)]
        longer = [min(1023, max(32, 1024 * b // (b + 1536))) for b in bound]
        contexts = [3 * c + f for c, f in sites]
        at = [i for i, flag in enumerate(self.flags(odds["wrong"], wrong, contexts)) if flag]
        signs = dict(zip(at, self.flags(odds["towards"], [512] * 78, [contexts[i] for i in at]), strict=True))
        sizes = [0] * len(sites)
        for size in range(1, 15):
            for i in at:
                sizes[i] = size
            more = self.flags(odds[f"longer {size}"], longer, [sites[i][0] for i in at])
            at = [i for i, flag in zip(at, more, strict=True) if flag]
        exponents = dict.fromkeys(at, 0)
        going = at
        for exponent in range(11):
            more = self.flags(odds[f"wider {exponent}"], longer, [sites[i][0] for i in going])
            going = [i for i, flag in zip(going, more, strict=True) if flag]
            for i in going:
                exponents[i] = exponent + 1
        for exponent in range(12):
            for i in [i for i in at if exponents[i] == exponent]:
                sizes[i] = 14 + 2**exponent + (self.field(2**exponent) if exponent else 0)
        return [size if signs.get(i) else -size for i, size in enumerate(sizes)]

    def grid(self, shape: Shape) -> np.ndarray:
        """Read one grid."""
        start, *knots = self.knots(shape)
        return np.stack(knots) if knots else start

    def grids(self, shapes: list[Shape], order: list[list[int]]) -> list[np.ndarray]:
        """Read grids whose knots come in the order in which frames need them."""
        readers = [self.knots(shape) for shape in shapes]
        found = [[next(reader)] for reader in readers]
        needs = [(first, number) for number, frames in enumerate(order) for first in frames]
        for _, number in sorted(needs):
            found[number].append(next(readers[number]))
        return [np.stack(knots) if knots else start for start, *knots in found]

    def knots(self, shape: Shape) -> Iterator[np.ndarray]:
        """Read what was chosen for a grid and yield an array of the shape; then read and yield its knots."""
        knots, channels, rows, columns = shape
        grid = np.zeros(shape, dtype=int)
        scales = [self.field(32) for _ in range(channels)] if grid.size else []
        loud = [c for c in range(channels) if grid.size and scales[c]]
        if not loud:
            yield grid
            yield from grid
            return
        halvings, is_predicted = divmod(self.field(6), 2)
        passes = [(0, [(0, 0)], 2**halvings, 0)]
        for d in [2 ** (h - 1) for h in range(halvings, 0, -1)]:
            passes += [(1, [(d, d)], 2 * d, d), (2, [(0, d), (d, 0)], 2 * d, d)]
        weights: dict[tuple[bool, int], list[int]] = {}
        for first in (True, False)[: 1 + (knots > 1)] if is_predicted else ():
            for index, (kind, _, _, d) in enumerate(passes):
                count = kind if first else kind + 5 + kind * (d > 1)
                weights[first, index] = [self.weight() for _ in range(count)]
        names = ["wrong", "towards", *(f"longer {i}" for i in range(15)), *(f"wider {i}" for i in range(11))]
        odds: dict[str, dict[int, list[int]]] = {name: {} for name in names}
        yield grid
        silence = {(y, x): 0 for y in range(rows) for x in range(columns)}
        now, before, older, wrong, wrong_before = ({c: dict(silence) for c in loud} for _ in range(5))
        for knot in range(knots):
            first = knot == 0
            for index, (kind, starts, stride, d) in enumerate(passes):
                # The margin repeats the border as it was when the pass began.
                held, held_wrong = ({c: dict(p[c]) for c in loud} for p in (now, wrong))

                def at(plane: dict[Site, int], y: int, x: int) -> int:
                    return plane[min(max(y, 0), rows - 1), min(max(x, 0), columns - 1)]

                def sums(plane: dict[Site, int], y: int, x: int, d: int) -> tuple[int, int, int]:
                    return (
                        at(plane, y, x - d) + at(plane, y, x + d),
                        at(plane, y - d, x) + at(plane, y + d, x),
                        sum(at(plane, y + i * d, x + j * d) for i in (-1, 1) for j in (-1, 1)),
                    )

                def known(plane: dict[Site, int], y: int, x: int, kind: int, d: int) -> list[int]:
                    beside, above, corners = sums(plane, y, x, d)
                    return [[], [corners], [beside, above]][kind]

                places = [
                    (c, y, x)
                    for top, left in starts
                    for c in loud
                    for y in range(top, rows, stride)
                    for x in range(left, columns, stride)
                ]
                predictions, contexts = [], []
                for c, y, x in places:
                    around, same, cross, share = SHARES[first][kind]
                    energy = share * isqrt(2 ** (scales[c] + 1)) // 8
                    energy += 4 * around * sum(known(held_wrong[c], y, x, kind, d))
                    features = known(held[c], y, x, kind, d)
                    if not first:
                        beside, above, corners = sums(before[c], y, x, 1)
                        features += [before[c][y, x], beside, above, corners]
                        features += known(before[c], y, x, kind, d) if d > 1 else []
                        features += [older[c][y, x]]
                        energy += 16 * same * wrong_before[c][y, x]
                        energy += 4 * cross * sum(sums(wrong_before[c], y, x, 1)[:2])
                    total = 0
                    if is_predicted:
                        total = sum(w * f for w, f in zip(weights[first, index], features, strict=True))
                    predicted = min(max(total // 8, -2047 * 16), 2047 * 16)
                    rest = predicted - 16 * ((predicted + 8) // 16)
                    predictions.append(predicted)
                    top_class = max(0, (min(energy, 65535) ** 2).bit_length() - 7)
                    contexts.append((top_class, min(2, 6 * abs(rest) // 16)))
                errors = self.errors(odds, contexts)
                for (c, y, x), predicted, error in zip(places, predictions, errors, strict=True):
                    nearest = (predicted + 8) // 16
                    code = nearest + (-error if predicted < 16 * nearest else error)
                    assert abs(code) <= 2047
                    now[c][y, x] = code
                    wrong[c][y, x] = abs(16 * code - predicted)
            for c in loud:
                older[c] = dict(before[c] if not first else now[c])
                before[c], wrong_before[c] = dict(now[c]), dict(wrong[c])
                for (y, x), code in now[c].items():
                    grid[knot, c, y, x] = code
            yield grid[knot]
