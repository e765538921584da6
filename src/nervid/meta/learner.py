"""Learner: a network on its way to becoming an initialization, and how it fits one window in a few steps."""

from collections.abc import Mapping, Sequence
from math import inf, isfinite, log
from typing import Any, Final, cast

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own idiom
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.func import functional_call

from nervid.fit.loss import psnr_of
from nervid.fit.optimizer import unit_step
from nervid.fit.precision import autocast_dtype
from nervid.initializations.initialization import ENCODER, NETWORK, Initialization
from nervid.meta.config import MetaConfig
from nervid.meta.learned import learned_config
from nervid.models.blocks import at_least_float32
from nervid.models.config import HnervConfig
from nervid.models.registry import build, build_encoder
from nervid.models.representation import EMBEDDINGS, Representation, in_channels_last

Window = UInt8[Tensor, "frames 3 height width"]
Parameters = Mapping[str, Tensor]

FIRST_RATES: Final = tuple(10 ** (power / 2) for power in range(-8, 7))
"""Inner rates that are tried before learning begins: 0.0001 to 1000."""


class Learner(nn.Module):
    """The learned weights, the inner rates, and the heads that only learning needs.

    Args:
        config: All choices; its seed draws the first weights.
    """

    def __init__(self, config: MetaConfig) -> None:
        super().__init__()
        self.config = config
        model = learned_config(config)
        self.network: Representation[Any] = in_channels_last(build(model, seed=config.seed))
        self.encoder = (
            in_channels_last(build_encoder(model, seed=config.seed))
            if isinstance(model, HnervConfig)
            else None
        )
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(config.seed)
            coarse = model.widths[1:-1] if config.coarse_weight else ()
            self.heads = nn.ModuleList(nn.Conv2d(channels, 3, 1) for channels in coarse)
        self.log_rates: dict[str, nn.Parameter] = {}
        """Logarithm of every inner rate, [inner steps] or, by single parameters, [inner steps, *shape]."""

    def weights(self) -> dict[str, nn.Parameter]:
        """Return what is learned, by name: ``network.``, ``encoder.`` and ``heads.`` and the tensor's own."""
        return {
            name: parameter for name, parameter in self.named_parameters() if name != f"network.{EMBEDDINGS}"
        }

    def images(self, weights: Parameters, target: Float[Tensor, "frames 3 _ _"]) -> list[Tensor]:
        """Draw a window's frames with given weights.

        Args:
            weights: By the names of :meth:`weights`.
            target: The frames, RGB in [0, 1]: an encoder's input; of no account without one.

        Returns:
            RGB in [0, 1]: the small image of each stage but the last, if spatial guidance is on, then the
            frames.
        """
        dtype = autocast_dtype(self.config.precision, target.device)
        with torch.autocast(target.device.type, dtype=dtype, enabled=dtype is not None):
            drawn: list[Tensor] = functional_call(self, dict(weights), (target,))
        return drawn

    def forward(self, target: Float[Tensor, "frames 3 _ _"]) -> list[Tensor]:
        """Do what :meth:`images` does with the learned weights themselves."""
        features: list[Tensor] = []
        blocks = cast(nn.ModuleList, self.network.blocks)
        # The blocks hand their maps out; no family needs code of its own for guidance.
        watched = [
            block.register_forward_hook(lambda _, __, output: features.append(output))
            for block in (list(blocks)[:-1] if len(self.heads) else ())
        ]
        try:
            colors = self.network.draw_colors(self._embed(target))
        finally:
            for hook in watched:
                hook.remove()
        coarse = [head(map_) for head, map_ in zip(self.heads, features, strict=True)]
        return [self.network.squash(at_least_float32(image)) for image in [*coarse, colors]]

    def loss(self, weights: Parameters, window: Window) -> tuple[Float[Tensor, ""], Float[Tensor, " frames"]]:
        """Return the loss of a window, twice differentiable, and each frame's mean squared error.

        The loss is the mean squared error, plus ``coarse_weight`` times that of each small image against the
        frames averaged over areas.

        Source:
            MetaNeRV (AAAI 2025), spatial guidance; its weights are not known to us, equal ones are ours.
        """
        target = window.to(torch.float32).mul_(1 / 255)
        images = self.images(weights, target)
        errors = (images[-1] - target).square().mean((1, 2, 3))
        loss = errors.mean()
        for image in images[:-1]:
            small = F.adaptive_avg_pool2d(target, (image.shape[-2], image.shape[-1]))
            loss = loss + self.config.coarse_weight * (image - small).square().mean()
        return loss, errors.detach()

    def adapt(
        self,
        weights: Parameters,
        window: Window,
        *,
        steps: int,
        second_order: bool = False,
        losses: list[Tensor] | None = None,
        errors: list[Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Return the weights after some inner steps of gradient descent on a window.

        Args:
            weights: Where to begin; gradients flow back to them, and to the rates.
            window: The frames to fit.
            steps: Inner steps, at most the ``inner_steps`` that have rates.
            second_order: Whether gradients also flow through the inner steps' own gradients.
            losses: Gets the loss before each inner step; they keep their graphs.
            errors: Gets each frame's mean squared error before each inner step.
        """
        adapted = dict(weights)
        for step in range(steps):
            loss, frame_errors = self.loss(adapted, window)
            if losses is not None:
                losses.append(loss)
            if errors is not None:
                errors.append(frame_errors)
            gradients = torch.autograd.grad(
                loss,
                list(adapted.values()),
                create_graph=second_order,
                retain_graph=second_order or losses is not None,
            )
            adapted = {
                name: weight - self.log_rates[name][step].exp() * self._direction(gradient)
                for (name, weight), gradient in zip(adapted.items(), gradients, strict=True)
            }
        return adapted

    def _direction(self, gradient: Tensor) -> Tensor:
        if self.config.inner == "gradient":
            return gradient
        return unit_step(gradient, autocast_dtype(self.config.precision, gradient.device))

    def task(self, window: Window, *, share: float) -> tuple[float, float]:
        """Fit a window and add ``share`` times the learning gradient to the weights' and rates' own.

        The learning loss is that after the last inner step plus ``every_step_weight`` times those before it.
        With the method "reptile" the gradient is the way from the adapted weights back to the learned ones.

        Returns:
            The window's PSNR in dB before and after the inner steps.
        """
        weights, config = self.weights(), self.config
        is_reptile = config.method == "reptile"
        # Losses hold the memory of their steps, which nothing but their gradients needs.
        losses: list[Tensor] | None = [] if config.every_step_weight and not is_reptile else None
        errors: list[Tensor] = []
        adapted = self.adapt(
            weights,
            window,
            steps=config.inner_steps,
            second_order=config.method == "second-order",
            losses=losses,
            errors=errors,
        )
        with torch.set_grad_enabled(not is_reptile):
            loss, after = self.loss(adapted, window)
        if is_reptile:
            for name, weight in weights.items():
                way = share * (weight.detach() - adapted[name].detach())
                weight.grad = way if weight.grad is None else weight.grad + way
        else:
            total = loss + config.every_step_weight * sum(losses or (), start=loss.new_zeros(()))
            (share * total).backward()  # type: ignore[no-untyped-call]
        return _mean_psnr(errors[0]), _mean_psnr(after)

    def adapted_db(self, window: Window) -> tuple[float, float]:
        """Return a window's PSNR in dB before and after the inner steps; nothing is learned."""
        weights = {name: weight.detach().requires_grad_() for name, weight in self.weights().items()}
        errors: list[Tensor] = []
        adapted = self.adapt(weights, window, steps=self.config.inner_steps, errors=errors)
        with torch.no_grad():
            after = self.loss(adapted, window)[1]
        return _mean_psnr(errors[0]), _mean_psnr(after)

    def begin_rates(self, windows: Sequence[Window]) -> float:
        """Set all inner rates to the one that fits some windows best in the inner steps.

        Returns:
            That rate, one of ``FIRST_RATES``.

        Source:
            Ours; a rate taken from elsewhere (1e-2 in GradNCP) may be hundreds of steps away from a good one.
        """
        weights = self.weights()

        def lost(rate: float) -> float:
            self.set_rates(rate)
            adapted = (self.adapt(weights, window, steps=self.config.inner_steps) for window in windows)
            losses = [self.loss(ad, window)[0].item() for ad, window in zip(adapted, windows, strict=True)]
            return sum(losses) if all(map(isfinite, losses)) else inf

        best = min(FIRST_RATES, key=lost)
        self.set_rates(best)
        return best

    def set_rates(self, rate: float) -> None:
        """Set all inner rates to one number above 0."""
        for name, weight in self.weights().items():
            shape = weight.shape if self.config.rates == "parameter" else ()
            start = weight.detach().new_full((self.config.inner_steps, *shape), log(rate))
            self.log_rates[name] = nn.Parameter(start, requires_grad=self.config.rates != "fixed")

    def initialization(self, provenance: dict[str, Any]) -> Initialization:
        """Return what was learned; heads of spatial guidance and rates of single parameters stay out."""
        weights = self.weights()

        def part(prefix: str) -> dict[str, Tensor]:
            return {
                name.removeprefix(prefix): weight.detach()
                for name, weight in weights.items()
                if name.startswith(prefix)
            }

        rates = {} if self.config.rates == "parameter" else self.log_rates
        return Initialization(
            config=self.network.config,
            weights=part(NETWORK),
            encoder=part(ENCODER),
            rates={
                name: tuple(rate.detach().exp().tolist())
                for name, rate in rates.items()
                if name.startswith((NETWORK, ENCODER))
            },
            inner=self.config.inner,
            provenance=provenance,
        )

    def _embed(self, target: Float[Tensor, "frames 3 _ _"]) -> Tensor:
        if self.encoder is not None:
            embedding: Tensor = self.encoder(target)
            return embedding
        # A clip of n frames has times index / n, whatever length the network was built for.
        apart = self.network.config.frames // len(target)
        return self.network.embed(torch.arange(len(target), device=target.device) * apart)


def _mean_psnr(errors: Float[Tensor, " frames"]) -> float:
    return sum(map(psnr_of, errors.tolist())) / len(errors)
