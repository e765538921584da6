"""LatentInrConfig: a Latent-INR described by numbers."""

from dataclasses import dataclass, field
from typing import ClassVar, Final

from nervid.errors import InputError
from nervid.models.config.base import MAX_CHANNELS, RepresentationConfig, within
from nervid.models.config.layer import LayerShape

HEAD_KERNEL: Final = 3
"""Side of the head's window; HNeRV's."""
_MAX_KERNEL: Final = 15
_MAX_LEVELS: Final = 16
_MAX_RANK: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentInrConfig(RepresentationConfig):
    """Latent-INR: coordinates through layers that a frame's latent modulates, then upsampling blocks, a head.

    The base map's sites are patches of the frame; their coordinates are the input. With as many sites as
    pixels and one block of stride 1 it is the paper's pixel-wise network.

    Source:
        Latent-INR (Maiya et al., ECCV 2024, arXiv:2408.02672). Low-rank modulation by one hypernetwork per
        layer is the paper's; sizes, encoding and upsampling blocks are ours (HNeRV's blocks).
    """

    name: ClassVar[str] = "latent-inr"

    latent_size: int = field(default=64, metadata=within(1, MAX_CHANNELS))
    """Numbers in a frame's latent, ``D``."""
    levels: int = field(default=4, metadata=within(1, _MAX_LEVELS))
    """Frequencies of the positional encoding of a site, per axis: 1, 2, 4, ... half periods a side."""
    stem_width: int = field(metadata=within(1, MAX_CHANNELS))
    """Channels between modulated layers."""
    stem_layers: int = field(default=3, metadata=within(1, 16))
    """Modulated layers; the last one puts out ``channels``."""
    hyper_width: int = field(default=128, metadata=within(1, MAX_CHANNELS))
    """Hidden width of every hypernetwork; 128 in the paper."""
    rank: int = field(default=4, metadata=within(1, _MAX_RANK))
    """Rank of a modulation before its sigmoid, ``r``."""
    channels: int = field(metadata=within(1, MAX_CHANNELS))
    """Channels of the base map."""
    kernel_min: int = field(default=1, metadata=within(1, _MAX_KERNEL))
    """Side of the first block's window, odd."""
    kernel_max: int = field(default=5, metadata=within(1, _MAX_KERNEL))
    """Largest side of any block's window, odd."""
    reduction: float = field(default=1.2, metadata=within(1.0, 16.0))
    """Divisor of the channels at every block."""
    lower_width: int = field(default=12, metadata=within(1, MAX_CHANNELS))
    """Fewest channels after any block."""

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
    def stem_shapes(self) -> tuple[tuple[int, int], ...]:
        """Inputs and outputs of each modulated layer."""
        inputs = [4 * self.levels] + [self.stem_width] * (self.stem_layers - 1)
        outputs = [self.stem_width] * (self.stem_layers - 1) + [self.channels]
        return tuple(zip(inputs, outputs, strict=True))

    @property
    def layers(self) -> tuple[LayerShape, ...]:
        """For each modulated layer its hypernetwork's two, then itself; blocks, head."""
        widths, sites = self.widths, self.sites
        stem: list[LayerShape] = []
        for inputs, outputs in self.stem_shapes:
            stem += [
                LayerShape(self.latent_size, self.hyper_width, 1, 1),
                LayerShape(self.hyper_width, self.rank * (inputs + outputs), 1, 1),
                LayerShape(inputs, outputs, 1, sites[0]),
            ]
        blocks = tuple(
            LayerShape(widths[stage], widths[stage + 1] * stride**2, self.kernels[stage], sites[stage])
            for stage, stride in enumerate(self.strides)
        )
        return (*stem, *blocks, LayerShape(widths[-1], 3, HEAD_KERNEL, sites[-1]))

    @property
    def embedding_shape(self) -> tuple[int, ...]:
        """A frame's latent: one vector."""
        return (self.latent_size,)

    @property
    def stores_embeddings(self) -> bool:
        """True: the latents are learned, one per frame."""
        return True

    def _check_family(self) -> None:
        if self.kernel_min % 2 == 0 or self.kernel_max % 2 == 0 or self.kernel_min > self.kernel_max:
            raise InputError(
                "kernel_min and kernel_max must be odd and in order, "
                f"got {self.kernel_min} and {self.kernel_max}"
            )
