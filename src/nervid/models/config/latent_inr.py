"""LatentInrConfig: a Latent-INR described by numbers."""

from dataclasses import dataclass, field
from typing import ClassVar, Final

from nervid.models.config.base import MAX_CHANNELS, within
from nervid.models.config.layer import LayerShape
from nervid.models.config.pyramid import PyramidConfig

_MAX_LEVELS: Final = 16
_MAX_RANK: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentInrConfig(PyramidConfig):
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

    @property
    def stem_shapes(self) -> tuple[tuple[int, int], ...]:
        """Inputs and outputs of each modulated layer."""
        inputs = [4 * self.levels] + [self.stem_width] * (self.stem_layers - 1)
        outputs = [self.stem_width] * (self.stem_layers - 1) + [self.channels]
        return tuple(zip(inputs, outputs, strict=True))

    @property
    def layers(self) -> tuple[LayerShape, ...]:
        """For each modulated layer its hypernetwork's two, then itself; blocks, head."""
        stem: list[LayerShape] = []
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
