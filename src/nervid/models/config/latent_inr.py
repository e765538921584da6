"""LatentInrConfig: a Latent-INR described by numbers."""

from dataclasses import dataclass, field
from math import prod
from typing import ClassVar, Final

from nervid.errors import InputError
from nervid.models.config.base import MAX_CHANNELS, within
from nervid.models.config.layer import LayerShape
from nervid.models.config.pyramid import HEAD_KERNEL, PyramidConfig
from nervid.models.layout import MAX_SIDE_PIXELS

_MAX_LEVELS: Final = 16
_MAX_RANK: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentInrConfig(PyramidConfig):
    """Latent-INR: coordinates through layers that a frame's latent modulates, then upsampling blocks, a head.

    A site of the base map is a patch of the frame; its coordinates are the input, sines and cosines of them
    beside what a learned grid, common to all frames, holds at that place. With as many sites as pixels and
    no windows it is the paper's pixel-wise network (``is_pixel_wise``), which draws frames of any size.

    Source:
        Latent-INR (Maiya et al., ECCV 2024, arXiv:2408.02672). Low-rank modulation by one hypernetwork per
        layer is the paper's, and that a grid may stand beside Fourier features (there a hash grid); sizes
        and upsampling blocks are ours (HNeRV's blocks), chosen by measurement (docs/log.md).
    """

    name: ClassVar[str] = "latent-inr"

    latent_size: int = field(default=32, metadata=within(1, MAX_CHANNELS))
    """Numbers in a frame's latent, ``D``."""
    levels: int = field(default=4, metadata=within(1, _MAX_LEVELS))
    """Frequencies of the positional encoding of a site, per axis: 1, 2, 4, ... half periods a side."""
    grid_height: int = field(default=1, metadata=within(1, MAX_SIDE_PIXELS))
    """Rows of the learned grid, between which sites are interpolated."""
    grid_width: int = field(default=1, metadata=within(1, MAX_SIDE_PIXELS))
    """Columns of the learned grid."""
    grid_channels: int = field(default=16, metadata=within(0, MAX_CHANNELS))
    """Numbers at each place of the grid; 0 for none."""
    stem_width: int = field(metadata=within(1, MAX_CHANNELS))
    """Channels between modulated layers."""
    stem_layers: int = field(default=2, metadata=within(1, 16))
    """Modulated layers; the last one puts out ``channels``."""
    hyper_width: int = field(default=32, metadata=within(1, MAX_CHANNELS))
    """Hidden width of every hypernetwork; 128 in the paper."""
    rank: int = field(default=2, metadata=within(1, _MAX_RANK))
    """Rank of a modulation before its sigmoid, ``r``."""

    @property
    def is_pixel_wise(self) -> bool:
        """Whether every pixel is drawn from its own coordinates and the latent alone."""
        return prod(self.strides) == 1 and self.kernel_max == 1

    @property
    def head_kernel(self) -> int:
        """Side of the head's window: HNeRV's, but 1 where pixels do not see their neighbors."""
        return 1 if self.is_pixel_wise else HEAD_KERNEL

    @property
    def stem_shapes(self) -> tuple[tuple[int, int], ...]:
        """Inputs and outputs of each modulated layer."""
        inputs = [4 * self.levels + self.grid_channels] + [self.stem_width] * (self.stem_layers - 1)
        outputs = [self.stem_width] * (self.stem_layers - 1) + [self.channels]
        return tuple(zip(inputs, outputs, strict=True))

    @property
    def layers(self) -> tuple[LayerShape, ...]:
        """The grid; for each modulated layer its hypernetwork's two, then itself; blocks, head."""
        stem: list[LayerShape] = []
        if self.grid_channels:
            places = self.grid_height * self.grid_width
            stem.append(LayerShape(places, self.grid_channels, 1, 1, has_bias=False))
        for inputs, outputs in self.stem_shapes:
            stem += [
                LayerShape(self.latent_size, self.hyper_width, 1, 1),
                LayerShape(self.hyper_width, self.rank * (inputs + outputs), 1, 1),
                LayerShape(inputs, outputs, 1, self.sites[0]),
            ]
        return (*stem, *self.pyramid_layers)

    @property
    def embedding_shape(self) -> tuple[int, ...]:
        """A frame's latent: one vector."""
        return (self.latent_size,)

    @property
    def stores_embeddings(self) -> bool:
        """True: the latents are learned, one per frame."""
        return True

    def _check_family(self) -> None:
        # Not super(): a dataclass with slots is another class than the one that was defined.
        PyramidConfig._check_family(self)
        if self.grid_height > self.base_height or self.grid_width > self.base_width:
            raise InputError(
                f"the grid must have at most the base map's {self.base_height}x{self.base_width} places, "
                f"got {self.grid_height}x{self.grid_width}"
            )
