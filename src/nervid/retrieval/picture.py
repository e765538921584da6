"""Pictures in and out of search: an image file to ask with, thumbnails to show."""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from av.codec.context import ThreadType
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation
from jaxtyping import UInt8
from torch import Tensor

from nervid.errors import InputError
from nervid.video.sources.images import IMAGE_SUFFIXES

THUMBNAIL_SIDE = 320
"""Pixels of a thumbnail's longer side."""
_QUALITY = 3
"""FFmpeg's quantizer scale of JPEG, 1 (best) to 31."""


def read_picture(path: str | os.PathLike[str]) -> UInt8[Tensor, "3 height width"]:
    """Read an image file, of any size, as RGB in [0, 255]; transparency is dropped.

    Raises:
        InputError: If it is missing or no image that FFmpeg reads.
    """
    source = Path(path)
    if not source.is_file():
        raise InputError(f"{source}: no such image; check the path")
    if source.suffix.lower() not in IMAGE_SUFFIXES:
        raise InputError(f"{source}: wanted an image ({', '.join(sorted(IMAGE_SUFFIXES))}), got another file")
    try:
        # The prefix keeps FFmpeg from reading a name as a web address, the option from reading a pattern.
        with av.open(f"file:{source}", "r", container_options={"pattern_type": "none"}) as container:
            pixels = next(iter(container.decode(video=0))).to_ndarray(format="rgb24")
    except (OSError, ValueError, IndexError, StopIteration) as error:
        reason = getattr(error, "strerror", None) or "it holds no picture"
        raise InputError(f"{source}: not an image that can be read ({reason}); replace it") from None
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)


def thumbnail(
    frame: UInt8[Tensor, "3 height width"], *, pixel_aspect: Fraction = Fraction(1), rotation: int = 0
) -> bytes:
    """Return a small JPEG of a frame, as a screen shows it.

    Args:
        frame: RGB, 0 to 255.
        pixel_aspect: Width over height of one pixel; the thumbnail's pixels are square.
        rotation: Degrees counterclockwise to turn the picture; only quarter turns are made.

    Returns:
        The bytes of a JPEG whose longer side has at most ``THUMBNAIL_SIDE`` pixels.
    """
    pixels = np.ascontiguousarray(frame.permute(1, 2, 0).cpu().numpy())
    picture = VideoFrame.from_ndarray(pixels, format="rgb24")
    shown_width = picture.width * float(pixel_aspect)
    factor = min(1.0, THUMBNAIL_SIDE / max(shown_width, picture.height))
    width, height = (max(1, round(side * factor)) for side in (shown_width, picture.height))
    small = picture.reformat(width=width, height=height, format="rgb24", interpolation=Interpolation.AREA)
    turned = np.rot90(small.to_ndarray(), rotation // 90 if rotation % 90 == 0 else 0)
    return _jpeg(np.ascontiguousarray(turned))


def _jpeg(pixels: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """Encode RGB pixels as JPEG, color at full resolution."""
    encoder = VideoCodecContext.create("mjpeg", "w")
    encoder.height, encoder.width = pixels.shape[:2]
    encoder.pix_fmt, encoder.color_range = "yuv444p", ColorRange.JPEG
    encoder.time_base = Fraction(1, 25)
    encoder.qmin = encoder.qmax = _QUALITY
    # Threads would hold the one frame back.
    encoder.thread_type = ThreadType.NONE
    picture = VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
        format="yuv444p", dst_color_range=ColorRange.JPEG
    )
    return b"".join(bytes(packet) for frame in (picture, None) for packet in encoder.encode(frame))
