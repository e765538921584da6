"""RGB frames turned into the samples that a codec wants."""

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from jaxtyping import UInt8

# Matrix code points of H.273 that swscale can compute with, and its own names for them.
_SWSCALE_MATRIX = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
_FULL = 2


class YuvConverter:
    """Converts frames with the matrix and range that a reader will use to turn them back."""

    def __init__(self, pixel_format: str, *, matrix: int, color_range: int) -> None:
        self._format = pixel_format
        # What is not tagged is BT.601 in limited range to swscale, in both directions.
        self._matrix = _SWSCALE_MATRIX.get(matrix)
        self._range = color_range if color_range == _FULL else None
        self._reformatter = VideoReformatter()

    def convert(self, frame: UInt8[np.ndarray, "height width 3"]) -> av.VideoFrame:
        """Convert one frame.

        Args:
            frame: RGB.

        Returns:
            A picture of the converter's pixel format.
        """
        rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        return self._reformatter.reformat(
            rgb,
            format=self._format,
            dst_colorspace=self._matrix,
            dst_color_range=self._range,
            interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND,
        )
