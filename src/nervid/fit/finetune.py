"""The second phase of a segment's fit: weights move while the network draws with their stored values."""

from dataclasses import replace
from typing import Any, Final

from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.func import functional_call

from nervid.compress.quantize import MOST_BITS, Grid, straight_through
from nervid.fit.checkpoint import Checkpoint
from nervid.fit.distortion_trainer import DistortionTrainer
from nervid.fit.plan import Hooks, SegmentPlan
from nervid.fit.rate import base_grids, coded_bytes, solve_grids
from nervid.fit.stored import StoredForm
from nervid.models.representation import EMBEDDINGS, Representation

GRID_UPDATES: Final = (0.2, 0.4, 0.6, 0.8, 0.9)
"""Shares of the fine-tuning at which the grids are solved anew for the size; fixed in between, untuned."""
SIZE_WINDOW: Final = (0.975, 1.0)
"""Share of the target size between which the last grids are kept after fine-tuning."""
SIZE_AIM: Final = 0.99
"""Share of the target size that the grids are solved for."""


def find_grids(network: Representation[Any], form: StoredForm, plan: SegmentPlan) -> dict[str, Grid]:
    """Return grids for the plan's bits and size; more bits where the finest would leave the size unused."""
    tensors = form.numbers(dict(network.named_parameters()))
    if plan.target_bytes is None:
        return base_grids(tensors, bits=plan.bits)
    for bits in range(plan.bits, MOST_BITS + 1):
        grids = solve_grids(
            tensors, base_grids(tensors, bits=bits), target_bytes=SIZE_AIM * plan.target_bytes
        )
        if coded_bytes(tensors, grids) >= SIZE_WINDOW[0] * plan.target_bytes:
            break
    return grids


def finetune(
    network: Representation[Any],
    frames: UInt8[Tensor, "frames 3 height width"],
    plan: SegmentPlan,
    hooks: Hooks,
    *,
    key: str,
    checkpoint: Checkpoint | None,
    grids: dict[str, Grid],
    form: StoredForm,
) -> dict[str, Grid]:
    """Fit a network's weights and embeddings as they will be stored, in place.

    Args:
        network: After its first phase.
        frames: The segment, values in [0, 255].
        plan: All choices.
        hooks: Progress, stopping, checkpoint.
        key: Names clip and plan.
        checkpoint: State of this phase to go on from.
        grids: To begin with; changed in place when they are solved anew.
        form: What is stored of a parameter.

    Returns:
        The grids of the stored tensors.

    Raises:
        Interrupted: When asked to stop; the state is saved.
        InputError: If the fit keeps diverging.
        OutputError: If the checkpoint cannot be written.
    """
    parameters = dict(network.named_parameters())
    if EMBEDDINGS in parameters:
        parameters[EMBEDDINGS].requires_grad_(True)
    steps = plan.effort.steps(len(frames), plan.recipe)[1]
    updates = {round(share * steps) for share in GRID_UPDATES} if plan.target_bytes is not None else set()

    draw_with = plan.compile(lambda seen, indices: functional_call(network, seen, (indices,)))

    def draw(indices: Int[Tensor, " batch"], target: Float[Tensor, "batch 3 height width"]) -> list[Tensor]:
        numbers = form.numbers(parameters)
        stored = {name: straight_through(tensor, grids[name]) for name, tensor in numbers.items()}
        return [draw_with(form.weights(stored), indices)]

    def penalty(indices: Int[Tensor, " batch"]) -> Float[Tensor, ""]:
        assert plan.alignment is not None
        stored = straight_through(parameters[EMBEDDINGS], grids[EMBEDDINGS])
        return plan.alignment.loss(stored[indices], indices)

    def before_step(step: int) -> None:
        if step in updates:
            # In place: the checkpoint writer holds this very mapping.
            grids.update(find_grids(network, form, plan))

    peak_rate = plan.recipe.finetune_rate * plan.recipe.learning_rate
    trainer = DistortionTrainer(
        replace(plan.phase("finetune", steps=steps, ranks=hooks.ranks), peak_rate=peak_rate, warmup=0.0),
        parameters=parameters,
        draw=draw,
        frames=frames,
        penalty=None if plan.alignment is None else penalty,
    )
    if checkpoint is not None:
        checkpoint.restore(trainer)
    trainer.run(
        on_step=hooks.on_step,
        before_step=before_step,
        should_stop=hooks.should_stop,
        save_seconds=hooks.save_seconds,
        save=hooks.saver(trainer, key, grids, form.masks),
    )
    if plan.target_bytes is not None:
        share = coded_bytes(form.numbers(parameters), grids) / plan.target_bytes
        if not SIZE_WINDOW[0] <= share <= SIZE_WINDOW[1]:
            return find_grids(network, form, plan)
    return grids
