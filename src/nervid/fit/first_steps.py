"""The first steps from learned weights: few, large, each tensor at the rates that were learned for it."""

from collections.abc import Callable, Mapping
from typing import Final

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from nervid.fit.distributed import Ranks
from nervid.fit.loss import frame_errors
from nervid.fit.optimizer import unit_step
from nervid.fit.start import Start

MOST_FRAMES: Final = 8
"""Frames, evenly spaced, that the first steps see: as many as the windows that rates are learned on."""


def first_frames(count: int) -> Int[Tensor, " frames"]:
    """Return the frames that the first steps of a fit of ``count`` frames see."""
    kept = min(count, MOST_FRAMES)
    return torch.arange(kept) * count // kept


def take_first_steps(
    parameters: Mapping[str, nn.Parameter],
    draw: Callable[[Tensor, Float[Tensor, "batch 3 height width"]], list[Tensor]],
    frames: UInt8[Tensor, "frames 3 height width"],
    start: Start,
    *,
    dtype: torch.dtype | None,
    ranks: Ranks,
    steps: int,
) -> None:
    """Move parameters, in place, by the steps that ``start`` has rates for.

    Parameters without rates, such as embeddings, stay as they are. The loss is the mean squared error.

    Args:
        parameters: What is fitted, by name: ``network.<name>``, ``encoder.<name>``.
        draw: Draws the frames of given indices from the parameters, coarse to full size.
        frames: The segment, values in [0, 255].
        start: Gives rates and direction.
        dtype: Type of the convolutions; None for float32.
        ranks: Processes that share the frames of every step.
        steps: Steps to take, at most ``start.first_steps``.
    """
    moved = {name: parameter for name, parameter in parameters.items() if name in start.rates}
    indices = first_frames(len(frames)).to(frames.device)
    for step in range(steps):
        for parameter in parameters.values():
            parameter.grad = None
        for index in torch.split(ranks.share(indices), 1):
            target = frames[index].to(torch.float32).mul_(1 / 255)
            with torch.autocast(frames.device.type, dtype=dtype, enabled=dtype is not None):
                image = draw(index, target)[-1]
            loss = frame_errors(image.float(), target).sum() / len(indices)
            loss.backward()  # type: ignore[no-untyped-call]
        ranks.sum_gradients(parameters.values(), ())
        with torch.no_grad():
            for name, parameter in moved.items():
                if parameter.grad is not None:
                    way = parameter.grad if start.inner == "gradient" else unit_step(parameter.grad, dtype)
                    parameter.sub_(way.to(parameter.dtype), alpha=start.rates[name][step])
    for parameter in parameters.values():
        parameter.grad = None
