"""Small videos whose pixels say which frame they are, and folders and shards of them."""

import io
import tarfile
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

LEVELS = 4
"""Red of a frame is its index times this."""


def frame(index: int, *, width: int = 48, height: int = 32) -> NDArray[np.uint8]:
    """Frame ``index``: red tells the index, green the column, blue the row; uint8 [height, width, 3]."""
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    pixels[..., 0] = index * LEVELS
    pixels[..., 1] = np.arange(width) * 255 // (width - 1)
    pixels[..., 2] = np.arange(height)[:, None] * 255 // (height - 1)
    return pixels


def write_video(
    path: Path,
    frames: Sequence[NDArray[np.uint8]],
    *,
    codec: str = "ffv1",
    times: Sequence[int] | None = None,
) -> Path:
    """Encode frames, exactly with ffv1 (.mkv, .avi), nearly so with libx264 and mpeg4.

    They appear at ``times``, in 25ths of a second, by default one after the other.
    """
    exact = codec == "ffv1"
    options = {} if exact else {"crf": "1", "g": "100", "bf": "3"} if codec == "libx264" else {"qscale": "1"}
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "bgr0" if exact else "yuv420p"
        stream.codec_context.time_base = Fraction(1, 25)
        for index, pixels in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=stream.pix_fmt)
            picture.pts, picture.time_base = times[index] if times else index, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def counting(path: Path, count: int = 30, *, codec: str = "ffv1", first: int = 0) -> Path:
    """Encode ``count`` frames that count from ``first``."""
    return write_video(path, [frame(index) for index in range(first, first + count)], codec=codec)


def write_image(path: Path, pixels: NDArray[np.uint8]) -> Path:
    """Write a PNG."""
    height, width = pixels.shape[:2]
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="image2", options={"update": "1"}) as container:
        stream = container.add_stream("png", rate=1)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "rgb24"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def plain(height: int, width: int, color: tuple[int, int, int]) -> NDArray[np.uint8]:
    """A picture of one color."""
    return np.full((height, width, 3), color, dtype=np.uint8)


def write_shard(path: Path, members: Mapping[str, bytes], *, mode: str = "w") -> Path:
    """Write a tar of members, by name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    path.write_bytes(buffer.getvalue())
    return path
