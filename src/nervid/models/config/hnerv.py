"""HnervConfig: an HNeRV decoder described by numbers."""

from dataclasses import dataclass, field
from typing import ClassVar, Final

from nervid.errors import InputError
from nervid.models.config.base import MAX_CHANNELS, RepresentationConfig, within
from nervid.models.config.layer import LayerShape

HEAD_KERNEL: Final = 3
"""Side of the head's window in HNeRV."""
_MAX_KERNEL: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class HnervConfig(RepresentationConfig):
    """HNeRV: a stored embedding per frame, a 1x1 stem, blocks with growing windows, a 3x3 head.

    The encoder that finds the embeddings is not part of it, because it is not stored.

    Source:
        HNeRV (Chen et al., CVPR 2023, arXiv:2304.02633), section 3.1 and supplement, with the channel
        rule of its published code. The defaults are the paper's.
    """

    name: ClassVar[str] = "hnerv"

    embedding_channels: int = field(default=16, metadata=within(1, MAX_CHANNELS))
    """Channels of a frame's embedding, ``d`` in the paper (Table 12)."""
    channels: int = field(metadata=within(1, MAX_CHANNELS))
    """Channels after the stem, ``c2`` in the paper (Table 17)."""
    kernel_min: int = field(default=1, metadata=within(1, _MAX_KERNEL))
    """Side of the first block's window, odd, ``Kmin`` in the paper (Table 9)."""
    kernel_max: int = field(default=5, metadata=within(1, _MAX_KERNEL))
    """Largest side of any block's window, odd, ``Kmax`` in the paper (Table 9)."""
    reduction: float = field(default=1.2, metadata=within(1.0, 16.0))
    """Divisor of the channels at every block, ``r`` in the paper (Table 10)."""
    lower_width: int = field(default=12, metadata=within(1, MAX_CHANNELS))
    """Fewest channels after any block, ``Chmin`` in the paper."""

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels after the stem, then after each block; halves round to the even neighbor."""
        widths = [self.channels]
        for _ in self.strides:
            widths.append(max(round(widths[-1] / self.reduction), self.lower_width))
        return tuple(widths)

    @property
    def kernels(self) -> tuple[int, ...]:
        """Side of each block's window: ``min(kernel_min + 2 * stage, kernel_max)``."""
        return tuple(min(self.kernel_min + 2 * stage, self.kernel_max) for stage in range(len(self.strides)))

    @property
    def layers(self) -> tuple[LayerShape, ...]:
        """Stem, blocks, head."""
        widths, sites = self.widths, self.sites
        stem = LayerShape(self.embedding_channels, self.channels, 1, sites[0])
        blocks = tuple(
            LayerShape(widths[stage], widths[stage + 1] * stride**2, self.kernels[stage], sites[stage])
            for stage, stride in enumerate(self.strides)
        )
        return (stem, *blocks, LayerShape(widths[-1], 3, HEAD_KERNEL, sites[-1]))

    @property
    def embedding_shape(self) -> tuple[int, ...]:
        """Channels, rows and columns of a frame's embedding."""
        return (self.embedding_channels, self.base_height, self.base_width)

    @property
    def stores_embeddings(self) -> bool:
        """True: the embeddings are learned, one per frame."""
        return True

    def _check_family(self) -> None:
        if self.kernel_min % 2 == 0 or self.kernel_max % 2 == 0 or self.kernel_min > self.kernel_max:
            raise InputError(
                "kernel_min and kernel_max must be odd and in order, "
                f"got {self.kernel_min} and {self.kernel_max}"
            )
