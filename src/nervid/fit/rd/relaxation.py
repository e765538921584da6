"""Quantization that lets gradients through, and what quantized numbers cost."""

import math
import zlib
from typing import Final, Literal

import torch
from jaxtyping import Float
from torch import Tensor

Relaxation = Literal["noise", "straight"]
"""What stands for rounding while fitting: uniform noise, for feature grids between two soft roundings; or
rounding whose gradient is the identity's."""

LEAST_SCALE: Final = 0.05
"""Smallest mean magnitude, in steps, that a model of codes has: at it a zero costs 0.00007 bits."""
_LEAST_PROBABILITY: Final = 1e-9
_PLACES: Final = 2**20


class Noise:
    """Uniform noise in [-1/2, 1/2), drawn once; a step reads it from a place of its own.

    Drawing as many fresh numbers takes longer than all that is done with them.

    Args:
        most: Most numbers that are asked for at once.
        seed: Decides numbers and places.
        device: Where they are wanted.
    """

    def __init__(self, most: int, *, seed: int, device: torch.device) -> None:
        generator = torch.Generator().manual_seed(zlib.crc32(f"noise {seed}".encode()))
        self._seed = seed
        self._numbers = torch.rand(most + _PLACES, generator=generator).sub_(0.5).to(device)

    def at(self, step: int, count: int) -> Float[Tensor, " count"]:
        """Return the noise of one step; not to be written to."""
        first = zlib.crc32(f"noise {self._seed} {step}".encode()) % _PLACES
        return self._numbers[first : first + count]


def soft_round(
    codes: Float[Tensor, "*shape"], softness: float
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """Return numbers brought nearer to their integers, and the derivative of that by each number.

        m = floor(x) + 1/2,  y = m + tanh((x - m) / softness) / (2 tanh(1 / (2 softness)))

    Integers stay where they are, and so do the numbers half way between. The less softness, the nearer it is
    to rounding; with much it is the identity.

    Args:
        codes: Values over their step.
        softness: Above 0.

    Source:
        Agustsson and Theis, "Universally Quantized Neural Compression" (arXiv:2006.09952), section 4.1, as C3
        uses it (Kim et al., arXiv:2312.02753, section 3.1): before and after the noise. C3's noise is not
        uniform, ours is.
    """
    middles = codes.floor().add_(0.5)
    bent = torch.sub(codes, middles).div_(softness).tanh_()
    scale = 0.5 / math.tanh(0.5 / softness)
    slopes = torch.addcmul(torch.ones_like(bent), bent, bent, value=-1).mul_(scale / softness)
    return middles.add_(bent, alpha=scale), slopes


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


def bits_and_slope(
    codes: Float[Tensor, "*shape"], scale: Float[Tensor, "*broadcast"]
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """Return :func:`laplace_bits` and its derivative by each number, in half of the operations."""
    rate = 1 / scale.clamp(min=LEAST_SCALE)
    size = codes.abs()
    is_outside = size >= 0.5
    far, near = torch.exp(-rate * (size + 0.5)), torch.exp(rate * (size - 0.5).clamp_(max=0))
    share = torch.add(far, near).mul_(-0.5).add_(1).clamp_(min=_LEAST_PROBABILITY)
    tail = rate * (0.5 - size) + (0.5 * (1 - torch.exp(-rate))).clamp(min=_LEAST_PROBABILITY).log()
    steep = near.sub_(far).mul_(0.5 * rate).div_(share)
    slope = torch.where(is_outside, rate, steep).copysign_(codes).mul_(1 / math.log(2))
    bits = torch.where(is_outside, tail, share.log_()).mul_(-1 / math.log(2))
    return bits, slope
