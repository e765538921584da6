"""Hnerv: frame index -> stored embedding -> stem -> blocks -> frame."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from nervid.models.blocks import ACTIVATIONS
from nervid.models.config import HnervConfig
from nervid.models.pyramid import climb, pyramid_blocks, pyramid_head
from nervid.models.representation import Representation


class Hnerv(Representation[HnervConfig]):
    """The decoder of HNeRV with one stored embedding per frame.

    Embeddings start at zero, to be filled by an encoder or from a file. Weights start as torch's default
    for convolutions, drawn from torch's global generator; ``nervid.models.registry.build`` seeds it.

    Args:
        config: Its widths and sizes.

    Source:
        HNeRV (Chen et al., CVPR 2023, arXiv:2304.02633), section 3.1.
    """

    def __init__(self, config: HnervConfig) -> None:
        super().__init__(config)
        self.embeddings = nn.Parameter(torch.zeros(config.frames, *config.embedding_shape))
        self.stem = nn.Conv2d(config.embedding_channels, config.channels, 1)
        self.blocks = pyramid_blocks(config)
        self.head = pyramid_head(config)

    def embed(
        self, indices: Int64[Tensor, " batch"]
    ) -> Float[Tensor, "batch channels base_height base_width"]:
        """Return the stored embeddings of frames ``indices``, each in [0, frames)."""
        return self.embeddings[indices]

    def draw_colors(
        self, embedding: Float[Tensor, "batch channels base_height base_width"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """Return the frames for a batch of embeddings before the output function, cropped."""
        features = ACTIVATIONS[self.config.activation](self.stem(embedding))
        return climb(features, self.blocks, self.head, self.config)
