"""Fits one network to one segment: fit, prune, quantize with fine-tuning."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.func import functional_call

from nervid.compress.prune import magnitude_masks
from nervid.compress.quantize import MOST_BITS, Grid, straight_through
from nervid.compress.streams import QuantizedTensor
from nervid.fit.alignment import Alignment
from nervid.fit.checkpoint import Checkpoint, save_checkpoint
from nervid.fit.distributed import ALONE, Ranks
from nervid.fit.precision import Precision
from nervid.fit.rate import base_grids, coded_bytes, quantize_all, solve_grids
from nervid.fit.recipe import Effort, Recipe
from nervid.fit.trainer import FitProgress, Trainer
from nervid.models.config import HnervConfig, ModelConfig
from nervid.models.convnext import HnervEncoder
from nervid.models.registry import build, build_encoder
from nervid.models.representation import EMBEDDINGS, Representation, in_channels_last

GRID_UPDATES = (0.2, 0.4, 0.6, 0.8, 0.9)
"""Shares of the fine-tuning at which the grids are solved anew for the size; fixed in between, untuned."""
SIZE_WINDOW = (0.975, 1.0)
"""Share of the target size between which the last grids are kept after fine-tuning."""
SIZE_AIM = 0.99
"""Share of the target size that the grids are solved for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentPlan:
    """All choices that, with the frames, determine a fitted segment to the last bit on one machine."""

    model: ModelConfig
    """The network to fit."""
    recipe: Recipe
    """How it is fitted."""
    effort: Effort
    """How long it is fitted."""
    bits: int
    """Bits per weight and embedding value before entropy coding, 2 to 8."""
    sparsity: float
    """Share of the weights pruned to zero before fine-tuning, in [0, 1)."""
    target_bytes: int | None
    """Size that weights and embeddings may take, or None to keep the finest grids."""
    seed: int
    """Seeds initialization and the order of frames."""
    precision: Precision
    """Type of the convolutions while fitting."""
    device: str
    """Where to fit: "cpu", "cuda", "cuda:1"."""
    compiled: bool = False
    """Whether networks run compiled (torch.compile); meant for CUDA, on the CPU it loses."""
    alignment: Alignment | None = None
    """What pulls the embeddings towards a teacher; only for networks that store embeddings."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedSegment:
    """What is stored of a segment."""

    config: ModelConfig
    weights: list[QuantizedTensor]
    """In the order of the network's parameters, embeddings left out."""
    embeddings: list[QuantizedTensor]
    """One tensor [frames, channels, height, width], or none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What a caller wants to be told and may ask for while a segment is fitted."""

    on_step: Callable[[FitProgress], None] | None = None
    """Called after every step."""
    should_stop: Callable[[], bool] | None = None
    """Asked before every step; True saves the state and raises Interrupted."""
    checkpoint: Path | None = None
    """File that keeps the resumable state; None keeps none."""
    save_seconds: float = 20.0
    """Time between two saves of it, in seconds."""
    ranks: Ranks = ALONE
    """Processes that share every batch: all have the same frames and plan, the first alone a checkpoint."""


def fit_segment(
    frames: UInt8[Tensor, "frames 3 height width"], plan: SegmentPlan, hooks: Hooks
) -> FittedSegment:
    """Fit the network of ``plan.model`` to ``frames``, then prune, quantize and fine-tune it.

    HNeRV's encoder is fitted along and left behind after the first phase: its outputs become free parameters
    of the network, and fine-tuning moves them like weights. (HNeRV's code keeps the encoder to the end;
    without it a fine-tuning step is cheaper and the stored, quantized embeddings are what is tuned.) The
    numbers that an alignment reads are free parameters from the start; the encoder makes the others.

    Args:
        frames: The segment, values in [0, 255].
        plan: All choices.
        hooks: Progress, stopping, checkpoint.

    Raises:
        Interrupted: When asked to stop; the state is saved.
        InputError: If the fit keeps diverging.
        OutputError: If the checkpoint cannot be written.
    """
    frames, key, network, encoder, checkpoint = _start(frames, plan, hooks)
    if checkpoint is None or checkpoint.phase == "fit":
        _fit(network, encoder, frames, plan, hooks, key, checkpoint)
        masks = (
            magnitude_masks(dict(network.named_weights()), sparsity=plan.sparsity) if plan.sparsity else {}
        )
        grids, checkpoint = _grids(network, masks, plan), None
    else:
        masks = {name: mask.to(frames.device) for name, mask in checkpoint.masks().items()}
        grids = {name: grid.to(frames.device) for name, grid in checkpoint.grids().items()}
    grids = _finetune(network, frames, plan, hooks, key, checkpoint, grids, masks)
    tensors = _masked(dict(network.named_parameters()), masks)
    coded = dict(zip(tensors, quantize_all(tensors, grids), strict=True))
    return FittedSegment(
        config=plan.model,
        weights=[tensor.cpu() for name, tensor in coded.items() if name != EMBEDDINGS],
        embeddings=[tensor.cpu() for name, tensor in coded.items() if name == EMBEDDINGS],
    )


def fit_float(
    frames: UInt8[Tensor, "frames 3 height width"], plan: SegmentPlan, hooks: Hooks
) -> Representation[Any]:
    """Run the first phase alone: the network in float weights, its embeddings filled, nothing quantized.

    Args:
        frames: The segment, values in [0, 255].
        plan: All choices; those on size, bits and sparsity do not matter.
        hooks: Progress, stopping, checkpoint.

    Raises:
        Interrupted: When asked to stop; the state is saved.
        InputError: If the fit keeps diverging.
        OutputError: If the checkpoint cannot be written.
    """
    frames, key, network, encoder, checkpoint = _start(frames, plan, hooks)
    _fit(network, encoder, frames, plan, hooks, key, checkpoint)
    return network


def _start(
    frames: UInt8[Tensor, "frames 3 height width"], plan: SegmentPlan, hooks: Hooks
) -> tuple[Tensor, str, Representation[Any], HnervEncoder | None, Checkpoint | None]:
    """The frames where they are fitted, the fit's name, fresh networks, and what an earlier run left."""
    device = torch.device(plan.device)
    # Frames stay uint8 and channels-last, [frames, height, width, 3] in memory, as the video layer gave them.
    frames = frames.to(device).contiguous(memory_format=torch.channels_last)
    key = _key(frames, plan)
    network, encoder = _initialize(plan, device)
    checkpoint = Checkpoint.read(hooks.checkpoint, key=key) if hooks.checkpoint else None
    checkpoint = hooks.ranks.from_first(checkpoint)
    return frames, key, network, encoder, checkpoint


def _initialize(plan: SegmentPlan, device: torch.device) -> tuple[Representation[Any], HnervEncoder | None]:
    network = build(plan.model, seed=plan.seed)
    if plan.alignment is not None:
        with torch.no_grad():
            embeddings = dict(network.named_parameters())[EMBEDDINGS]
            embeddings.view(len(embeddings), -1)[:, : plan.alignment.inputs] = plan.alignment.start()
    network = in_channels_last(network.to(device))
    if not isinstance(plan.model, HnervConfig):
        return network, None
    return network, in_channels_last(build_encoder(plan.model, seed=plan.seed).to(device))


def _fit(
    network: Representation[Any],
    encoder: HnervEncoder | None,
    frames: UInt8[Tensor, "frames 3 height width"],
    plan: SegmentPlan,
    hooks: Hooks,
    key: str,
    checkpoint: Checkpoint | None,
) -> None:
    """The first phase, in float weights; fills the network's embeddings at its end."""
    alignment = plan.alignment
    # Stored embeddings are free parameters from the start, unless an encoder makes all of them.
    made_whole = encoder is not None and alignment is None
    own = network.named_weights() if made_whole else network.named_parameters()
    parameters = {f"network.{name}": parameter for name, parameter in own}
    if encoder is not None:
        parameters |= {f"encoder.{name}": weight for name, weight in encoder.named_parameters()}

    draw_resolutions = _compiled(network.draw_resolutions, plan)
    encode = None if encoder is None else _compiled(encoder, plan)

    def embed(indices: Int[Tensor, " batch"], target: Float[Tensor, "batch 3 height width"]) -> Tensor:
        if encode is None:
            return network.embed(indices)
        made: Tensor = encode(target)
        return made if alignment is None else alignment.put(network.embed(indices), made)

    def draw(indices: Int[Tensor, " batch"], target: Float[Tensor, "batch 3 height width"]) -> list[Tensor]:
        images: list[Tensor] = draw_resolutions(embed(indices, target))
        return images

    trainer = Trainer(
        phase="fit",
        parameters=parameters,
        draw=draw,
        frames=frames,
        recipe=plan.recipe,
        steps=plan.effort.steps(len(frames), plan.recipe)[0],
        peak_rate=plan.recipe.learning_rate,
        warmup=plan.recipe.warmup,
        seed=plan.seed,
        precision=plan.precision,
        ranks=hooks.ranks,
        penalty=None if alignment is None else lambda i: alignment.loss(network.embed(i), i),
    )
    if checkpoint is not None:
        checkpoint.restore(trainer)
    trainer.run(
        on_step=hooks.on_step,
        should_stop=hooks.should_stop,
        save_seconds=hooks.save_seconds,
        save=_saver(hooks, trainer, key, {}, {}),
    )
    if encoder is not None:
        embeddings = dict(network.named_parameters())[EMBEDDINGS]
        with torch.no_grad():
            for index in range(len(frames)):
                made = encoder(frames[index : index + 1].to(torch.float32) / 255)
                if alignment is not None:
                    made = alignment.put(embeddings[index : index + 1], made)
                embeddings[index] = made[0]


def _grids(network: Representation[Any], masks: dict[str, Tensor], plan: SegmentPlan) -> dict[str, Grid]:
    """Grids for the plan's bits and size; more bits where the finest grids would leave the size unused."""
    tensors = _masked(dict(network.named_parameters()), masks)
    if plan.target_bytes is None:
        return base_grids(tensors, bits=plan.bits)
    for bits in range(plan.bits, MOST_BITS + 1):
        grids = solve_grids(
            tensors, base_grids(tensors, bits=bits), target_bytes=SIZE_AIM * plan.target_bytes
        )
        if coded_bytes(tensors, grids) >= SIZE_WINDOW[0] * plan.target_bytes:
            break
    return grids


def _finetune(
    network: Representation[Any],
    frames: UInt8[Tensor, "frames 3 height width"],
    plan: SegmentPlan,
    hooks: Hooks,
    key: str,
    checkpoint: Checkpoint | None,
    grids: dict[str, Grid],
    masks: dict[str, Tensor],
) -> dict[str, Grid]:
    """The second phase: weights and embeddings move while the network draws with their quantized values."""
    parameters = dict(network.named_parameters())
    if EMBEDDINGS in parameters:
        parameters[EMBEDDINGS].requires_grad_(True)
    steps = plan.effort.steps(len(frames), plan.recipe)[1]
    updates = {round(share * steps) for share in GRID_UPDATES} if plan.target_bytes is not None else set()

    draw_with = _compiled(lambda seen, indices: functional_call(network, seen, (indices,)), plan)

    def draw(indices: Int[Tensor, " batch"], target: Float[Tensor, "batch 3 height width"]) -> list[Tensor]:
        seen = {
            name: straight_through(tensor, grids[name]) for name, tensor in _masked(parameters, masks).items()
        }
        return [draw_with(seen, indices)]

    def penalty(indices: Int[Tensor, " batch"]) -> Float[Tensor, ""]:
        assert plan.alignment is not None
        stored = straight_through(parameters[EMBEDDINGS], grids[EMBEDDINGS])
        return plan.alignment.loss(stored[indices], indices)

    def before_step(step: int) -> None:
        if step in updates:
            # In place: the checkpoint writer holds this very mapping.
            grids.update(_grids(network, masks, plan))

    trainer = Trainer(
        phase="finetune",
        parameters=parameters,
        draw=draw,
        frames=frames,
        recipe=plan.recipe,
        steps=steps,
        peak_rate=plan.recipe.finetune_rate * plan.recipe.learning_rate,
        warmup=0.0,
        seed=plan.seed,
        precision=plan.precision,
        ranks=hooks.ranks,
        penalty=None if plan.alignment is None else penalty,
    )
    if checkpoint is not None:
        checkpoint.restore(trainer)
    trainer.run(
        on_step=hooks.on_step,
        before_step=before_step,
        should_stop=hooks.should_stop,
        save_seconds=hooks.save_seconds,
        save=_saver(hooks, trainer, key, grids, masks),
    )
    if plan.target_bytes is not None:
        share = coded_bytes(_masked(parameters, masks), grids) / plan.target_bytes
        if not SIZE_WINDOW[0] <= share <= SIZE_WINDOW[1]:
            return _grids(network, masks, plan)
    return grids


def _compiled(function: Callable[..., Any], plan: SegmentPlan) -> Callable[..., Any]:
    """The same function, compiled for every shape it meets, if the plan says so."""
    return torch.compile(function, dynamic=False) if plan.compiled else function


def _masked(parameters: dict[str, torch.nn.Parameter], masks: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: weight * masks[name] if name in masks else weight for name, weight in parameters.items()}


def _saver(
    hooks: Hooks, trainer: Trainer, key: str, grids: dict[str, Grid], masks: dict[str, Tensor]
) -> Callable[[], None] | None:
    path = hooks.checkpoint
    if path is None:
        return None
    return lambda: save_checkpoint(path, trainer, key=key, grids=grids, masks=masks)


def _key(frames: UInt8[Tensor, "frames 3 height width"], plan: SegmentPlan) -> str:
    """Name of this very fit: a checkpoint of any other clip or plan does not match it."""
    # Which of several devices of a kind it was does not matter.
    digest = hashlib.sha256(repr(replace(plan, device=torch.device(plan.device).type)).encode())
    digest.update(frames.permute(0, 2, 3, 1).contiguous().cpu().numpy().data)
    return digest.hexdigest()
