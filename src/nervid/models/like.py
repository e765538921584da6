"""Networks like a learned one: of any size and any budget, but of its strides, windows and activation.

To such a network the learned one's weights can be carried over (``nervid.initializations.transfer``).
"""

from dataclasses import replace
from math import ceil, prod

from nervid.errors import InputError
from nervid.models.budget import budget_used
from nervid.models.config import HnervConfig, ModelConfig, NervConfig
from nervid.models.sizing import LEAST_HNERV_WIDTH, LEAST_NERV, NervShape, solve_hnerv, solve_nerv


def smallest_like(
    learned: ModelConfig, *, frames: int, height: int, width: int, least_numbers: int = 1
) -> ModelConfig:
    """Describe the smallest network that ``solve_like`` can return.

    Its base map has as many sites as its strides need to cover the frame; widths are the least of its family,
    or the learned ones where those are less. It has one head.

    Args:
        learned: HNeRV or NeRV.
        frames: Number of frames, 1 to 2**20.
        height: Rows in pixels, 16 to 4096.
        width: Columns in pixels, 16 to 4096.
        least_numbers: Fewest numbers in a frame's stored embedding, for HNeRV.

    Raises:
        InputError: If a size is out of range, the strides are too large for it, or the family is another.
    """
    total = prod(learned.strides)
    base_height, base_width = ceil(height / total), ceil(width / total)
    if isinstance(learned, HnervConfig):
        least = min(LEAST_HNERV_WIDTH, learned.lower_width)
        return replace(
            learned,
            frames=frames,
            height=height,
            width=width,
            base_height=base_height,
            base_width=base_width,
            embedding_channels=max(1, ceil(least_numbers / (base_height * base_width))),
            channels=least,
            lower_width=least,
        )
    if isinstance(learned, NervConfig):
        return replace(
            learned,
            frames=frames,
            height=height,
            width=width,
            base_height=base_height,
            base_width=base_width,
            stem_width=min(LEAST_NERV.stem_width, learned.stem_width),
            stem_channels=1,
            lower_width=min(LEAST_NERV.lower_width, learned.lower_width),
            multi_resolution=False,
        )
    raise InputError(f"a learned network is hnerv or nerv, got {learned.name}; use init random")


def solve_like(
    learned: ModelConfig, *, frames: int, height: int, width: int, parameters: int, least_numbers: int = 1
) -> ModelConfig:
    """Find the largest network like a learned one with at most ``parameters`` numbers, embeddings included.

    Found as by ``nervid.models.sizing.solve``, with learned numbers in place of the papers': HNeRV's lower
    width and embedding channels, and all widths of NeRV's S. The result may be wider than the learned network
    where that is narrow for the budget.

    Args:
        learned: HNeRV or NeRV.
        frames: Number of frames, 1 to 2**20.
        height: Rows in pixels, 16 to 4096.
        width: Columns in pixels, 16 to 4096.
        parameters: The budget: decoder parameters and embedding numbers together.
        least_numbers: Fewest numbers in a frame's stored embedding, for HNeRV.

    Raises:
        InputError: As :func:`smallest_like`, or if not even the smallest fits; says the least budget.
    """
    least = smallest_like(learned, frames=frames, height=height, width=width, least_numbers=least_numbers)
    if budget_used(least, 1) > parameters:
        raise InputError(
            f"{learned.name} for {frames} frames of {width}x{height} with strides "
            f"{','.join(map(str, learned.strides))} needs at least {budget_used(least, 1):.0f} parameters, "
            f"got {parameters}; allow more bytes, or use init random"
        )
    if isinstance(least, HnervConfig) and isinstance(learned, HnervConfig):
        return solve_hnerv(
            least,
            parameters,
            lower_width=learned.lower_width,
            embedding_channels=learned.embedding_channels,
        )
    assert isinstance(least, NervConfig)
    assert isinstance(learned, NervConfig)
    full = NervShape(
        stem_width=learned.stem_width,
        stem_channels=learned.stem_channels,
        lower_width=learned.lower_width,
    )
    return solve_nerv(least, parameters, full)
