"""The encoder's choices: how each array of symbols becomes runs under adaptive tables."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int32, Int64

from nervid.compress.frequency import (
    DEFAULT_PRIOR,
    PEAKS,
    SCALES,
    SHAPES,
    TOTAL_BITS,
    WEIGHTS,
    Prior,
    block_bounds,
    uniform_table,
)
from nervid.compress.prior import adaptive_bits, fit_prior

# How an array announces what follows: the latest prior of its bit depth again, a new one around code 0 or
# around another center, a single value, or its slices along axis 0 or 1 in classes.
REPEATED, CENTERED, SHIFTED, CONSTANT, GROUPED_0, GROUPED_1 = range(6)
MODES = 6

CLASS_BITS = 2
CLASSES = 1 << CLASS_BITS

Field = tuple[int, int]
"""A parameter in the stream: its value and how many values it can take, all alike."""

Latest = Mapping[int, Prior]
"""For each bit depth, the prior that was used last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Symbols that share one adapting table, after the parameters that say which."""

    fields: tuple[Field, ...]
    symbols: Int32[np.ndarray, " size"]
    """In [0, 2**bits)."""
    bits: int
    prior: Prior | None
    """None if the fields say everything there is."""
    ideal_bits: float
    """Ideal code length of fields and symbols."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one array is coded."""

    runs: tuple[Run, ...]
    latest: Latest
    """The latest priors once the array is coded."""

    @property
    def ideal_bits(self) -> float:
        """The ideal code length of the array and all its parameters."""
        return sum(run.ideal_bits for run in self.runs)


def plan_array(symbols: Int32[np.ndarray, "..."], bits: int, latest: Latest) -> Plan:
    """Return the cheapest known way to code an array that is not empty.

    Either all symbols share a table, or slices along one axis (output channels of a weight, channels of an
    embedding) are sorted by mean magnitude into `CLASSES` classes with a table each.

    Args:
        symbols: In [0, 2**bits).
        bits: 2 to 8.
        latest: The latest priors before this array.
    """
    flat = _plan_flat(symbols.ravel(), bits, latest)
    axis = _axis_worth_grouping(symbols, bits)
    if axis is None:
        return flat
    grouped = _plan_grouped(symbols, axis, bits, latest)
    return min(flat, grouped, key=lambda plan: plan.ideal_bits)


def block_counts(symbols: Int32[np.ndarray, " size"], bits: int) -> Int64[np.ndarray, "blocks alphabet"]:
    """Return how often each symbol occurs in each block of `block_bounds`."""
    bounds = block_bounds(symbols.size)
    return np.array(
        [np.bincount(symbols[start:stop], minlength=1 << bits) for start, stop in pairwise(bounds)]
    )


def _plan_flat(symbols: Int32[np.ndarray, " size"], bits: int, latest: Latest) -> Plan:
    blocks = block_counts(symbols, bits)
    repeated = latest.get(bits, DEFAULT_PRIOR)
    options: list[tuple[tuple[Field, ...], Prior | None]] = [(((REPEATED, MODES),), repeated)]
    if blocks.sum(axis=0).max() == symbols.size:
        options.append((((CONSTANT, MODES), (int(symbols[0]), 1 << bits)), None))
    else:
        fitted = fit_prior(blocks)
        options.append((_prior_fields(fitted, bits), fitted))
    costs = [
        _fields_bits(fields) + (adaptive_bits(blocks, prior) if prior else 0.0) for fields, prior in options
    ]
    best = int(np.argmin(costs))
    fields, prior = options[best]
    run = Run(fields=fields, symbols=symbols, bits=bits, prior=prior, ideal_bits=costs[best])
    return Plan(runs=(run,), latest={**latest, bits: prior} if prior else latest)


def _plan_grouped(symbols: Int32[np.ndarray, "..."], axis: int, bits: int, latest: Latest) -> Plan:
    fields = ((GROUPED_0 + axis, MODES),)
    nothing = np.zeros(0, dtype=np.int32)
    runs = [Run(fields=fields, symbols=nothing, bits=bits, prior=None, ideal_bits=_fields_bits(fields))]
    slices = np.moveaxis(symbols, axis, 0)
    classes = _classes(_log_magnitudes(slices, bits))
    parts = [(classes, CLASS_BITS)]
    parts += [(slices[classes == i].ravel(), bits) for i in range(CLASSES) if (classes == i).any()]
    for part, depth in parts:
        plan = _plan_flat(part, depth, latest)
        runs += plan.runs
        latest = plan.latest
    return Plan(runs=tuple(runs), latest=latest)


def _axis_worth_grouping(symbols: Int32[np.ndarray, "..."], bits: int) -> int | None:
    """Return the axis whose slices differ most in scale, None if classes would not pay for themselves.

    The gain is taken as that of a Laplace of each slice's own scale over one of the common scale, which is
    log2 of the ratio of the scales for each symbol; the price as two bits per slice and four priors.
    """
    gains = [0.0, 0.0]
    for axis in range(min(2, symbols.ndim)):
        count = symbols.shape[axis]
        logs = _log_magnitudes(np.moveaxis(symbols, axis, 0), bits)
        whole = math.log2(float(np.exp2(logs).mean()))
        gains[axis] = symbols.size * (whole - float(logs.mean())) - CLASS_BITS * count - 64
    best = int(np.argmax(gains))
    return best if gains[best] > 0 else None


def _log_magnitudes(slices: Int32[np.ndarray, "slices ..."], bits: int) -> Float64[np.ndarray, " slices"]:
    """Return log2 of each slice's mean distance from code 0, plus a half: rounding blurs what is smaller."""
    half = np.int32(1 << bits - 1)
    flat = np.abs(slices - half).reshape(slices.shape[0], -1)
    logs: np.ndarray = np.log2(flat.mean(axis=1) + 0.5)
    return logs


def _classes(logs: Float64[np.ndarray, " slices"]) -> Int32[np.ndarray, " slices"]:
    """Sort values into `CLASSES` classes of least variance, lowest first (Lloyd 1957, from quantiles)."""
    middles = np.quantile(logs, (np.arange(CLASSES) + 0.5) / CLASSES)
    for _ in range(8):
        classes = np.searchsorted((middles[1:] + middles[:-1]) / 2, logs)
        sizes = np.bincount(classes, minlength=CLASSES)
        sums = np.bincount(classes, weights=logs, minlength=CLASSES)
        middles = np.where(sizes > 0, sums / np.maximum(sizes, 1), middles)
    return np.searchsorted((middles[1:] + middles[:-1]) / 2, logs).astype(np.int32)


def _prior_fields(prior: Prior, bits: int) -> tuple[Field, ...]:
    shape = (
        (prior.shape * SCALES + prior.scale, SHAPES * SCALES),
        (prior.peak, PEAKS),
        (prior.weight, len(WEIGHTS)),
    )
    if prior.center == 0:
        return ((CENTERED, MODES), *shape)
    return ((SHIFTED, MODES), *shape, (prior.center + (1 << bits - 1), 1 << bits))


def _fields_bits(fields: Sequence[Field]) -> float:
    return sum(TOTAL_BITS - math.log2(int(uniform_table(choices)[value])) for value, choices in fields)
