"""A YUV4MPEG2 file: uncompressed frames that every encoder reads."""

from contextlib import suppress
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from nervid.video.info import VideoInfo
from nervid.video.sinks.yuv import YuvConverter


class Y4mSink:
    """Writes 4:2:0 frames, or 4:4:4 if a side is odd; the format knows a frame rate, not timestamps.

    It cannot name a matrix either, so BT.601 is used, which is what swscale assumes on the way back in.

    Source:
        "YUV4MPEG2" in the manual page yuv4mpeg(5) of mjpegtools.
    """

    def __init__(self, path: Path, info: VideoInfo) -> None:
        is_even = info.width % 2 == 0 and info.height % 2 == 0
        self._converter = YuvConverter("yuv420p" if is_even else "yuv444p", matrix=2, color_range=1)
        self._file = path.open("wb")
        rate, aspect = info.frame_rate, info.pixel_aspect
        self._file.write(
            f"YUV4MPEG2 W{info.width} H{info.height} F{rate.numerator}:{rate.denominator} Ip "
            f"A{aspect.numerator}:{aspect.denominator} C{'420jpeg' if is_even else '444'} "
            "XCOLORRANGE=LIMITED\n".encode()
        )

    def write(self, frame: UInt8[np.ndarray, "height width 3"], timestamp: int) -> None:
        """Append the next frame; the timestamp has no place in the file."""
        self._file.write(b"FRAME\n")
        for plane in self._converter.convert(frame).planes:
            # FFmpeg pads the rows of a plane, the file must not.
            rows = np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(plane.height, plane.line_size)
            self._file.write(np.ascontiguousarray(rows[:, : plane.width]).data)

    def finish(self) -> None:
        """Close the file."""
        self._file.close()

    def abort(self) -> None:
        """Close the file; what a full disk did not take is lost, and meant to be."""
        with suppress(OSError):
            self._file.close()
