"""Frames from an array that is in memory already."""

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from jaxtyping import UInt8

from nervid.errors import InputError
from nervid.video.info import SRGB, VideoInfo
from nervid.video.sources.base import Digest, Survey


class ArraySource:
    """Frames of a uint8 array, one tick per frame; the array is not copied."""

    def __init__(self, array: np.ndarray, frame_rate: Fraction) -> None:
        if array.ndim != 4 or array.dtype != np.uint8 or 3 not in (array.shape[1], array.shape[3]):
            raise InputError(
                "an array of frames must be uint8 [frames, 3, height, width] or [frames, height, width, 3], "
                f"got {array.dtype} {list(array.shape)}"
            )
        if len(array) == 0:
            raise InputError("the array holds no frames, at least 1 is needed")
        # A side of a frame is never 3 pixels, so only one axis can be the channels.
        self._frames: UInt8[np.ndarray, "frames height width 3"] = (
            array if array.shape[3] == 3 else array.transpose(0, 2, 3, 1)
        )
        self.name = "array"
        self.info = VideoInfo(
            width=self._frames.shape[2],
            height=self._frames.shape[1],
            time_base=1 / frame_rate,
            frame_rate=frame_rate,
            color=SRGB,
        )

    def survey(self) -> Survey:
        """Number the frames."""
        return Survey(timestamps=np.arange(len(self._frames), dtype=np.int64))

    def pictures(self) -> Iterator[av.VideoFrame]:
        """Wrap one frame after the other."""
        for frame in self._frames:
            yield av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")

    def add_to(self, digest: Digest) -> None:
        """Feed shape and all bytes, the same for both orders of axes."""
        digest.update(repr(self._frames.shape).encode())
        for frame in self._frames:
            digest.update(np.ascontiguousarray(frame).tobytes())
