"""Decoded pictures made RGB, at their own size or another."""

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from jaxtyping import UInt8

_THUMBNAIL_SIDE = 160
"""Pixels of the longer side of a thumbnail: enough to see a cut; chosen, untuned."""


class Scaler:
    """Converts pictures with FFmpeg's swscale, which keeps its tables from picture to picture."""

    def __init__(self, width: int, height: int) -> None:
        self._size = (width, height)
        self._reformatter = VideoReformatter()

    def rgb(self, picture: av.VideoFrame) -> UInt8[np.ndarray, "height width 3"]:
        """Convert a picture to RGB.

        Args:
            picture: Any size and pixel format.

        Returns:
            At the picture's own size exactly what ``picture.to_ndarray(format="rgb24")`` gives; else
            averaged over areas when it gets smaller, by bicubic interpolation when it gets larger.
        """
        width, height = self._size
        if (picture.width, picture.height) == self._size:
            how = Interpolation.BILINEAR
        elif width <= picture.width and height <= picture.height:
            how = Interpolation.AREA
        else:
            how = Interpolation.BICUBIC
        converted = self._reformatter.reformat(
            picture, width=width, height=height, format="rgb24", interpolation=how
        )
        return np.asarray(converted.to_ndarray(), dtype=np.uint8)

    def thumbnail(self, picture: av.VideoFrame) -> UInt8[np.ndarray, "height width 3"]:
        """Make a small blue-first picture for scene detection."""
        factor = min(1.0, _THUMBNAIL_SIDE / max(picture.width, picture.height))
        small = self._reformatter.reformat(
            picture,
            width=max(8, round(picture.width * factor)),
            height=max(8, round(picture.height * factor)),
            format="bgr24",
            interpolation=Interpolation.AREA,
        )
        return np.asarray(small.to_ndarray(), dtype=np.uint8)
