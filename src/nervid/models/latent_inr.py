"""LatentInr: frame index -> latent -> modulated layers over coordinates -> blocks -> frame."""

from math import pi

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from nervid.models.blocks import ACTIVATIONS
from nervid.models.config import LatentInrConfig
from nervid.models.pyramid import climb, pyramid_blocks, pyramid_head
from nervid.models.representation import Representation

LATENT_DEVIATION = 0.1
"""Standard deviation of fresh latents; small, as in the paper, which gives no number."""


class ModulatedLinear(nn.Module):
    """A linear layer whose weight each latent rescales, number by number.

    The weight is ``weight * 2 sigmoid(P Q^T)``, with ``P`` [outputs, rank] and ``Q`` [inputs, rank] the
    output of a network of one hidden layer (tanh) that reads the latent. A modulation of zero leaves the
    weight as it is: that is what the factor 2 is for, which is ours.

    Args:
        inputs: Input channels.
        outputs: Output channels.
        latent_size: Numbers in a latent.
        hyper_width: Hidden width.
        rank: Columns of P and Q.

    Source:
        Latent-INR (arXiv:2408.02672): ``sigma(P Q^T) * theta``.
    """

    def __init__(self, inputs: int, outputs: int, *, latent_size: int, hyper_width: int, rank: int) -> None:
        super().__init__()
        self.rank = rank
        self.hidden = nn.Linear(latent_size, hyper_width)
        self.factors = nn.Linear(hyper_width, rank * (inputs + outputs))
        self.linear = nn.Linear(inputs, outputs)
        # A product of two factors near zero would have no gradient.
        nn.init.normal_(self.factors.bias)

    def forward(
        self, features: Float[Tensor, "batch sites inputs"], latents: Float[Tensor, "batch latent_size"]
    ) -> Float[Tensor, "batch sites outputs"]:
        """Return the layer's output; a batch of one may stand for all frames' features."""
        outputs = self.linear.out_features
        factors = self.factors(torch.tanh(self.hidden(latents))).unflatten(-1, (-1, self.rank))
        modulation = 2 * torch.sigmoid(factors[:, :outputs] @ factors[:, outputs:].mT)
        weights = self.linear.weight * modulation
        return features @ weights.mT + self.linear.bias


class LatentInr(Representation[LatentInrConfig]):
    """Latent-INR with one latent per frame, patch-wise or pixel-wise.

    Latents start small and random, weights as torch's defaults, all drawn from torch's global generator;
    ``nervid.models.registry.build`` seeds it.

    Args:
        config: Its widths and sizes.

    Source:
        Latent-INR (Maiya et al., ECCV 2024, arXiv:2408.02672); what is ours: ``LatentInrConfig``.
    """

    coordinates: Tensor

    def __init__(self, config: LatentInrConfig) -> None:
        super().__init__(config)
        self.embeddings = nn.Parameter(LATENT_DEVIATION * torch.randn(config.frames, config.latent_size))
        self.stem = nn.ModuleList(
            ModulatedLinear(
                inputs,
                outputs,
                latent_size=config.latent_size,
                hyper_width=config.hyper_width,
                rank=config.rank,
            )
            for inputs, outputs in config.stem_shapes
        )
        self.blocks = pyramid_blocks(config)
        self.head = pyramid_head(config)
        encoding = encode_sites(config.base_height, config.base_width, levels=config.levels)
        self.register_buffer("coordinates", encoding, persistent=False)

    def embed(self, indices: Int64[Tensor, " batch"]) -> Float[Tensor, "batch latent_size"]:
        """Return the latents of frames ``indices``, each in [0, frames)."""
        return self.embeddings[indices]

    def draw_colors(
        self, embedding: Float[Tensor, "batch latent_size"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """Return the frames for a batch of latents before the output function, cropped."""
        # The modulated layers are small, and errors there are drawn large: float32 in any case.
        with torch.autocast(embedding.device.type, enabled=False):
            features = self.coordinates.expand(len(embedding), -1, -1)
            for layer in self.stem:
                features = ACTIVATIONS[self.config.activation](layer(features, embedding))
        rows, columns = self.config.base_height, self.config.base_width
        base = features.reshape(len(embedding), rows, columns, -1).permute(0, 3, 1, 2)
        return climb(base, self.blocks, self.head, self.config)


def encode_sites(rows: int, columns: int, *, levels: int) -> Float[Tensor, "1 sites encoding"]:
    """Encode the centres of a grid over the unit square as sines and cosines.

    Per axis ``sin(2**k * pi * x)`` and its cosine for ``k`` from 0 to ``levels - 1``; ``x`` from 0 to 1.

    Returns:
        ``4 * levels`` numbers per site, rows of sites first, float32 on the CPU.
    """
    with torch.device("cpu"):
        frequencies = pi * 2.0 ** torch.arange(levels)
        y, x = torch.meshgrid(
            (torch.arange(rows) + 0.5) / rows, (torch.arange(columns) + 0.5) / columns, indexing="ij"
        )
        angles = torch.stack([y.flatten(), x.flatten()], dim=-1)[..., None] * frequencies
        return torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(1)[None]
