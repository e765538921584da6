"""HnervConfig: an HNeRV decoder described by numbers."""

from dataclasses import dataclass, field
from typing import ClassVar

from nervid.models.config.base import MAX_CHANNELS, within
from nervid.models.config.layer import LayerShape
from nervid.models.config.pyramid import PyramidConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class HnervConfig(PyramidConfig):
    """HNeRV: a stored embedding per frame, a 1x1 stem, blocks with growing windows, a 3x3 head.

    The encoder that finds the embeddings is not part of it, because it is not stored.

    Source:
        HNeRV (Chen et al., CVPR 2023, arXiv:2304.02633), section 3.1 and supplement, with the channel
        rule of its published code. The defaults are the paper's.
    """

    name: ClassVar[str] = "hnerv"

    embedding_channels: int = field(default=16, metadata=within(1, MAX_CHANNELS))
    """Channels of a frame's embedding, ``d`` in the paper (Table 12)."""

    @property
    def layers(self) -> tuple[LayerShape, ...]:
        """Stem, blocks, head."""
        stem = LayerShape(self.embedding_channels, self.channels, 1, self.sites[0])
        return (stem, *self.pyramid_layers)

    @property
    def embedding_shape(self) -> tuple[int, ...]:
        """Channels, rows and columns of a frame's embedding."""
        return (self.embedding_channels, self.base_height, self.base_width)

    @property
    def stores_embeddings(self) -> bool:
        """True: the embeddings are learned, one per frame."""
        return True
