"""Quantization that lets gradients through, and what quantized numbers cost."""

import math
from typing import Final, Literal

import torch
from jaxtyping import Float
from torch import Tensor

Relaxation = Literal["noise", "straight"]
"""What stands for rounding while fitting: uniform noise, or rounding whose gradient is the identity's."""

LEAST_SCALE: Final = 0.05
"""Smallest mean magnitude, in steps, that a model of codes has: at it a zero costs 0.00007 bits."""
_LEAST_PROBABILITY: Final = 1e-9


def relaxed(
    codes: Float[Tensor, "*shape"], kind: Relaxation, generator: torch.Generator
) -> Float[Tensor, "*shape"]:
    """Return numbers, in steps, as a fit sees them in place of their rounded values.

    Args:
        codes: Values over their step.
        kind: "noise" adds uniform noise of one step's width; "straight" rounds to the nearest integer.
        generator: Makes the noise, on the CPU.

    Source:
        Noise: Ballé et al. (arXiv:1611.01704). Straight-through: Bengio et al. (arXiv:1308.3432).
    """
    if kind == "noise":
        noise = torch.rand(codes.shape, generator=generator).to(codes.device)
        return codes + noise.sub_(0.5)
    return codes + (codes.round() - codes).detach()


def laplace_bits(
    codes: Float[Tensor, "*shape"], scale: Float[Tensor, "*broadcast"]
) -> Float[Tensor, "*shape"]:
    """Return the bits of numbers rounded to integers, differentiable by the numbers between integers.

    Of a Laplace distribution of mean magnitude ``b`` around zero ``(x - 1/2, x + 1/2)`` has the share

        |x| >= 1/2:  exp(-(|x| - 1/2) / b) (1 - exp(-1 / b)) / 2
        |x| <  1/2:  1 - (exp(-(1/2 + |x|) / b) + exp(-(1/2 - |x|) / b)) / 2

    Args:
        codes: Values over their step.
        scale: Mean magnitude ``b`` of the codes around; at least ``LEAST_SCALE`` is taken.
    """
    rate = 1 / scale.clamp(min=LEAST_SCALE)
    size = codes.abs()
    outside = -rate * (size - 0.5) + (0.5 * (1 - torch.exp(-rate))).clamp(min=_LEAST_PROBABILITY).log()
    tails = torch.exp(-rate * (size + 0.5)) + torch.exp(-rate * (0.5 - size).clamp(min=0))
    inside = (1 - 0.5 * tails).clamp(min=_LEAST_PROBABILITY).log()
    return torch.where(size >= 0.5, outside, inside) * (-1 / math.log(2))
