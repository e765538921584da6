"""The encoder's choices: how each array of symbols becomes runs under adaptive tables."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int32, Int64, Shaped

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
# around another center, a single value, or its slices in classes: those along axis 0, along axis 1, or along
# all axes but the first, taken as one (the single numbers of an embedding, each through all frames).
REPEATED, CENTERED, SHIFTED, CONSTANT, GROUPED_0, GROUPED_1, GROUPED_REST = range(7)
MODES = 7
LEAST_AXES = {GROUPED_0: 1, GROUPED_1: 2, GROUPED_REST: 3}
"""The grouped modes and the axes that an array needs for them."""

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

    Either all symbols share a table, or slices (output channels of a weight, numbers of an embedding) are
    sorted by mean magnitude into `CLASSES` classes with a table each.

    Args:
        symbols: In [0, 2**bits).
        bits: 2 to 8.
        latest: The latest priors before this array.
    """
    plans = [_plan_flat(symbols.ravel(), bits, latest)]
    plans += [_plan_grouped(symbols, mode, bits, latest) for mode in _modes_worth_grouping(symbols, bits)]
    return min(plans, key=lambda plan: plan.ideal_bits)


def grouping_slices(array: np.ndarray, mode: int) -> Shaped[np.ndarray, "slices ..."]:
    """Return the slices that a grouped mode sorts into classes, a view of ``array``.

    Args:
        array: Contiguous, with at least ``LEAST_AXES[mode]`` axes.
        mode: One of `LEAST_AXES`.
    """
    if mode == GROUPED_REST:
        return array.reshape(array.shape[0], -1).T
    return np.moveaxis(array, mode - GROUPED_0, 0)


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


def _plan_grouped(symbols: Int32[np.ndarray, "..."], mode: int, bits: int, latest: Latest) -> Plan:
    fields = ((mode, MODES),)
    nothing = np.zeros(0, dtype=np.int32)
    runs = [Run(fields=fields, symbols=nothing, bits=bits, prior=None, ideal_bits=_fields_bits(fields))]
    slices = grouping_slices(symbols, mode)
    classes = _classes(_laplace_bits(_mean_magnitudes(slices, bits)))
    parts = [(classes, CLASS_BITS)]
    parts += [(slices[classes == i].ravel(), bits) for i in range(CLASSES) if (classes == i).any()]
    for part, depth in parts:
        plan = _plan_flat(part, depth, latest)
        runs += plan.runs
        latest = plan.latest
    return Plan(runs=tuple(runs), latest=latest)


def _modes_worth_grouping(symbols: Int32[np.ndarray, "..."], bits: int) -> list[int]:
    """Return the grouped modes that may pay for their classes.

    The gain is taken as that of a Laplace of each slice's own scale over one of the common scale; the price
    as two bits per slice and four priors.
    """
    modes = []
    for mode, axes in LEAST_AXES.items():
        if symbols.ndim >= axes:
            slices = grouping_slices(symbols, mode)
            means = _mean_magnitudes(slices, bits)
            gain = float(_laplace_bits(means.mean(keepdims=True))[0] - _laplace_bits(means).mean())
            if symbols.size * gain > CLASS_BITS * len(slices) + 64:
                modes.append(mode)
    return modes


def _mean_magnitudes(slices: Int32[np.ndarray, "slices ..."], bits: int) -> Float64[np.ndarray, " slices"]:
    """Return each slice's mean distance from code 0."""
    half = np.int32(1 << bits - 1)
    means: np.ndarray = np.abs(slices - half).reshape(slices.shape[0], -1).mean(axis=1)
    return means


def _laplace_bits(means: Float64[np.ndarray, "..."]) -> Float64[np.ndarray, "..."]:
    """Return the entropy, in bits, of integers that fall off by one ratio on both sides of 0.

    With the ratio r the probability of 0 is (1 - r) / (1 + r) and the mean distance m is 2 r / (1 - r^2), so
    r = m / (1 + sqrt(1 + m^2)), and the entropy is log2((1 + r) / (1 - r)) - m log2(r).

    Args:
        means: Mean distances from 0, 0 or more.
    """
    ratio = means / (1 + np.sqrt(1 + means**2))
    entropy: np.ndarray = np.log2((1 + ratio) / (1 - ratio)) - means * np.log2(np.maximum(ratio, 1e-300))
    return entropy


def _classes(values: Float64[np.ndarray, " slices"]) -> Int32[np.ndarray, " slices"]:
    """Sort values into `CLASSES` classes of least variance, lowest first (Lloyd 1957, from quantiles)."""
    middles = np.quantile(values, (np.arange(CLASSES) + 0.5) / CLASSES)
    for _ in range(8):
        classes = np.searchsorted((middles[1:] + middles[:-1]) / 2, values)
        sizes = np.bincount(classes, minlength=CLASSES)
        sums = np.bincount(classes, weights=values, minlength=CLASSES)
        middles = np.where(sizes > 0, sums / np.maximum(sizes, 1), middles)
    return np.searchsorted((middles[1:] + middles[:-1]) / 2, values).astype(np.int32)


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
