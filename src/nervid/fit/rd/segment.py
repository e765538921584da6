"""Fits our own network to one segment, for the size that it may take."""

from dataclasses import replace
from typing import Final

from jaxtyping import UInt8
from torch import Tensor

from nervid.fit.checkpoint import Checkpoint
from nervid.fit.plan import Hooks, SegmentPlan
from nervid.fit.rd.preview import preview_bytes, solve_preview
from nervid.fit.rd.stored import StoredTensors
from nervid.fit.rd.trainer import RateTrainer
from nervid.models.config import NervidConfig
from nervid.models.nervid import Nervid

CLOSE: Final = 0.985
"""Share of the size that is near enough."""
MOST_TRIES: Final = 12
MOST_DEAD: Final = 0.499
"""Largest dead zone that brings a fit to its size."""
COARSER, COARSEST = 1.25, 1000.0
"""By how much steps grow where dead zones do not suffice, and at most."""
SPARE_BYTES: Final = 24
"""What the entropy coder's ends may take beyond the ideal."""


def fit_rate_distortion(
    network: Nervid,
    frames: UInt8[Tensor, "frames 3 height width"],
    plan: SegmentPlan,
    hooks: Hooks,
    *,
    key: str,
    checkpoint: Checkpoint | None,
) -> StoredTensors:
    """Fit ``network`` to ``frames`` and return what is stored of it, within the plan's size if it has one.

    Args:
        network: Fresh, where it is fitted; without preview head, which is solved after the fit.
        frames: The segment, values in [0, 255], on the same device.
        plan: All choices.
        hooks: Progress, stopping, checkpoint.
        key: Names clip and plan.
        checkpoint: State to go on from.

    Raises:
        Interrupted: When asked to stop; the state is saved.
        InputError: If the fit keeps diverging.
        OutputError: If the checkpoint cannot be written.
    """
    assert isinstance(plan.model, NervidConfig)
    assert not network.config.preview
    config, target_bytes = plan.model, plan.target_bytes
    if target_bytes is not None:
        target_bytes -= preview_bytes(config)
        plan = replace(plan, target_bytes=target_bytes)
    steps = sum(plan.effort.steps(len(frames), plan.recipe))
    trainer = RateTrainer(network, frames, plan, steps=steps, ranks=hooks.ranks)
    if checkpoint is not None:
        checkpoint.restore(trainer)
    trainer.run(
        on_step=hooks.on_step,
        should_stop=hooks.should_stop,
        save_seconds=hooks.save_seconds,
        save=hooks.saver(trainer, key, {}, {}),
    )

    def finished() -> StoredTensors:
        tensors = trainer.stored() if target_bytes is None else _sized(trainer, target_bytes)
        return replace(tensors, weights=[*tensors.weights, *solve_preview(config, tensors, frames)])

    return hooks.ranks.by_first(finished)


def _sized(trainer: RateTrainer, target_bytes: int) -> StoredTensors:
    """Return the fit with its feature grids rounded so that its size is within the target.

    A fit misses its size by some percent; where it is too large, this rounds a few numbers more down. (Other
    quantization steps would change every weight, and the fit has settled on these.) Where that does not
    suffice, in fits of a few steps, larger steps do, at a price; past ``COARSEST`` times them nothing more is
    tried, the caller compares sizes.
    """
    too_large, enough, dead = 0.0, MOST_DEAD, 0.0
    best = None
    for _ in range(MOST_TRIES):
        tensors = trainer.stored(dead)
        size = tensors.estimate_bytes() + SPARE_BYTES
        if size > target_bytes:
            too_large = dead
        else:
            best, enough = tensors, dead
            if not dead or size >= CLOSE * target_bytes:
                break
        dead = (too_large + enough) / 2
    coarser = 1.0
    while best is None:
        coarser *= COARSER
        tensors = trainer.stored(MOST_DEAD, coarser)
        if tensors.estimate_bytes() + SPARE_BYTES <= target_bytes or coarser > COARSEST:
            best = tensors
    return best
