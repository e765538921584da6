"""Fits one network to one segment: fit, prune, quantize with fine-tuning."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from nervid.compress.feature_sections import QuantizedFeatureGrid, encode_feature_grids
from nervid.compress.streams import QuantizedTensor, encode_tensors
from nervid.fit.checkpoint import Checkpoint
from nervid.fit.distortion_trainer import DistortionTrainer
from nervid.fit.finetune import find_grids, finetune
from nervid.fit.first_steps import take_first_steps
from nervid.fit.plan import Hooks, SegmentPlan
from nervid.fit.precision import autocast_dtype
from nervid.fit.rate import quantize_all
from nervid.fit.rd.segment import fit_rate_distortion
from nervid.fit.stored import StoredForm
from nervid.models.config import HnervConfig, ModelConfig, NervidConfig
from nervid.models.convnext import HnervEncoder
from nervid.models.nervid import Nervid
from nervid.models.registry import build, build_encoder
from nervid.models.representation import EMBEDDINGS, Representation, in_channels_last

__all__ = ["FittedSegment", "Hooks", "SegmentPlan", "fit_float", "fit_segment", "fitted_model"]


@dataclass(frozen=True, slots=True, eq=False)
class FittedSegment:
    """What is stored of a segment."""

    config: ModelConfig
    weights: list[QuantizedTensor]
    """In the order of the network's parameters, embeddings left out; what they are more than the base, if the
    plan's start has one."""
    embeddings: list[QuantizedTensor]
    """One tensor [frames, channels, height, width], or none."""
    grids: Sequence[QuantizedFeatureGrid] = ()
    """Feature grids, in the order of the network's stages; none for a network without."""

    def sections(self) -> tuple[bytes, bytes | None]:
        """Return the payloads of WGHT and EMBD, None for a network without stored embeddings."""
        wght = encode_tensors(self.weights)
        if isinstance(self.config, NervidConfig):
            return wght, encode_feature_grids(self.grids, self.config.knot_order)
        return wght, encode_tensors(self.embeddings) if self.embeddings else None


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
    if isinstance(network, Nervid):
        tensors = fit_rate_distortion(network, frames, plan, hooks, key=key, checkpoint=checkpoint)
        return FittedSegment(config=plan.model, weights=tensors.weights, embeddings=[], grids=tensors.grids)
    form = StoredForm.unpruned(plan.start, frames.device)
    if checkpoint is None or checkpoint.phase == "fit":
        _fit(network, encoder, frames, plan, hooks, key, checkpoint)
        form = form.pruned(dict(network.named_parameters()), plan.sparsity)
        grids, checkpoint = find_grids(network, form, plan), None
    else:
        form = form.with_masks({name: mask.to(frames.device) for name, mask in checkpoint.masks().items()})
        grids = {name: grid.to(frames.device) for name, grid in checkpoint.grids().items()}
    grids = finetune(network, frames, plan, hooks, key=key, checkpoint=checkpoint, grids=grids, form=form)
    numbers = form.numbers(dict(network.named_parameters()))
    coded = dict(zip(numbers, quantize_all(numbers, grids), strict=True))
    return FittedSegment(
        config=plan.model,
        weights=[tensor.cpu() for name, tensor in coded.items() if name != EMBEDDINGS],
        embeddings=[tensor.cpu() for name, tensor in coded.items() if name == EMBEDDINGS],
    )


def fitted_model(model: ModelConfig) -> ModelConfig:
    """Return the network that steps are taken with: without a preview head, which is solved after them."""
    return replace(model, preview=False) if isinstance(model, NervidConfig) else model


def fit_float(
    frames: UInt8[Tensor, "frames 3 height width"],
    plan: SegmentPlan,
    hooks: Hooks,
    *,
    steps: int | None = None,
) -> Representation[Any]:
    """Run the first phase alone: the network in float weights, its embeddings filled, nothing quantized.

    Args:
        frames: The segment, values in [0, 255].
        plan: All choices; those on size, bits and sparsity do not matter.
        hooks: Progress, stopping, checkpoint.
        steps: Steps to take instead of those of ``plan.effort``, first steps at learned rates included; the
            schedule ends with them.

    Raises:
        Interrupted: When asked to stop; the state is saved.
        InputError: If the fit keeps diverging.
        OutputError: If the checkpoint cannot be written.
    """
    frames, key, network, encoder, checkpoint = _start(frames, plan, hooks)
    _fit(network, encoder, frames, plan, hooks, key, checkpoint, steps)
    return network


def _start(
    frames: UInt8[Tensor, "frames 3 height width"], plan: SegmentPlan, hooks: Hooks
) -> tuple[Tensor, str, Representation[Any], HnervEncoder | None, Checkpoint | None]:
    """The frames where they are fitted, the fit's name, networks, and what an earlier run left."""
    device = torch.device(plan.device)
    # Frames stay uint8 and channels-last, [frames, height, width, 3] in memory, as the video layer gave them.
    frames = frames.to(device).contiguous(memory_format=torch.channels_last)
    key = _key(frames, plan)
    network, encoder = _initialize(plan, device)
    checkpoint = Checkpoint.read(hooks.checkpoint, key=key) if hooks.checkpoint else None
    checkpoint = hooks.ranks.from_first(checkpoint)
    return frames, key, network, encoder, checkpoint


def _initialize(plan: SegmentPlan, device: torch.device) -> tuple[Representation[Any], HnervEncoder | None]:
    network, encoder = build(fitted_model(plan.model), seed=plan.seed), None
    if isinstance(plan.model, HnervConfig):
        encoder = build_encoder(plan.model, seed=plan.seed)
    if plan.start is not None:
        plan.start.put(network, encoder)
    if plan.alignment is not None:
        with torch.no_grad():
            embeddings = dict(network.named_parameters())[EMBEDDINGS]
            embeddings.view(len(embeddings), -1)[:, : plan.alignment.inputs] = plan.alignment.start()
    network = in_channels_last(network.to(device))
    return network, None if encoder is None else in_channels_last(encoder.to(device))


def _fit(
    network: Representation[Any],
    encoder: HnervEncoder | None,
    frames: UInt8[Tensor, "frames 3 height width"],
    plan: SegmentPlan,
    hooks: Hooks,
    key: str,
    checkpoint: Checkpoint | None,
    steps: int | None = None,
) -> None:
    """The first phase, in float weights; fills the network's embeddings at its end."""
    alignment = plan.alignment
    # Stored embeddings are free parameters from the start, unless an encoder makes all of them.
    made_whole = encoder is not None and alignment is None
    own = network.named_weights() if made_whole else network.named_parameters()
    parameters = {f"network.{name}": parameter for name, parameter in own}
    if encoder is not None:
        parameters |= {f"encoder.{name}": weight for name, weight in encoder.named_parameters()}

    draw_resolutions = plan.compile(network.draw_resolutions)
    encode = None if encoder is None else plan.compile(encoder)

    def embed(indices: Int[Tensor, " batch"], target: Float[Tensor, "batch 3 height width"]) -> Tensor:
        if encode is None:
            return network.embed(indices)
        made: Tensor = encode(target)
        return made if alignment is None else alignment.put(network.embed(indices), made)

    def draw(indices: Int[Tensor, " batch"], target: Float[Tensor, "batch 3 height width"]) -> list[Tensor]:
        images: list[Tensor] = draw_resolutions(embed(indices, target))
        return images

    if steps is None:
        steps = plan.effort.steps(len(frames), plan.recipe)[0]
    learned = 0 if plan.start is None else min(plan.start.first_steps, steps)
    if plan.start is not None and checkpoint is None:
        take_first_steps(
            parameters,
            draw,
            frames,
            plan.start,
            dtype=autocast_dtype(plan.precision, frames.device),
            ranks=hooks.ranks,
            steps=learned,
        )
    trainer = DistortionTrainer(
        plan.phase("fit", steps=steps - learned, ranks=hooks.ranks),
        parameters=parameters,
        draw=draw,
        frames=frames,
        penalty=None if alignment is None else lambda i: alignment.loss(network.embed(i), i),
    )
    if checkpoint is not None:
        checkpoint.restore(trainer)
    trainer.run(
        on_step=hooks.on_step,
        should_stop=hooks.should_stop,
        save_seconds=hooks.save_seconds,
        save=hooks.saver(trainer, key, {}, {}),
    )
    if encoder is not None:
        embeddings = dict(network.named_parameters())[EMBEDDINGS]
        with torch.no_grad():
            for index in range(len(frames)):
                made = encoder(frames[index : index + 1].to(torch.float32) / 255)
                if alignment is not None:
                    made = alignment.put(embeddings[index : index + 1], made)
                embeddings[index] = made[0]


def _key(frames: UInt8[Tensor, "frames 3 height width"], plan: SegmentPlan) -> str:
    """Name of this very fit: a checkpoint of any other clip or plan does not match it."""
    # Which of several devices of a kind it was does not matter.
    digest = hashlib.sha256(repr(replace(plan, device=torch.device(plan.device).type)).encode())
    digest.update(frames.permute(0, 2, 3, 1).contiguous().cpu().numpy().data)
    return digest.hexdigest()
