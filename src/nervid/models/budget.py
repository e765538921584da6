"""Budgets of numbers: what a config uses of one, and the largest choice that fits."""

from collections.abc import Callable

from nervid.errors import InputError
from nervid.models.config import ModelConfig, embedding_count, parameter_count
from nervid.models.config.base import MAX_CHANNELS

EMBEDDING_SHARE = 10
"""Embeddings get at most one part in so many, as in the papers' larger models."""


def budget_used(config: ModelConfig, parameters: int) -> float:
    """Tell which share of a budget of ``parameters`` numbers ``config`` uses, 1.0 for all of it."""
    return (parameter_count(config) + embedding_count(config)) / parameters


def fits(member: Callable[[], ModelConfig], parameters: int) -> bool:
    """Whether a member of a family is within a config's limits and the budget."""
    try:
        return budget_used(member(), 1) <= parameters
    except InputError:
        return False


def largest(is_allowed: Callable[[int], bool], low: int, high: int = MAX_CHANNELS) -> int:
    """Return the largest allowed number from ``low`` to ``high``, if ``low`` is and all below one are."""
    while low < high:
        middle = (low + high + 1) // 2
        if is_allowed(middle):
            low = middle
        else:
            high = middle - 1
    return low
