"""Photographs: shots made by moving a camera, and a cut-out, over a still picture."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from nervid.errors import InputError
from nervid.meta.corpus import CorpusFile
from nervid.meta.picture import shrunk, trimmed
from nervid.meta.recording import open_recording
from nervid.video.scaler import Scaler

SMALLEST_SIDE: Final = 32
"""Pixels of the shorter side below which a picture is taken for an icon."""
VIEWS: Final = (0.55, 0.8)
"""Least and largest share of the photograph's height that the camera sees."""
LARGEST_ANGLE: Final = math.radians(5)
"""How far the camera is turned at most; a view of 0.8 still fits into a picture twice as wide as high."""
RADII: Final = (0.12, 0.35)
"""Least and largest radius of a cut-out, in short sides of the shot."""
LARGEST_TURN: Final = math.radians(25)
"""How far a cut-out turns at most during a shot."""
STILL_SHARE: Final = 0.25
"""Share of shots whose camera does not move; all of them have a cut-out."""
CUT_OUT_SHARE: Final = 0.65
"""Share of the other shots that have a cut-out."""
_WAVES: Final = (2, 3, 4)
"""How many bulges the outline of a cut-out is composed of."""

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A camera's way over a photograph: everything from a first to a last value, never beyond the edges."""

    heights: Pair
    """Share of the photograph's height that is seen."""
    angles: Pair
    """Radians, counterclockwise."""
    rows: Pair
    """Place between the highest (0) and the lowest (1) at which the view is inside."""
    columns: Pair
    """The same from left to right."""

    def view(self, time: float, height: int, width: int) -> Float[Tensor, "2 3"]:
        """Return where the shot's pixels lie on the photograph at ``time``, 0 to 1.

        The matrix takes (x, y, 1) of the shot to (x, y) of the photograph, both from -1 at the left or
        upper edge to 1 at the right or lower one, as ``affine_grid`` has it. Both have the same aspect.
        """
        share, angle = _between(self.heights, time), _between(self.angles, time)
        cos, sin = math.cos(angle), math.sin(angle)
        aspect = width / height
        # Half the box around the turned view, in halves of the photograph's height and width.
        tall, wide = share * (cos + aspect * abs(sin)), share * (cos + abs(sin) / aspect)
        y = (2 * _between(self.rows, time) - 1) * max(0.0, 1 - tall)
        x = (2 * _between(self.columns, time) - 1) * max(0.0, 1 - wide)
        return torch.tensor(
            [[share * cos, share * sin / aspect, x], [-share * sin * aspect, share * cos, y]],
            dtype=torch.float32,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CutOut:
    """A piece of a photograph with a round outline, on its way over a shot."""

    patch: Float[Tensor, "4 side side"]
    """Red, green and blue, 0 to 255, and how opaque it is, 0 to 1; nothing is at the border."""
    rows: Pair
    """First and last row of its center, pixels of the shot."""
    columns: Pair
    """First and last column of its center."""
    angles: Pair
    """Radians."""

    def lay_over(
        self, frame: Float[Tensor, "3 height width"], time: float
    ) -> Float[Tensor, "3 height width"]:
        """Return the frame with the piece where it is at ``time``, 0 to 1."""
        height, width = frame.shape[1:]
        half = self.patch.shape[1] / 2
        angle = _between(self.angles, time)
        row, column = _between(self.rows, time), _between(self.columns, time)
        cos, sin = math.cos(angle) / half, math.sin(angle) / half
        # affine_grid runs from -1 to 1 over the frame; the patch from -1 to 1 over itself.
        x, y = width / 2, height / 2
        place = torch.tensor(
            [
                [cos * x, sin * y, cos * (x - column) + sin * (y - row)],
                [-sin * x, cos * y, -sin * (x - column) + cos * (y - row)],
            ],
            dtype=torch.float32,
        )
        grid = functional.affine_grid(place[None], [1, 4, height, width], align_corners=False)
        laid = functional.grid_sample(self.patch[None], grid, padding_mode="zeros", align_corners=False)[0]
        return torch.lerp(frame, laid[:3], laid[3:])


def load_photograph(file: CorpusFile, short_side: int) -> UInt8[Tensor, "3 height width"]:
    """Read a photograph just large enough that a view of a shot is not enlarged by more than half.

    Args:
        file: A photograph.
        short_side: Pixels of a shot's shorter side.

    Returns:
        RGB, 0 to 255, at most twice as long as short. A small photograph keeps its size.

    Raises:
        InputError: If it cannot be decoded or is smaller than ``SMALLEST_SIDE``.
    """
    with open_recording(file) as recording:
        picture = next(recording.pictures(0.0), None)
        if picture is None:
            raise InputError(f"{file.name}: it holds no picture that can be decoded; replace or remove it")
        if min(picture.width, picture.height) < SMALLEST_SIDE:
            raise InputError(
                f"{file.name}: {picture.width}x{picture.height} pixels, "
                f"{SMALLEST_SIDE}x{SMALLEST_SIDE} are needed; name a larger photograph"
            )
        size = shrunk(picture.width, picture.height, math.ceil(short_side / VIEWS[1]))
        pixels = trimmed(Scaler(*size).rgb(picture), 0.5)
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)


def film(
    photograph: UInt8[Tensor, "3 photo_height photo_width"],
    piece: UInt8[Tensor, "3 piece_height piece_width"],
    *,
    frames: int,
    short_side: int,
    generator: np.random.Generator,
) -> UInt8[Tensor, "frames 3 height width"]:
    """Make a shot of a photograph: the camera pans, zooms and turns a little, a cut-out may move over it.

    Args:
        photograph: What is filmed, RGB; the shot has its aspect.
        piece: What the cut-out is taken from; it may be the photograph itself.
        frames: 1 or more.
        short_side: Pixels of the shot's shorter side at most; a small photograph gives a smaller shot.
        generator: Decides the motion.

    Returns:
        RGB, 0 to 255, in memory channels last.
    """
    photo_height, photo_width = photograph.shape[1:]
    seen = math.floor(VIEWS[1] * min(photo_height, photo_width))
    width, height = shrunk(photo_width, photo_height, min(short_side, seen))
    is_still = generator.random() < STILL_SHARE
    camera = draw_camera(generator, is_still=is_still)
    cut_out = None
    if is_still or generator.random() < CUT_OUT_SHARE:
        cut_out = draw_cut_out(generator, piece, height, width)
    is_eased = generator.random() < 0.5
    source = photograph.float()[None]
    shot = torch.empty((frames, height, width, 3), dtype=torch.uint8)
    for index in range(frames):
        time = index / max(1, frames - 1)
        if is_eased:
            time = time * time * (3 - 2 * time)
        view = camera.view(time, photo_height, photo_width)
        grid = functional.affine_grid(view[None], [1, 3, height, width], align_corners=False)
        frame = functional.grid_sample(source, grid, padding_mode="border", align_corners=False)[0]
        if cut_out is not None:
            frame = cut_out.lay_over(frame, time)
        shot[index] = frame.round().permute(1, 2, 0)
    return shot.permute(0, 3, 1, 2)


def draw_camera(generator: np.random.Generator, *, is_still: bool = False) -> Camera:
    """Draw a camera's way; a still camera stays where it begins."""
    heights, rows, columns = _pair(generator, *VIEWS), _pair(generator, 0, 1), _pair(generator, 0, 1)
    angles = _pair(generator, -LARGEST_ANGLE, LARGEST_ANGLE)
    pairs = (heights, angles, rows, columns)
    if is_still:
        heights, angles, rows, columns = ((first, first) for first, _ in pairs)
    return Camera(heights=heights, angles=angles, rows=rows, columns=columns)


def draw_cut_out(
    generator: np.random.Generator,
    piece: UInt8[Tensor, "3 piece_height piece_width"],
    height: int,
    width: int,
) -> CutOut:
    """Draw a cut-out of ``piece`` and its way over a shot of ``height`` x ``width`` pixels."""
    short_side = min(height, width)
    radius = float(generator.uniform(*RADII)) * short_side
    radius = min(radius, min(piece.shape[1:]) / 2 - 2)
    side = 2 * math.ceil(radius) + 2
    top, left = (int(generator.integers(length - side + 1)) for length in piece.shape[1:])
    offsets = torch.arange(side, dtype=torch.float32) + 0.5 - side / 2
    around = torch.atan2(offsets[:, None], offsets[None, :])
    outline = torch.full_like(around, 0.75)
    for wave in _WAVES:
        outline += float(generator.uniform(0, 0.08)) * torch.cos(
            wave * around + float(generator.uniform(0, 2 * math.pi))
        )
    opaque = (outline * radius - torch.hypot(offsets[:, None], offsets[None, :]) + 0.5).clamp(0, 1)
    colors = piece[:, top : top + side, left : left + side].float()
    distance = float(generator.uniform(0.1, 0.8)) * short_side
    direction = float(generator.uniform(0, 2 * math.pi))
    rows = _way(generator, distance * math.sin(direction), height)
    columns = _way(generator, distance * math.cos(direction), width)
    angles = (0.0, float(generator.uniform(-LARGEST_TURN, LARGEST_TURN)))
    return CutOut(patch=torch.cat([colors, opaque[None]]), rows=rows, columns=columns, angles=angles)


def _way(generator: np.random.Generator, distance: float, length: int) -> Pair:
    """Draw a way of some distance inside a length; where that cannot be, the other way round or shorter."""
    first = float(generator.uniform(0, length))
    last = first + distance
    if not 0 <= last <= length:
        last = first - distance
    return first, min(max(last, 0.0), float(length))


def _pair(generator: np.random.Generator, low: float, high: float) -> Pair:
    first, last = generator.uniform(low, high, size=2)
    return float(first), float(last)


def _between(pair: Pair, time: float) -> float:
    return pair[0] + (pair[1] - pair[0]) * time
