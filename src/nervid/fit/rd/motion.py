"""Motion of a clip to its anchors, found before a fit: where it begins, and whether it is worth its bytes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log10, prod
from statistics import fmean
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own idiom
from jaxtyping import Float, UInt8
from torch import Tensor

from nervid.fit.rd.flow import Flow, flow_to_anchors, luma_of, reduction_for
from nervid.fit.rd.still import still_share
from nervid.models.config.feature_grid import MotionGrid
from nervid.models.config.nervid import MOTION_UNIT, NervidConfig
from nervid.models.mixing import mix_knots, touched_knots
from nervid.models.nervid_sizing import LEAST_BYTES, Spans, solve_nervid
from nervid.models.warping import warp

LEAST_GAIN_DB: Final = 3.5
"""How much nearer to the frames warped anchors have to be than plain ones for textures to be worth their
bytes (docs/log.md)."""
LEAST_MOTION_BYTES, LEAST_TEXTURE_BYTES = 0.8, 0.008
"""Bytes that a file has to have for each number of motion, said as seldom as may be, and besides for each of
the textures, before these are worth theirs, however much moves (docs/log.md)."""
LEAST_STILL_SHARE: Final = 0.45
"""Share of the picture that has to stay as it is for a background to be worth its bytes (docs/log.md)."""
LEAST_STILL_FRAMES: Final = 40
"""Fewest frames that share a background: few lose by it (docs/log.md)."""
TEXTURE_SPANS: Final = (24, 48)
"""Frames from anchor to anchor that are tried: the longer one is taken unless it loses too much."""
MOST_TEXTURE_LOSS_DB: Final = 3.0
"""How much further from the frames warped anchors may be when they are further apart (docs/log.md)."""
MOTION_SPANS: Final = (2, 4, 8)
"""Frames from knot to knot of motion that are tried: the longest is taken that is worth its loss."""
MOTION_BYTES: Final = 0.21
"""Bytes that a number of motion takes in a file, about (docs/log.md)."""
LOSS_DB_PER_SIZE: Final = 6.0
"""How much further from the frames warped anchors may be for motion that takes fewer bytes, in proportion to
these as a share of the file (docs/log.md)."""
EVERY: Final = 4
"""Of so many frames one is compared."""
LEAST_ERROR: Final = 1e-6
"""Mean squared error that counts as none, of luma in [0, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Motion:
    """What a network's motion may begin with, and what is gained by it."""

    spans: Spans
    """How far apart its knots are, and those of textures."""
    grids: tuple[MotionGrid, MotionGrid] = field(repr=False)
    """Motion to the anchor before a frame, and to that after it."""
    values: tuple[Tensor, Tensor] = field(repr=False)
    """What they begin with, of their shapes."""
    texture_numbers: int
    """How many numbers the textures have that it warps."""
    error: float
    """Mean squared error of luma in [0, 1] between frames and their original anchors, warped and mixed."""

    @property
    def numbers(self) -> int:
        """How many numbers say it."""
        return sum(prod(grid.shape) for grid in self.grids)

    @property
    def least_bytes(self) -> float:
        """Size of a file from which on textures and motion are worth their bytes."""
        return LEAST_MOTION_BYTES * self.numbers + LEAST_TEXTURE_BYTES * self.texture_numbers

    def loss_db(self, other: "Motion") -> float:
        """Return how much further from the frames it is than another."""
        return 10 * log10(self.error / other.error)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClipMotion:
    """Motion of a clip, said more and less often."""

    choices: tuple[Motion, ...]
    """From the shortest span of motion to the longest."""
    gain_db: float
    """How much nearer to the frames original anchors are that are mixed after warping than before it."""
    still_share: float
    """Share of the picture that stays as it is, in [0, 1]."""
    frames: int
    """Frames of the clip."""

    @property
    def is_still(self) -> bool:
        """Whether so much stays for so long that a background is worth its bytes."""
        return self.still_share >= LEAST_STILL_SHARE and self.frames >= LEAST_STILL_FRAMES

    def for_size(self, size_bytes: float) -> Motion | None:
        """Return the one that suits a file of some size: the larger it is, the less motion counts in it.

        None where textures are not worth their bytes: too little moves, or the file is too small.
        """
        if self.gain_db < LEAST_GAIN_DB or size_bytes < self.choices[-1].least_bytes:
            return None
        chosen = self.choices[0]
        for coarser in self.choices[1:]:
            share = MOTION_BYTES * (chosen.numbers - coarser.numbers) / size_bytes
            if coarser.loss_db(chosen) > LOSS_DB_PER_SIZE * share:
                break
            chosen = coarser
        return chosen


def find_motion(frames: UInt8[Tensor, "frames 3 height width"]) -> ClipMotion:
    """Find the motion of a clip to its anchors.

    Optical flow from every frame to both anchors around it is averaged over the squares of a network's motion
    and taken at its knots. How good that is, the luma of the original anchors tells, warped by it and mixed.

    Args:
        frames: The segment, values in [0, 255], 3 frames or more.
    """
    clip = _Clip(frames)
    finest = [clip.motion(Spans(span, MOTION_SPANS[0])) for span in TEXTURE_SPANS]
    best = [motion for motion in finest if motion.loss_db(finest[0]) <= MOST_TEXTURE_LOSS_DB][-1]
    coarser = [clip.motion(Spans(best.spans.texture, span)) for span in MOTION_SPANS[1:]]
    still = clip.error(best.grids, [torch.zeros_like(values) for values in best.values])
    return ClipMotion(
        choices=(best, *coarser),
        gain_db=10 * log10(still / best.error),
        still_share=still_share(clip.luma),
        frames=len(frames),
    )


class _Clip:
    """A clip as it is looked at.

    Args:
        frames: The segment.
    """

    def __init__(self, frames: UInt8[Tensor, "frames 3 height width"]) -> None:
        count, _, height, width = frames.shape
        self._frames, self._height, self._width = count, height, width
        self._reduction = reduction_for(height, width)
        self.luma = luma_of(frames, self._reduction)
        network = self._network(Spans(TEXTURE_SPANS[0], MOTION_SPANS[0]))
        self._sites = (network.base_height, network.base_width)
        # Side of a square of motion in pixels of the luma.
        self._site = network.padded_height // network.base_height // self._reduction
        self._flows: dict[int, Flow] = {}

    def motion(self, spans: Spans) -> Motion:
        """Take flow at the knots that spans make."""
        texture, backward, forward = self._network(spans).feature_grids[-3:]
        assert isinstance(backward, MotionGrid)
        assert isinstance(forward, MotionGrid)
        if spans.texture not in self._flows:
            flow = flow_to_anchors(self.luma, backward.anchors, self._site, self._sites)
            self._flows[spans.texture] = flow
        flow, unit = self._flows[spans.texture], MOTION_UNIT / self._reduction
        before, after = (
            torch.stack([flow[grid.frame_of(knot)] for knot in range(grid.shape[0])]) / unit
            for grid in (backward, forward)
        )
        error = self.error((backward, forward), (before, after))
        return Motion(
            spans=spans,
            grids=(backward, forward),
            values=(before, after),
            texture_numbers=prod(texture.shape),
            error=error,
        )

    def error(self, grids: Sequence[MotionGrid], values: Sequence[Tensor]) -> float:
        """Return the mean squared error of anchors that are warped by the motion of frames and mixed."""
        anchors, errors = grids[0].anchors, []
        for interval in range(anchors.intervals):
            first, last = anchors.frame(interval), anchors.frame(interval + 1)
            pair = torch.from_numpy(np.stack((self.luma[first], self.luma[last])))[:, None] / 255
            rows, columns = pair.shape[2:]
            for index in range(first + 1, last, EVERY):
                motion = [_read(grid, numbers, index) for grid, numbers in zip(grids, values, strict=True)]
                coarse = torch.stack(motion) * (MOTION_UNIT / self._reduction)
                fine = F.interpolate(coarse, scale_factor=self._site, mode="bilinear", align_corners=False)
                warped = warp(pair, fine[..., :rows, :columns])
                mixed = torch.lerp(warped[0], warped[1], (index - first) / (last - first))
                errors.append(float((mixed - torch.from_numpy(self.luma[index]) / 255).square().mean()))
        return max(fmean(errors), LEAST_ERROR)

    def _network(self, spans: Spans) -> NervidConfig:
        return solve_nervid(
            frames=self._frames,
            height=self._height,
            width=self._width,
            budget_bytes=LEAST_BYTES,
            spans=spans,
        )


def _read(
    grid: MotionGrid, values: Float[Tensor, "knots 2 rows columns"], index: int
) -> Float[Tensor, "2 rows columns"]:
    """Return the motion of a frame as the network will have it."""
    knots, shares = touched_knots(grid, [index])
    return mix_knots(values[knots], shares).view(values.shape[1:])
