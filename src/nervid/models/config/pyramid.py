"""PyramidConfig: the part that HNeRV and Latent-INR share, from a base map to the frame."""

from abc import ABC
from dataclasses import dataclass, field
from typing import Final

from nervid.errors import InputError
from nervid.models.config.base import MAX_CHANNELS, RepresentationConfig, within
from nervid.models.config.layer import LayerShape

HEAD_KERNEL: Final = 3
"""Side of the head's window in HNeRV."""
_MAX_KERNEL: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class PyramidConfig(RepresentationConfig, ABC):
    """Blocks with growing windows and falling channels, and a 3x3 head.

    Source:
        HNeRV (Chen et al., CVPR 2023, arXiv:2304.02633), section 3.1 and supplement, with the channel
        rule of its published code. The defaults are the paper's.
    """

    channels: int = field(metadata=within(1, MAX_CHANNELS))
    """Channels of the base map, ``c2`` in HNeRV's paper (Table 17)."""
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
        """Channels of the base map, then after each block; halves round to the even neighbor."""
        widths = [self.channels]
        for _ in self.strides:
            widths.append(max(round(widths[-1] / self.reduction), self.lower_width))
        return tuple(widths)

    @property
    def kernels(self) -> tuple[int, ...]:
        """Side of each block's window: ``min(kernel_min + 2 * stage, kernel_max)``."""
        return tuple(min(self.kernel_min + 2 * stage, self.kernel_max) for stage in range(len(self.strides)))

    @property
    def head_kernel(self) -> int:
        """Side of the head's window."""
        return HEAD_KERNEL

    @property
    def pyramid_layers(self) -> tuple[LayerShape, ...]:
        """Blocks, head."""
        widths, sites = self.widths, self.sites
        blocks = tuple(
            LayerShape(widths[stage], widths[stage + 1] * stride**2, self.kernels[stage], sites[stage])
            for stage, stride in enumerate(self.strides)
        )
        return (*blocks, LayerShape(widths[-1], 3, self.head_kernel, sites[-1]))

    def _check_family(self) -> None:
        if self.kernel_min % 2 == 0 or self.kernel_max % 2 == 0 or self.kernel_min > self.kernel_max:
            raise InputError(
                "kernel_min and kernel_max must be odd and in order, "
                f"got {self.kernel_min} and {self.kernel_max}"
            )
