"""Where a segment's fit starts: at random, from an initialization, the segment before, or what fits best.

Every choice is a function of the task and the frames alone, so that a resumed encoding makes the same one.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import torch
from jaxtyping import UInt8
from torch import Tensor

from nervid.decoder.network import load_network
from nervid.encoder.config import AUTO, PREVIOUS, RANDOM
from nervid.encoder.task import PreviousSegment, SegmentTask
from nervid.errors import InputError
from nervid.fit.distributed import ALONE, Ranks
from nervid.fit.plan import Hooks, SegmentPlan
from nervid.fit.segment import fit_float, fitted_model
from nervid.fit.start import Start
from nervid.initializations import Initialization, base_for, encoder_for, weights_for
from nervid.initializations.transfer import carried_weights
from nervid.models.representation import Representation

TRIAL_STEPS: Final = 20
"""Steps that each start is given before ``auto`` compares them; chosen, untuned. The preset balanced takes
3000 or more."""
TRIAL_FRAMES: Final = 8
"""Frames, evenly spaced, on which it compares them."""


def choose_start(
    task: SegmentTask,
    plan: SegmentPlan,
    frames: UInt8[Tensor, "frames 3 height width"],
    *,
    should_stop: Callable[[], bool] | None = None,
    ranks: Ranks = ALONE,
) -> Start | None:
    """Return what a fit of ``plan`` begins with; None for weights drawn at random.

    Args:
        task: Says where to start, and what there is to start from.
        plan: The fit, its own start left out.
        frames: The segment, values in [0, 255].
        should_stop: Asked before every step of a trial.
        ranks: Processes that share every batch; all of them choose what the first one does.

    Raises:
        Interrupted: When asked to stop in a trial.
        InputError: If a learned network cannot be carried over to that of ``plan``.
    """
    starts = possible_starts(task, plan)
    if len(starts) == 1:
        return starts[0]
    hooks = Hooks(should_stop=should_stop, ranks=ranks)
    errors = [_error_after_trial(replace(plan, start=start), frames, hooks) for start in starts]
    return starts[ranks.from_first(errors.index(min(errors)))]


def possible_starts(task: SegmentTask, plan: SegmentPlan) -> list[Start | None]:
    """Return the starts that a task allows, for a fit of ``plan``: several for ``auto`` alone.

    An initialization comes before the previous segment and that before random weights; of equals ``auto``
    takes the first.
    """
    init, initialization, previous = task.config.init, task.initialization, task.previous
    starts: list[Start | None] = []
    if initialization is not None:
        starts.append(_from_initialization(initialization, plan))
    if previous is not None:
        starts.append(_from_previous(previous, task, plan))
    if not starts or init == AUTO:
        starts.append(None)
    if task.stored_from is None:
        return starts
    base, name = base_for(task.stored_from, plan.model), task.stored_from.sha256
    return [
        replace(start or Start(identity=RANDOM), base=base, identity=f"{start} less {name}")
        for start in starts
    ]


def _from_initialization(initialization: Initialization, plan: SegmentPlan) -> Start:
    return Start(
        identity=initialization.sha256,
        weights=weights_for(initialization, fitted_model(plan.model), seed=plan.seed),
        encoder=encoder_for(initialization, plan.model, seed=plan.seed),
        rates=initialization.rates,
        inner=initialization.inner,
    )


def _from_previous(previous: PreviousSegment, task: SegmentTask, plan: SegmentPlan) -> Start:
    """The weights that the segment before decodes to; of the encoder, which no file has, the learned ones."""
    coded, initialization = previous.coded, task.initialization
    network: Representation[Any] = load_network(
        coded.modl, coded.wght, coded.embd, frames=previous.frames, initialization=task.stored_from
    )
    digest = hashlib.sha256(coded.modl + coded.wght)
    if initialization is not None:
        digest.update(initialization.sha256.encode())
    return Start(
        identity=f"{PREVIOUS} {digest.hexdigest()}",
        weights=carried_weights(
            dict(network.named_weights()), network.config, fitted_model(plan.model), seed=plan.seed
        ),
        encoder={} if initialization is None else encoder_for(initialization, plan.model, seed=plan.seed),
    )


def _error_after_trial(plan: SegmentPlan, frames: Tensor, hooks: Hooks) -> float:
    """Mean squared error, on some frames, after a few steps on a schedule of their own."""
    try:
        network = fit_float(frames, plan, hooks, steps=TRIAL_STEPS)
    except InputError:  # it diverged
        return math.inf
    errors = []
    with torch.inference_mode():
        for index in _spread(len(frames)):
            place = torch.tensor([index], device=plan.device)
            drawn = network.draw(network.embed(place))[0].cpu().double()
            errors.append(float((drawn - frames[index].cpu() / 255).square().mean()))
    mean = math.fsum(errors) / len(errors)
    return mean if math.isfinite(mean) else math.inf


def _spread(count: int) -> Sequence[int]:
    """Up to ``TRIAL_FRAMES`` numbers below ``count``, evenly spaced."""
    kept = min(count, TRIAL_FRAMES)
    return [index * count // kept for index in range(kept)]
