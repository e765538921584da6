"""NervidConfig: our own network described by numbers."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from typing import ClassVar, Final

from nervid.errors import InputError
from nervid.models.config.base import (
    MAX_CHANNELS,
    MAX_FRAMES,
    RepresentationConfig,
    left_out_at_default,
    within,
)
from nervid.models.config.feature_grid import Anchors, FeatureGrid, MixedGrid, MotionGrid, TextureGrid
from nervid.models.config.layer import LayerShape

MAX_DEPTH: Final = 16
"""Most convolutions of one stage."""
MAX_GRIDS: Final = 16
"""Most feature grids of one network."""
MOTION_UNIT: Final = 16
"""Pixels of the frame that a motion of 1 stands for."""
LEAST_ANCHORED: Final = 3
"""Fewest frames of a network with textures: two anchors and a frame between them."""
PREVIEW_KERNEL: Final = 3
"""Side of the preview head's window."""
MAX_LATENTS: Final = 4096
"""Most numbers of a frame's latent: as many as an alignment's head may read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NervidConfig(RepresentationConfig):
    """Feature grids of several resolutions in space and time, read by the stages of a small network.

    Every stage adds a projection of its own feature grids to the map of the stage before, runs residual 3x3
    convolutions and enlarges the map; the last one enlarges it to colors.

    Source:
        Ours. Feature grids of several levels in space and time: HiNeRV (Kwan et al., NeurIPS 2023,
        arXiv:2306.09818) and NVRC (arXiv:2409.07414); grids before a small network: C3 (Kim et al.,
        arXiv:2312.02753). What was tried and what was kept is in docs/log.md.
    """

    name: ClassVar[str] = "nervid"

    channels: tuple[int, ...]
    """Channels of each stage's map, first stage first; as many as strides."""
    depths: tuple[int, ...]
    """Residual convolutions of each stage, 0 to 16."""
    grid_stages: tuple[int, ...]
    """The stage that reads each feature grid, from 0, in ascending order; the first stage reads at least one.
    A feature grid has its stage's rows and columns."""
    grid_channels: tuple[int, ...]
    """Channels of each feature grid."""
    grid_spans: tuple[int, ...]
    """Frames from one knot of each feature grid to the next; as many as frames or more is a single knot."""
    preview: bool = field(default=False, metadata=left_out_at_default())
    """Whether a second head draws small frames from the map of the last stage but one; see ``reductions``."""
    latents: int = field(default=0, metadata=within(0, MAX_LATENTS) | left_out_at_default())
    """Numbers that are stored for each frame beside the feature grids, for search alone: nothing is drawn
    from them. 0 without alignment; a file then does not have this field."""

    interleaved: bool = field(default=False, metadata=left_out_at_default())
    """Whether a file has the knots of all feature grids in the order in which frames need them, so that the
    first frame can be drawn before the rest is decoded; else grid by grid, as the first files did."""

    texture_channels: int = field(default=0, metadata=within(0, MAX_CHANNELS) | left_out_at_default())
    """Channels of the textures that the last stage reads; 0 for a network without textures and motion."""
    texture_span: int = field(default=0, metadata=within(0, MAX_FRAMES) | left_out_at_default())
    """Most frames from one anchor to the next."""
    motion_span: int = field(default=0, metadata=within(0, MAX_FRAMES) | left_out_at_default())
    """Frames from one knot of motion to the next."""

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each stage's map, then the three colors."""
        return (*self.channels, 3)

    @property
    def feature_grids(self) -> tuple[FeatureGrid, ...]:
        """The feature grids, those of the first stage first; textures and motion last."""
        sizes = self._sizes
        mixed = tuple(
            MixedGrid(stage=stage, span=span, shape=(self._knots(span), channels, *sizes[stage]))
            for stage, channels, span in zip(
                self.grid_stages, self.grid_channels, self.grid_spans, strict=True
            )
        )
        anchors = self.anchors
        return mixed if anchors is None else (*mixed, *self._anchored_grids(anchors))

    @property
    def anchors(self) -> Anchors | None:
        """The frames that textures stand for; None without any."""
        return Anchors(frames=self.frames, span=self.texture_span) if self.texture_channels else None

    def _anchored_grids(self, anchors: Anchors) -> tuple[TextureGrid, MotionGrid, MotionGrid]:
        """Textures, motion to the anchor before each frame, and to that after it."""
        last = len(self.strides) - 1
        texture = TextureGrid(
            stage=last,
            shape=(anchors.intervals + 1, self.texture_channels, *self._sizes[last]),
            anchors=anchors,
        )
        backward, forward = (
            MotionGrid(
                stage=0,
                shape=(anchors.intervals * anchors.steps(self.motion_span), 2, *self._sizes[0]),
                anchors=anchors,
                span=self.motion_span,
                is_forward=is_forward,
            )
            for is_forward in (False, True)
        )
        return texture, backward, forward

    def stage_grid_channels(self, stage: int) -> int:
        """Return the channels of all feature grids that a stage reads, textures included."""
        pairs = zip(self.grid_stages, self.grid_channels, strict=True)
        textures = self.texture_channels if stage == len(self.strides) - 1 else 0
        return sum(channels for reader, channels in pairs if reader == stage) + textures

    @property
    def layers(self) -> tuple[LayerShape, ...]:
        """For each stage projection, residual convolutions, and what enlarges its map.

        Last the preview head, if there is one; no site of a frame of full size runs it.
        """
        drawing = self.layers_at(1)
        return (*drawing, self._preview_layer(0)) if self.preview else drawing

    @property
    def reductions(self) -> tuple[int, ...]:
        """How many times smaller a frame's sides can be drawn at less cost, ascending.

        First by what divides the last stage's stride and by this stride itself; with a preview head, also
        by the last two stages' strides.
        """
        by_mean, by_preview = self.strides[-1], prod(self.strides[-2:])
        means = tuple(side for side in range(2, by_mean + 1) if by_mean % side == 0)
        return (*means, by_preview) if self.preview and by_preview > by_mean else means

    def layers_at(self, reduction: int) -> tuple[LayerShape, ...]:
        """Return the layers that run for a frame whose sides are ``reduction`` times smaller.

        Args:
            reduction: 1, or one of ``reductions``.
        """
        *layers, last = self._layers()
        if reduction == 1:
            return (*layers, last)
        stage = len(self.strides) - 1
        if reduction <= self.strides[-1]:
            outputs = 3 * (self.strides[-1] // reduction) ** 2
            return (*layers, LayerShape(last.inputs, outputs, last.kernel, last.sites))
        below = [layer for layer in layers if layer.sites <= self.sites[stage - 1]]
        return (*below[:-1], self._preview_layer(self.sites[stage - 1]))

    @property
    def knot_order(self) -> tuple[tuple[int, ...], ...] | None:
        """For each feature grid the first frame that each knot is drawn with; None for knots grid by grid."""
        return tuple(grid.first_frames for grid in self.feature_grids) if self.interleaved else None

    @property
    def embedding_shape(self) -> tuple[int, ...]:
        """One number for every channel and site of every feature grid, as often as one frame reads it."""
        return (sum(grid.reads * prod(grid.shape[1:]) for grid in self.feature_grids),)

    @property
    def stores_embeddings(self) -> bool:
        """True: embeddings are mixed from stored feature grids."""
        return True

    @property
    def stored_embedding_count(self) -> int:
        """Numbers in all feature grids and latents."""
        return sum(prod(grid.shape) for grid in self.feature_grids) + self.frames * self.latents

    @property
    def _sizes(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of each stage's map."""
        factors = [prod(self.strides[:stage]) for stage in range(len(self.strides))]
        return tuple((factor * self.base_height, factor * self.base_width) for factor in factors)

    def _knots(self, span: int) -> int:
        return 1 if span >= self.frames else -(-(self.frames - 1) // span) + 1

    def _layers(self) -> Iterator[LayerShape]:
        widths, last = self.widths, len(self.strides) - 1
        for stage, sites in enumerate(self.sites[:-1]):
            if inputs := self.stage_grid_channels(stage):
                yield LayerShape(inputs, widths[stage], 3, sites)
            for _ in range(self.depths[stage]):
                yield LayerShape(widths[stage], widths[stage], 3, sites)
            outputs = widths[stage + 1] * self.strides[stage] ** 2
            yield LayerShape(widths[stage], outputs, 3 if stage == last else 1, sites)

    def _preview_layer(self, sites: int) -> LayerShape:
        return LayerShape(self.channels[-2], 3, PREVIEW_KERNEL, sites)

    def _check_family(self) -> None:
        stages = len(self.strides)
        for name, count, low, high in (
            ("channels", stages, 1, MAX_CHANNELS),
            ("depths", stages, 0, MAX_DEPTH),
            ("grid_stages", len(self.grid_stages), 0, stages - 1),
            ("grid_channels", len(self.grid_stages), 1, MAX_CHANNELS),
            ("grid_spans", len(self.grid_stages), 1, MAX_FRAMES),
        ):
            values = getattr(self, name)
            if len(values) != count or not all(low <= value <= high for value in values):
                raise InputError(f"{name} must be {count} numbers, each {low} to {high}, got {values}")
        if not 1 <= len(self.grid_stages) <= MAX_GRIDS or self.grid_stages[0] != 0:
            raise InputError(
                f"grid_stages must name 1 to {MAX_GRIDS} stages, the first one first, got {self.grid_stages}"
            )
        if list(self.grid_stages) != sorted(self.grid_stages):
            raise InputError(f"grid_stages must be in ascending order, got {self.grid_stages}")
        anchored = (self.texture_channels, self.texture_span, self.motion_span)
        if any(anchored) and (min(anchored) < 1 or self.texture_span < 2 or self.frames < LEAST_ANCHORED):
            raise InputError(
                f"textures need channels, a span of 2 frames or more, a span of motion, and {LEAST_ANCHORED} "
                f"frames, got {anchored} for {self.frames} frames"
            )
        if self.preview and (stages < 2 or min(self.strides[-2:]) < 2):
            raise InputError(
                f"preview needs two last stages that enlarge their maps, got strides {self.strides}"
            )
