"""Learning steps: weights and inner rates of a learner, moved by the gradients of its tasks."""

import math
from collections.abc import Iterable, Mapping
from typing import Final

import torch
from torch import Tensor, nn

from nervid.errors import InputError, NervidError
from nervid.fit.distributed import ElsewhereError, Ranks
from nervid.fit.optimizer import Optimizer
from nervid.meta.learner import Learner, Window

MOST_SKIPPED: Final = 20
"""Steps in a row without a finite gradient after which learning is given up."""
MOST_NORM: Final = 1.0
"""Norm of the learning gradient above which it is scaled down, as in GradNCP's code."""
WARMUP_STEPS: Final = 20
"""Steps in which the learning rates rise to their full value; chosen, untuned."""
BETAS: Final = (0.9, 0.99)
WEIGHTS, RATES = "weights.", "rates."
"""What the names of an optimizer's moments begin with in a state."""


class LearningSteps:
    """Takes learning steps, by Adam, with rates that rise for some steps and fall along a cosine.

    Args:
        learner: What is moved, in place; its inner rates are set.
        ranks: Processes that share the tasks of a step; all of them move alike.
    """

    def __init__(self, learner: Learner, ranks: Ranks) -> None:
        self._learner, self._ranks, self._config = learner, ranks, learner.config
        self._weights = learner.weights()
        self._rates = {name: rate for name, rate in learner.log_rates.items() if rate.requires_grad}
        self._optimizers = {
            part: Optimizer(parameters, kind="adam", betas=BETAS)
            for part, parameters in ((WEIGHTS, self._weights), (RATES, self._rates))
        }
        self.skipped = 0
        """Steps in a row whose gradient was not finite, and which moved nothing."""

    def take(self, step: int, windows: Iterable[Window]) -> tuple[float, float]:
        """Take one learning step.

        Args:
            step: How many were taken before.
            windows: Those of this rank; all ranks together have ``tasks``.

        Returns:
            The mean of all windows' PSNR in dB before and after the inner steps.

        Raises:
            InputError: If too many steps in a row had no finite gradient.
            ElsewhereError: In its place on all ranks but the first; or if another rank has ended.
        """
        everything = [*self._weights.values(), *self._rates.values()]
        for parameter in everything:
            parameter.grad = None
        share = 1 / self._config.tasks
        start_db = adapted_db = 0.0
        for window in windows:
            before, after = self._learner.task(window, share=share)
            start_db += share * before
            adapted_db += share * after
        start_db, adapted_db = self._ranks.sum_gradients(everything, (start_db, adapted_db))
        norm = nn.utils.clip_grad_norm_(list(self._weights.values()), MOST_NORM)
        if bool(torch.isfinite(norm)) and _are_finite(self._rates.values()):
            self.skipped = 0
            scale = min(1.0, (step + 1) / WARMUP_STEPS)
            scale *= 0.5 * (1 + math.cos(math.pi * step / self._config.steps))
            self._optimizers[WEIGHTS].step(self._config.learning_rate * scale)
            self._optimizers[RATES].step(self._config.rates_learning_rate * scale)
            return start_db, adapted_db
        self.skipped += 1
        if self.skipped > MOST_SKIPPED:
            raise refusal(
                self._ranks,
                f"meta-training diverged at step {step}; choose a lower --learning-rate or "
                "--rates-learning-rate",
            )
        return start_db, adapted_db

    def state_tensors(self) -> dict[str, Tensor]:
        """Return weights, logarithms of the inner rates and the optimizers' moments by name."""
        tensors = self._learned()
        for part, optimizer in self._optimizers.items():
            tensors |= {part + key: moment for key, moment in optimizer.state_tensors().items()}
        return tensors

    def load_state_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over copies of what :meth:`state_tensors` returned."""
        with torch.no_grad():
            for name, tensor in self._learned().items():
                tensor.copy_(tensors[name])
        for part, optimizer in self._optimizers.items():
            optimizer.load_state_tensors(
                {key.removeprefix(part): moment for key, moment in tensors.items() if key.startswith(part)}
            )

    def _learned(self) -> dict[str, Tensor]:
        tensors = {f"weight.{name}": weight.detach() for name, weight in self._weights.items()}
        return tensors | {f"rate.{name}": rate.detach() for name, rate in self._learner.log_rates.items()}


def refusal(ranks: Ranks, message: str) -> NervidError:
    """Return what all ranks raise at once; the first one alone tells the user."""
    return InputError(message) if ranks.is_first else ElsewhereError(message)


def _are_finite(parameters: Iterable[nn.Parameter]) -> bool:
    """Whether all gradients are finite; those that are missing are."""
    return all(bool(torch.isfinite(each.grad).all()) for each in parameters if each.grad is not None)
