"""Scenes: where a video cuts, and segments that respect the cuts and a maximum length."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

import numpy as np
from jaxtyping import UInt8

from nervid.errors import InputError

SHORTEST_SEGMENT = 8
"""Frames below which a network of its own does not pay; chosen, untuned."""


def find_cuts(
    thumbnails: Iterable[UInt8[np.ndarray, "height width 3"]], frame_rate: Fraction
) -> tuple[int, ...]:
    """List the frames at which a new scene begins.

    Args:
        thumbnails: All frames in order, made small, blue first (BGR).
        frame_rate: Frames per second.

    Returns:
        Indices of first frames of scenes, increasing, without 0.

    Source:
        AdaptiveDetector of PySceneDetect with its own defaults: the change in hue, saturation and
        brightness against the frame before, compared with the changes around it.
    """
    # Loading OpenCV takes long, and playing a file never needs it.
    from scenedetect.common import FrameTimecode
    from scenedetect.detectors import AdaptiveDetector

    detector = AdaptiveDetector(min_scene_len=SHORTEST_SEGMENT)
    cuts: set[int] = set()
    for index, thumbnail in enumerate(thumbnails):
        time = FrameTimecode(index, fps=frame_rate)
        cuts.update(cut.frame_num for cut in detector.process_frame(time, thumbnail))
    return tuple(sorted(cuts - {0}))


def split_at_cuts(frames: int, cuts: Iterable[int], max_frames: int) -> list[range]:
    """Divide ``frames`` frames into segments of at most ``max_frames`` that begin at cuts.

    A scene longer than ``max_frames`` is divided into the fewest parts that fit, of equal length but
    for one frame. A cut that would leave fewer than 8 frames before it or after the last cut is passed
    over, so no segment is shorter than 8 frames unless the whole clip is, or ``max_frames`` is below 15
    (two parts of 9 frames cannot both have 8).

    Args:
        frames: Frames of the clip, 1 or more.
        cuts: First frames of scenes, increasing.
        max_frames: Longest segment, 1 or more.

    Returns:
        Ranges that follow one another from 0 to ``frames``.

    Raises:
        InputError: If ``max_frames`` is below 1.
    """
    if max_frames < 1:
        raise InputError(f"max_frames must be 1 or more, got {max_frames}")
    shortest = min(SHORTEST_SEGMENT, max_frames)
    bounds = [0]
    for cut in cuts:
        if cut - bounds[-1] >= shortest and frames - cut >= shortest:
            bounds.append(cut)
    bounds.append(frames)
    segments = []
    for start, stop in pairwise(bounds):
        parts = -(-(stop - start) // max_frames)
        edges = [start + (stop - start) * part // parts for part in range(parts + 1)]
        segments += [range(a, b) for a, b in pairwise(edges)]
    return segments
