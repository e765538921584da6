"""From bytes to a network: how large a segment's network may be, and what to try next for a quality."""

from dataclasses import dataclass
from math import log2
from typing import Final

from nervid.encoder.config import EncodeConfig
from nervid.errors import InputError
from nervid.models.config import ModelConfig
from nervid.models.like import smallest_like, solve_like
from nervid.models.nervid_sizing import LEAST_BYTES, USUAL_COMPLEXITY, Spans, solve_nervid, usual_bytes
from nervid.models.sizing import LEAST_LATENT, embedding_count, parameter_count, smallest, solve

EXPECTED_BITS: Final = {2: 1.5, 3: 2.1, 4: 2.9, 5: 3.8, 6: 4.7, 7: 5.7, 8: 6.7}
"""Coded bits per stored number that a network is planned for, by bits before entropy coding. A little below
what the finest grid takes, so that the grids are solved coarser, not finer, to meet the size."""
FEWEST_BITS: Final = 2.0
"""Coded bits per stored number below which a network of these families falls apart."""

HEAD_SHARE: Final = 0.03
"""Most of a size that an alignment's head with more than ``LEAST_LATENT`` inputs may take."""
NUMBERS_SHARE: Final = 0.1
"""Most of it that the numbers may take which such a head reads."""

NEUTRAL_QUALITY: Final = 60.0
"""Quality at which a bit per pixel costs a thousandth of squared error; 31 dB on Bunny at 320x160."""
QUALITY_PER_HALVING: Final = 6.0

PSNR_ATTEMPTS: Final = 5
"""Fits that a quality may cost, per segment."""
PSNR_SLACK_DB: Final = 0.3
"""A fit this little above the quality is not tried smaller."""
SIZE_NOISE: Final = 0.03
"""A coded size this share above the smallest possible one counts as the smallest."""
MOST_DOUBLINGS: Final = 2.0
"""How far the size moves from one fit to the next, either way."""
DB_PER_DOUBLING: Final = 3.0
"""PSNR gained by doubling the bytes; measured on HNeRV's Table 2 (30.15 dB at 0.35M to 37.43 dB at 3M)."""


def plan_network(
    config: EncodeConfig,
    *,
    frames: int,
    height: int,
    width: int,
    budget_bytes: float,
    least_numbers: int = 1,
    like: ModelConfig | None = None,
    spans: Spans | None = None,
    has_background: bool = False,
) -> ModelConfig:
    """Return the network that should code to ``budget_bytes``.

    Args:
        config: Gives the representation and the bits per weight.
        frames: Frames of the segment.
        height: Rows.
        width: Pixels per row.
        budget_bytes: Bytes for weights and embeddings.
        least_numbers: Fewest numbers in a frame's embedding.
        like: A network of the same family whose strides, windows and activation it gets, so that its weights
            can be carried over; None for a free choice.
        spans: Of the textures and motion that nervid gets; None for none.
        has_background: Whether nervid gets a background.

    Raises:
        InputError: If even the smallest network of the family cannot be coded so small, or takes more
            arithmetic than allowed; says what it needs.
    """
    if config.model == "nervid":
        size = {"frames": frames, "height": height, "width": width}
        if budget_bytes < LEAST_BYTES:
            raise InputError(
                f"{frames} frames of {width}x{height} need at least {LEAST_BYTES} bytes for the smallest "
                f"nervid network, {max(int(budget_bytes), 0)} are left for it; ask for more"
            )
        return solve_nervid(
            **size,
            budget_bytes=budget_bytes,
            complexity=config.complexity or USUAL_COMPLEXITY,
            spans=spans,
            has_background=has_background,
        )
    size = {"frames": frames, "height": height, "width": width, "least_numbers": least_numbers}
    least = _smallest(config, like, **size)
    least_bytes = least_size(config, **size, like=like)
    if budget_bytes < least_bytes:
        direct = config.align_layout == "direct"
        raise InputError(
            f"{frames} frames of {width}x{height} need at least {least_bytes} bytes for the "
            f"smallest {config.model} network{f' with {least_numbers} numbers a frame' if direct else ''}, "
            f"{max(int(budget_bytes), 0)} are left for it; ask for more"
            f"{', or align by a head (--align-layout head)' if direct else ''}"
        )
    parameters = int(budget_bytes * 8 / _expected_bits(config.bits, config.sparsity))
    if parameters <= stored_count(least):
        return least
    if like is not None:
        return solve_like(like, **size, parameters=parameters)
    return solve(config.model, **size, parameters=parameters)


def least_size(
    config: EncodeConfig,
    *,
    frames: int,
    height: int,
    width: int,
    least_numbers: int = 1,
    like: ModelConfig | None = None,
) -> int:
    """Return the fewest bytes for weights and embeddings that :func:`plan_network` accepts."""
    if config.model == "nervid":
        return LEAST_BYTES
    least = _smallest(config, like, frames=frames, height=height, width=width, least_numbers=least_numbers)
    return int(stored_count(least) * FEWEST_BITS / 8) + 1


def _smallest(config: EncodeConfig, like: ModelConfig | None, **size: int) -> ModelConfig:
    assert config.model != "nervid"
    return smallest(config.model, **size) if like is None else smallest_like(like, **size)


def most_inputs(config: EncodeConfig, *, size_bytes: float, frames: int, dimension: int) -> int:
    """Return how many numbers of an embedding an alignment's head may read.

    That is ``LEAST_LATENT``, or more where head and numbers stay below their shares of the size.

    Args:
        config: Gives the bits per number.
        size_bytes: What the file may take.
        frames: Frames of the file.
        dimension: Numbers in a teacher's vector.
    """
    # A head's numbers take 8 bits at most, entropy coding not counted on.
    by_head = HEAD_SHARE * size_bytes / dimension - 1
    by_numbers = NUMBERS_SHARE * size_bytes * 8 / (_expected_bits(config.bits, 0.0) * frames)
    return max(LEAST_LATENT, int(min(by_head, by_numbers)))


def _expected_bits(bits: int, sparsity: float) -> float:
    """Coded bits per stored number: which ones are zero, then the others' codes."""
    zero_or_not = -sum(share * log2(share) for share in (sparsity, 1 - sparsity) if share)
    return zero_or_not + (1 - sparsity) * EXPECTED_BITS[bits]


def stored_count(config: ModelConfig) -> int:
    """Return how many numbers a file stores of a network: weights and embeddings."""
    return parameter_count(config) + embedding_count(config)


def multiplier_of(quality: float) -> float:
    """Return the cost of a bit per pixel, in thousandths of mean squared error, for a quality in [1, 100]."""
    return 2 ** ((NEUTRAL_QUALITY - quality) / QUALITY_PER_HALVING)


def bytes_for_quality(quality: float, *, frames: int, height: int, width: int) -> float:
    """Return about what a segment takes at a quality, or the least size if that is more."""
    usual = usual_bytes(multiplier_of(quality), pixels=frames * height * width)
    return max(usual, LEAST_BYTES)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One fit made for a quality."""

    size_bytes: int
    psnr_db: float


def next_size(attempts: list[Attempt], target_db: float, first_bytes: int, *, least_bytes: int) -> int | None:
    """Return the bytes to try next, never below ``least_bytes``, or None when the search is over.

    The first try is ``first_bytes``. After one attempt the size moves along the field's usual slope; after
    two, along the line through the two attempts nearest to the quality (bytes on a logarithmic axis).
    """
    if not attempts:
        return max(first_bytes, least_bytes)
    enough = [attempt for attempt in attempts if attempt.psnr_db >= target_db]
    if len(attempts) == PSNR_ATTEMPTS or any(a.psnr_db < target_db + PSNR_SLACK_DB for a in enough):
        return None
    if any(attempt.size_bytes < least_bytes * (1 + SIZE_NOISE) for attempt in enough):
        return None
    near = sorted(attempts, key=lambda attempt: abs(attempt.psnr_db - target_db))[:2]
    slope = DB_PER_DOUBLING
    if len(near) == 2 and near[0].size_bytes != near[1].size_bytes:
        low, high = sorted(near, key=lambda attempt: attempt.size_bytes)
        measured = (high.psnr_db - low.psnr_db) / log2(high.size_bytes / low.size_bytes)
        # A noisy pair must not send the search far off.
        slope = min(max(measured, 1.0), 8.0)
    aim = target_db + PSNR_SLACK_DB / 2
    doublings = (aim - near[0].psnr_db) / slope
    # No leap: far from the quality the slope is only a guess, and a network ten times as large takes ten
    # times as long to fit.
    doublings = min(max(doublings, -MOST_DOUBLINGS), MOST_DOUBLINGS)
    return max(int(near[0].size_bytes * 2**doublings), least_bytes)
