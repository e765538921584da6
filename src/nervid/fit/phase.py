"""Phase: how the steps of one phase of a fit are taken."""

from dataclasses import dataclass

from nervid.fit.distributed import ALONE, Ranks
from nervid.fit.precision import Precision
from nervid.fit.recipe import Recipe
from nervid.fit.schedule import learning_rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """All choices of a phase that are neither its network nor its frames."""

    name: str
    """For progress reports; it also seeds the order of frames."""
    recipe: Recipe
    """Loss, betas, batch size, schedule."""
    steps: int
    """Steps of this phase, as far as known before it."""
    peak_rate: float
    """Learning rate after the warm-up."""
    warmup: float
    """Share of the steps that warm up; overrides the recipe's."""
    seed: int
    """Seeds the order of frames."""
    precision: Precision
    """Type of the convolutions."""
    ranks: Ranks = ALONE
    """Processes that share every batch."""

    def rate_share(self, step: int, *, steps: int, power: float = 1.0) -> float:
        """Return the share of ``peak_rate`` that a step's learning rate has.

        Args:
            step: Steps already taken, in [0, steps).
            steps: Steps in all.
            power: As for :func:`nervid.fit.schedule.learning_rate`.
        """
        return learning_rate(
            step,
            steps=steps,
            peak=1.0,
            warmup=self.warmup,
            warmup_start=self.recipe.warmup_start,
            power=power,
        )
