"""A folder of numbered PNG images."""

from pathlib import Path

import av
import numpy as np
from av.codec.context import ThreadType
from av.video.codeccontext import VideoCodecContext
from jaxtyping import UInt8

from nervid.video.info import VideoInfo


class ImageSink:
    """Writes 000000.png, 000001.png and so on, without any loss."""

    def __init__(self, folder: Path, info: VideoInfo) -> None:
        self._folder = folder
        folder.mkdir()
        self._written = 0
        self._encoder = VideoCodecContext.create("png", "w")
        self._encoder.width, self._encoder.height = info.width, info.height
        self._encoder.pix_fmt = "rgb24"
        self._encoder.time_base = info.time_base
        # Threads would hold frames back and hand them out in later calls.
        self._encoder.thread_type = ThreadType.NONE

    def write(self, frame: UInt8[np.ndarray, "height width 3"], timestamp: int) -> None:
        """Write the next image; the timestamp has no place in it."""
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        picture.pts = self._written
        for packet in self._encoder.encode(picture):
            (self._folder / f"{self._written:06d}.png").write_bytes(bytes(packet))
            self._written += 1

    def finish(self) -> None:
        """Nothing is left to write."""

    def abort(self) -> None:
        """Nothing is open; the writer removes the folder."""
