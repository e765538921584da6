"""LatentInr: frame index -> latent -> modulated layers over coordinates -> blocks -> frame."""

from math import pi, sqrt
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own idiom
from jaxtyping import Float, Int64
from torch import Tensor, nn

from nervid.models.blocks import ACTIVATIONS, UpsampleBlock
from nervid.models.config import LatentInrConfig
from nervid.models.pyramid import climb, pyramid_blocks, pyramid_head
from nervid.models.representation import Representation

LATENT_FREQUENCY = 0.045
"""Standard deviation of the frequencies that fresh latents are made of, in periods per frame."""
GRID_DEVIATION = 0.5
"""Standard deviation of a fresh grid's numbers; untuned."""
SITES_AT_ONCE = 4096
"""Sites that a pixel-wise network draws together when it need not learn, to stay in a cache; untuned."""


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

    def weights(self, latents: Float[Tensor, "batch latent_size"]) -> Float[Tensor, "batch outputs inputs"]:
        """Return the modulated weight of every latent, in float32 at least."""
        outputs = self.linear.out_features
        # Small, and errors in a weight are drawn large.
        with torch.autocast(latents.device.type, enabled=False):
            factors = self.factors(torch.tanh(self.hidden(latents))).unflatten(-1, (-1, self.rank))
            modulation = 2 * torch.sigmoid(factors[:, :outputs] @ factors[:, outputs:].mT)
            return self.linear.weight * modulation

    def forward(
        self, features: Float[Tensor, "batch sites inputs"], latents: Float[Tensor, "batch latent_size"]
    ) -> Float[Tensor, "batch sites outputs"]:
        """Return the layer's output; a batch of one may stand for all frames' features."""
        return features @ self.weights(latents).mT + self.linear.bias


class LatentInr(Representation[LatentInrConfig]):
    """Latent-INR with one latent per frame, patch-wise or pixel-wise.

    Fresh latents follow smooth random curves through time (``smooth_latents``), the grid is random, weights
    start as torch's defaults, all drawn from torch's global generator; ``nervid.models.registry.build``
    seeds it.

    Args:
        config: Its widths and sizes.

    Source:
        Latent-INR (Maiya et al., ECCV 2024, arXiv:2408.02672); what is ours: ``LatentInrConfig``.
    """

    coordinates: Tensor

    def __init__(self, config: LatentInrConfig) -> None:
        super().__init__(config)
        self.embeddings = nn.Parameter(smooth_latents(config.frames, config.latent_size))
        self.grid: nn.Parameter | None = None
        if config.grid_channels:
            shape = (config.grid_channels, config.grid_height, config.grid_width)
            self.grid = nn.Parameter(GRID_DEVIATION * torch.randn(shape))
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
        self.stem_type = torch.float32
        """Type of a pixel-wise stem's products when nothing is learned; ``nervid.decoder.half`` lowers it."""
        encoding = encode_sites(config.base_height, config.base_width, levels=config.levels)
        self.register_buffer("coordinates", encoding, persistent=False)

    def embed(self, indices: Int64[Tensor, " batch"]) -> Float[Tensor, "batch latent_size"]:
        """Return the latents of frames ``indices``, each in [0, frames)."""
        return self.embeddings[indices]

    def draw_colors(
        self, embedding: Float[Tensor, "batch latent_size"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """Return the frames for a batch of latents before the output function, cropped."""
        rows, columns = self.config.base_height, self.config.base_width
        sites = self._sites(self.coordinates, rows, columns)
        if self.config.is_pixel_wise:
            return self._pixels(sites, embedding, rows, columns)
        # The modulated layers are small, and errors there are drawn large: float32 in any case.
        with torch.autocast(embedding.device.type, enabled=False):
            features = self._modulated(sites, embedding)
        base = features.reshape(len(embedding), rows, columns, -1).permute(0, 3, 1, 2)
        return climb(base, self.blocks, self.head, self.config)

    def draw_colors_at(
        self, embedding: Float[Tensor, "batch latent_size"], height: int, width: int
    ) -> Float[Tensor, "batch 3 _ _"] | None:
        """Return the frames drawn pixel by pixel at another size, None for a patch-wise network.

        Args:
            embedding: The latents.
            height: Rows to draw.
            width: Columns to draw; pixels of any size lie evenly over the frame's own area.
        """
        if not self.config.is_pixel_wise:
            return None
        encoding = encode_sites(height, width, levels=self.config.levels).to(self.coordinates)
        return self._pixels(self._sites(encoding, height, width), embedding, height, width)

    def _sites(self, encoding: Tensor, rows: int, columns: int) -> Float[Tensor, "1 sites inputs"]:
        """Each site's encoding beside what the grid holds there."""
        if self.grid is None:
            return encoding
        held = self.grid[None]
        if held.shape[2:] != (rows, columns):
            held = F.interpolate(held, size=(rows, columns), mode="bilinear", align_corners=False)
        return torch.cat([encoding, held.flatten(2).mT], dim=-1)

    def _modulated(self, sites: Tensor, embedding: Tensor) -> Float[Tensor, "batch sites channels"]:
        features = sites.expand(len(embedding), -1, -1)
        for layer in self.stem:
            features = self._activate(layer(features, embedding))
        return features

    def _pixels(
        self, sites: Tensor, embedding: Tensor, rows: int, columns: int
    ) -> Float[Tensor, "batch 3 rows columns"]:
        """Colors of each site by itself."""
        if torch.is_grad_enabled():
            colors = self._climbed(self._modulated(sites, embedding))
        else:
            colors = self._climbed_in_parts(sites, embedding)
        return colors.reshape(len(embedding), rows, columns, 3).permute(0, 3, 1, 2)

    def _climbed_in_parts(self, sites: Tensor, embedding: Tensor) -> Float[Tensor, "batch sites 3"]:
        # Modulated once a frame; then a few sites at a time through all layers, which stay in the cache.
        modulated = [cast(ModulatedLinear, layer) for layer in self.stem]
        layers = [
            (layer.weights(embedding).mT.to(self.stem_type), layer.linear.bias.to(self.stem_type))
            for layer in modulated
        ]
        parts = []
        for part in torch.split(sites.to(self.stem_type), SITES_AT_ONCE, dim=1):
            features = part.expand(len(embedding), -1, -1)
            for weights, bias in layers:
                features = self._activate(torch.baddbmm(bias, features, weights))
            parts.append(self._climbed(features))
        return torch.cat(parts, dim=1)

    def _activate(self, features: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return ACTIVATIONS[self.config.activation](features)

    def _climbed(self, features: Float[Tensor, "batch sites channels"]) -> Float[Tensor, "batch sites 3"]:
        """Blocks and head without windows and strides, site by site."""
        for block in self.blocks:
            convolution = cast(UpsampleBlock, block).conv
            weight, bias = convolution.weight.flatten(1), convolution.bias
            features = self._activate(F.linear(features.to(weight.dtype), weight, bias))
        return F.linear(features, self.head.weight.flatten(1), self.head.bias)


def smooth_latents(frames: int, size: int) -> Float[Tensor, "frames size"]:
    """Draw latents that change smoothly from frame to frame, of mean square 1.

    Each number follows ``sqrt(2) cos(2 pi (f t + p))`` through frames ``t``, with ``f`` normal of standard
    deviation ``LATENT_FREQUENCY`` and ``p`` uniform in [0, 1): neighbors begin alike, frames far apart
    differ. Independent small latents, as the paper has them, came 1.6 dB lower after 12 epochs (docs/log.md).
    """
    time = torch.arange(frames)[:, None]
    frequency, phase = LATENT_FREQUENCY * torch.randn(size), torch.rand(size)
    return sqrt(2) * torch.cos(2 * pi * (frequency * time + phase))


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
