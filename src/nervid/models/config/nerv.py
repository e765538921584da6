"""NervConfig: a NeRV decoder described by numbers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar, Final, Literal

from nervid.errors import InputError
from nervid.models.config.base import MAX_CHANNELS, RepresentationConfig, check_choice, within
from nervid.models.config.layer import LayerShape

Squash = Literal["tanh", "sigmoid"]
Rounding = Literal["down", "nearest"]

KERNEL: Final = 3
"""Side of every block's window in NeRV."""
_MAX_FREQUENCY: Final = 2.0**40  # beyond it, float64 phases keep less than float32's accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class NervConfig(RepresentationConfig):
    """NeRV: a positional encoding of the frame's time, a stem of one or two linear layers, blocks, a head.

    Source:
        NeRV (Chen et al., NeurIPS 2021, arXiv:2110.13903), section 3.1, with the channel rule of its
        published code. The defaults are those of the paper's Big Buck Bunny models.
    """

    name: ClassVar[str] = "nerv"

    levels: int = field(default=40, metadata=within(1, 256))
    """Frequencies of the positional encoding, ``l`` in the paper; the embedding has twice as many numbers."""
    base: float = field(default=1.25, metadata=within(1.0, 16.0))
    """Ratio of neighboring frequencies, ``b`` in the paper."""
    stem_width: int = field(default=512, metadata=within(0, MAX_CHANNELS))
    """Outputs of the stem's first linear layer; 0 leaves that layer out."""
    stem_channels: int = field(metadata=within(1, MAX_CHANNELS))
    """Channels of the base map; 26, 58 and 112 in the paper's S, M and L."""
    expansion: float = field(default=1.0, metadata=within(1 / 64, 64.0))
    """Channels after the first block, as a multiple of ``stem_channels``, rounded down."""
    reduction: int = field(default=2, metadata=within(1, 16))
    """Divisor of the channels at every later block whose stride is above 1."""
    lower_width: int = field(default=96, metadata=within(1, MAX_CHANNELS))
    """Fewest channels after any block but the first."""
    rounding: Rounding = "down"
    """How channels after a block are made whole; halves to the even neighbor with "nearest"."""
    head_kernel: int = field(default=1, metadata=within(1, 15))
    """Side of the heads' windows, odd."""
    multi_resolution: bool = False
    """Whether every block has a head of its own, so that the network also draws small images."""
    output: Squash = "tanh"
    """Function that brings the head's output into [0, 1]; tanh is shifted and halved."""

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the base map, then of the map after each block."""
        whole: Callable[[float], int] = int if self.rounding == "down" else round
        widths = [self.stem_channels, whole(self.stem_channels * self.expansion)]
        for stride in self.strides[1:]:
            divisor = 1 if stride == 1 else self.reduction
            widths.append(max(whole(widths[-1] / divisor), self.lower_width))
        return tuple(widths)

    @property
    def layers(self) -> tuple[LayerShape, ...]:
        """Stem, blocks, then heads, coarsest head first."""
        widths, sites = self.widths, self.sites
        sizes = (
            2 * self.levels,
            *([self.stem_width] if self.stem_width else []),
            sites[0] * self.stem_channels,
        )
        stem = tuple(LayerShape(inputs, outputs, 1, 1) for inputs, outputs in pairwise(sizes))
        blocks = tuple(
            LayerShape(widths[stage], widths[stage + 1] * stride**2, KERNEL, sites[stage])
            for stage, stride in enumerate(self.strides)
        )
        heads = tuple(
            LayerShape(channels, 3, self.head_kernel, area)
            for channels, area in zip(widths[1:], sites[1:], strict=True)
        )
        return stem + blocks + (heads if self.multi_resolution else heads[-1:])

    @property
    def embedding_shape(self) -> tuple[int, ...]:
        """One sine and one cosine per level."""
        return (2 * self.levels,)

    @property
    def stores_embeddings(self) -> bool:
        """False: the embedding is computed from the frame index."""
        return False

    def _check_family(self) -> None:
        if self.base ** (self.levels - 1) > _MAX_FREQUENCY:
            raise InputError(
                f"base**(levels - 1) must be at most {_MAX_FREQUENCY:.4g}, got base {self.base} with "
                f"{self.levels} levels; lower one of them"
            )
        check_choice("output", self.output, Squash)
        check_choice("rounding", self.rounding, Rounding)
        if self.head_kernel % 2 == 0:
            raise InputError(f"head_kernel must be odd, got {self.head_kernel}")
