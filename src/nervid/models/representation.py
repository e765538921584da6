"""Representation: what every network that draws a clip can do."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Generic, TypeVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from nervid.models.blocks import at_least_float32
from nervid.models.config import RepresentationConfig

Config = TypeVar("Config", bound=RepresentationConfig)

EMBEDDINGS = "embeddings"
"""Name of the parameter that holds stored embeddings, ``[frames, *embedding_shape]``."""


Network = TypeVar("Network", bound=nn.Module)


def in_channels_last(network: Network) -> Network:
    """Put kernels into channels-last order, in place: convolutions on the CPU are fastest so."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


class Representation(nn.Module, ABC, Generic[Config]):
    """A network that draws any frame of one clip: frame index -> embedding -> frame.

    The state dict holds parameters only. Every representation runs under bfloat16 autocast and with
    weights in channels-last order.

    Args:
        config: Its widths and sizes.
    """

    config: Config

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config

    @abstractmethod
    def embed(self, indices: Int64[Tensor, " batch"]) -> Float[Tensor, "batch *embedding"]:
        """Return the decoder's input for frames ``indices``, each in [0, frames)."""

    def embed_together(self, indices: Int64[Tensor, " batch"]) -> Float[Tensor, "batch *embedding"]:
        """Return what :meth:`embed` does, for embeddings that are to be mixed."""
        return self.embed(indices)

    @abstractmethod
    def draw_colors(
        self, embedding: Float[Tensor, "batch *embedding"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """Return the frames for a batch of embeddings before the output function, cropped."""

    def draw_colors_at(
        self,
        embedding: Float[Tensor, "batch *embedding"],
        height: int,
        width: int,
    ) -> Float[Tensor, "batch 3 _ _"] | None:
        """Return what ``draw_colors`` does at another size; None where a network draws its own size alone."""
        return None

    def squash(self, colors: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Bring colors into [0, 1] by the output function: ``(tanh(x) + 1) / 2`` unless overridden.

        Computed as the sigmoid of ``2 x``, which is equal and takes one pass over the image less.
        """
        return (2 * colors).sigmoid_()

    def draw(self, embedding: Float[Tensor, "batch *embedding"]) -> Float[Tensor, "batch 3 height width"]:
        """Return the frames for a batch of embeddings, RGB in [0, 1], cropped to the clip's size.

        The output function runs in float32 at least, whatever the type of the convolutions.
        """
        return self.squash(at_least_float32(self.draw_colors(embedding)))

    def draw_resolutions(
        self, embedding: Float[Tensor, "batch *embedding"]
    ) -> list[Float[Tensor, "batch 3 _ _"]]:
        """Return the images of all heads, smallest first; the last one equals ``draw(embedding)``."""
        return [self.draw(embedding)]

    def forward(self, indices: Int64[Tensor, " batch"]) -> Float[Tensor, "batch 3 height width"]:
        """Return frames ``indices``, RGB in [0, 1]."""
        return self.draw(self.embed(indices))

    def named_weights(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Iterate over the decoder's own parameters by name: all but stored embeddings."""
        return (pair for pair in self.named_parameters() if pair[0] != EMBEDDINGS)
