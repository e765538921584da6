"""Latents: what an aligned file of a network without embeddings has of its frames' vectors."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nervid.compress.quantize import FEWEST_BITS, MOST_BITS, Grid, dequantize, fit_grid, quantize
from nervid.compress.streams import QuantizedTensor, encode_tensors
from nervid.decoder.alignment import LEAST_LENGTH, FrameVectors, StoredAlignment
from nervid.encoder.align import aim

MOST_LOSS: Final = 0.0001
"""Mean cosine with the teacher's vectors that quantizing latents may cost, so that they are as near as
HNeRV's; the head costs more bytes than the latents of a short clip (docs/log.md)."""
STEPS_PER_DOUBLING: Final = 8
"""How finely the quantization step is chosen."""


def code_latents(
    alignment: StoredAlignment,
    vectors: Float[np.ndarray, "frames dimension"],
    ranges: Sequence[range],
) -> tuple[bytes, ...]:
    """Return the coded latents of each segment, as section EMBD has them beside feature grids.

    Args:
        alignment: Has a head, whose ``inputs`` are the numbers of a latent.
        vectors: The teacher's vector of every frame, of length 1.
        ranges: Frames of each segment.
    """
    latents = quantize_latents(alignment, vectors)
    return tuple(
        encode_tensors([replace(latents, codes=latents.codes[frames.start : frames.stop])])
        for frames in ranges
    )


def quantize_latents(
    alignment: StoredAlignment, vectors: Float[np.ndarray, "frames dimension"]
) -> QuantizedTensor:
    """Return the numbers that lead nearest to the vectors, on the largest step that keeps their cosines.

    All numbers share the step: the head's columns are of one length and at right angles, so that an error
    costs the same in each, and numbers that hardly vary become zeros.

    Args:
        alignment: Has a head.
        vectors: Of length 1.

    Returns:
        Codes [frames, inputs]. The mean cosine of their vectors with ``vectors`` is at most ``MOST_LOSS``
        below the best one, unless 8 bits are too few for that.
    """
    numbers = aim(alignment, vectors).start()
    cosine = _Cosine(alignment, vectors)
    best, finest = cosine(numbers), fit_grid(numbers, bits=MOST_BITS)

    def coarsened(number: int) -> Grid:
        return finest.coarsened(2 ** (number / STEPS_PER_DOUBLING))

    def loss(number: int) -> float:
        grid = coarsened(number)
        return best - cosine(dequantize(quantize(numbers, grid), grid))

    # With the last of these steps every code is 0.
    steps = range(1, STEPS_PER_DOUBLING * MOST_BITS + 1)
    grid = coarsened(bisect_right(steps, MOST_LOSS, key=loss))
    codes = quantize(numbers, grid)
    largest = int(torch.maximum(codes, -codes - 1).max())
    bits = max(FEWEST_BITS, largest.bit_length() + 1)
    return QuantizedTensor(codes, replace(grid, bits=bits), in_time=True)


class _Cosine:
    """Mean cosine between the vectors that numbers lead to and the teacher's."""

    def __init__(self, alignment: StoredAlignment, vectors: Float[np.ndarray, "frames dimension"]) -> None:
        assert alignment.head is not None
        self._weight = alignment.head.weight.values().numpy()
        self._bias = alignment.head.bias.values().numpy()
        self._along, self._beside = vectors @ self._weight, vectors @ self._bias

    def __call__(self, numbers: Float[Tensor, "frames inputs"]) -> float:
        rows = numbers.numpy()
        lengths = FrameVectors(rows, self._weight, self._bias).lengths
        products = np.einsum("ij,ij->i", rows, self._along) + self._beside
        return float((products / np.maximum(lengths, LEAST_LENGTH)).mean())
