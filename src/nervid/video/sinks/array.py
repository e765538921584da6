"""An .npy file of all frames."""

from contextlib import suppress
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from nervid.video.info import VideoInfo

_HEADER_BYTES = 128


class ArraySink:
    """Writes a uint8 array [frames, 3, height, width] as an .npy file of format 1.0.

    Frames are written as they come; the header, which counts them, is filled in at the end.
    """

    def __init__(self, path: Path, info: VideoInfo) -> None:
        self._info = info
        self._frames = 0
        self._file = path.open("wb")
        self._file.write(bytes(_HEADER_BYTES))

    def write(self, frame: UInt8[np.ndarray, "height width 3"], timestamp: int) -> None:
        """Append the next frame, channels first; the timestamp has no place in the file."""
        self._file.write(np.ascontiguousarray(frame.transpose(2, 0, 1)).data)
        self._frames += 1

    def finish(self) -> None:
        """Fill in the header.

        Source:
            numpy.lib.format, "Format Version 1.0".
        """
        shape = (self._frames, 3, self._info.height, self._info.width)
        text = repr({"descr": "|u1", "fortran_order": False, "shape": shape}).encode()
        magic = b"\x93NUMPY\x01\x00" + (_HEADER_BYTES - 10).to_bytes(2, "little")
        self._file.seek(0)
        self._file.write(magic + text.ljust(_HEADER_BYTES - 11) + b"\n")
        self._file.close()

    def abort(self) -> None:
        """Close the file; what a full disk did not take is lost, and meant to be."""
        with suppress(OSError):
            self._file.close()
