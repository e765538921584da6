"""DistortionTrainer: steps that lower the distortion of drawn frames, in float or quantized weights."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from nervid.fit.loss import multi_resolution_distortion, psnr_of
from nervid.fit.phase import Phase
from nervid.fit.trainer import Trainer

Draw = Callable[[Int[Tensor, " batch"], Float[Tensor, "batch 3 height width"]], list[Tensor]]
"""Draws the frames of the given indices, coarse to full size; the frames are an encoder's input."""

Penalty = Callable[[Int[Tensor, " batch"]], Float[Tensor, ""]]
"""What a loss has beside distortion, for the frames of the given indices."""

PIXELS_AT_ONCE = 2**19
"""On the CPU a batch with more pixels goes through in parts, gradients added up: same step, less memory."""


class DistortionTrainer(Trainer):
    """One phase of a fit of the papers' networks.

    Args:
        phase: How its steps are taken.
        parameters: What the optimizer changes, by name.
        draw: Draws frames from the parameters.
        frames: The segment.
        penalty: What the loss of some frames has beside their distortion, a mean over them.
    """

    def __init__(
        self,
        phase: Phase,
        *,
        parameters: Mapping[str, nn.Parameter],
        draw: Draw,
        frames: UInt8[Tensor, "frames 3 height width"],
        penalty: Penalty | None = None,
    ) -> None:
        super().__init__(phase, parameters=parameters, frames=frames)
        self._draw, self._penalty = draw, penalty
        pixels = frames.shape[-2] * frames.shape[-1]
        self._frames_at_once = (
            max(1, PIXELS_AT_ONCE // pixels) if frames.device.type == "cpu" else phase.recipe.batch_size
        )

    def _step(self) -> tuple[float, float]:
        share = self.state.rate_scale * self.phase.rate_share(self.state.step, steps=self.steps)
        self._optimizer.zero_gradients()
        indices = self._indices(self.state.step)
        loss, psnr = 0.0, 0.0
        for part in torch.split(self._ranks.share(indices), self._frames_at_once):
            if len(part):
                part_loss, errors = self._backward(part, len(part) / len(indices))
                loss += part_loss
                psnr += sum(psnr_of(error) for error in errors)
        loss, psnr = self._ranks.sum_gradients(self.parameters.values(), (loss, psnr))
        self._optimizer.step(share * self.phase.peak_rate)
        return loss, psnr / len(indices)

    def _backward(self, indices: Int[Tensor, " batch"], share: float) -> tuple[float, list[float]]:
        """Add ``share`` times the loss gradient of some frames; return that loss and the frames' errors."""
        target = self.frames[indices].to(torch.float32).mul_(1 / 255)
        with torch.autocast(self.frames.device.type, dtype=self._dtype, enabled=self._dtype is not None):
            images = self._draw(indices, target)
        loss, errors = multi_resolution_distortion(
            [image.float() for image in images], target, self.phase.recipe
        )
        if self._penalty is not None:
            loss = loss + self._penalty(indices)
        loss = share * loss
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item(), errors.tolist()
