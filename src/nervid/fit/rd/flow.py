"""Optical flow from the frames of a clip to its anchors, as coarse as a network has motion."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own idiom
from jaxtyping import Float, UInt8
from torch import Tensor

from nervid.models.config.feature_grid import Anchors

MOST_PIXELS: Final = 480 * 270
"""Frames of more pixels are looked at in half their sides, or less: as good, and much sooner."""
MOST_REDUCTION: Final = 8
"""Most times smaller sides; squares of motion keep a pixel at least."""

Luma = Sequence[UInt8[np.ndarray, "rows columns"]]
Flow = dict[tuple[int, int], Float[Tensor, "2 tall wide"]]
"""Columns and rows to go, in pixels of the luma, by the frame and the number of the anchor it leads to."""


def reduction_for(height: int, width: int) -> int:
    """Return how many times smaller the sides are in which frames are looked at, a power of two."""
    reduction = 1
    while height * width > MOST_PIXELS * reduction**2 and reduction < MOST_REDUCTION:
        reduction *= 2
    return reduction


def luma_of(frames: UInt8[Tensor, "frames 3 height width"], reduction: int) -> Luma:
    """Return the frames' luma, with sides ``reduction`` times smaller, rounded up."""
    import cv2  # only in this file: players have no need of it

    found = []
    for frame in frames:
        gray = cv2.cvtColor(frame.permute(1, 2, 0).cpu().numpy(), cv2.COLOR_RGB2GRAY)
        size = (-(-gray.shape[1] // reduction), -(-gray.shape[0] // reduction))
        found.append(gray if reduction == 1 else cv2.resize(gray, size, interpolation=cv2.INTER_AREA))
    return found


def flow_to_anchors(luma: Luma, anchors: Anchors, site: int, size: tuple[int, int]) -> Flow:
    """Return the flow from every frame to the anchors before and after it.

    The search begins with the flow of the frame next to it, nearer to the anchor, so that it follows far.

    Args:
        luma: Of all frames.
        anchors: Which frames they are.
        site: Side of the squares over which flow is averaged.
        size: Rows and columns of squares; those beyond the frame continue its border.

    Source:
        DIS: Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016, arXiv:1603.03590, as
        OpenCV has it.
    """
    ways: list[tuple[int, range]] = []
    for interval in range(anchors.intervals):
        first, last = anchors.frame(interval), anchors.frame(interval + 1)
        ways += [(interval, range(first, last + 1)), (interval + 1, range(last, first - 1, -1))]
    found: Flow = {}
    with _one_thread_each(), ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for part in pool.map(lambda way: _flow_along(luma, way[0], way[1], site, size), ways):
            found |= part
    return found


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Keep OpenCV to one thread a call: how it shares a frame among several shows in the flow."""
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _flow_along(luma: Luma, anchor: int, way: range, site: int, size: tuple[int, int]) -> Flow:
    """Return the flow of frame after frame on a way that begins at an anchor."""
    import cv2

    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    rows, columns = luma[0].shape
    beyond = (0, size[1] * site - columns, 0, size[0] * site - rows)
    flow: np.ndarray = np.zeros((rows, columns, 2), dtype=np.float32)
    found: Flow = {}
    for index in way:
        if index != way[0]:
            flow = finder.calc(luma[index], luma[way[0]], flow)
        planes = F.pad(torch.from_numpy(flow).permute(2, 0, 1)[None], beyond, mode="replicate")
        found[index, anchor] = F.avg_pool2d(planes, site)[0]
    return found
