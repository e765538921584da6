"""Finds out what a source is and opens it."""

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from nervid.errors import InputError
from nervid.video.sources.array import ArraySource
from nervid.video.sources.base import Source
from nervid.video.sources.file import FileSource
from nervid.video.sources.images import ImageSource, find_images

_USUAL_FRAME_RATE = Fraction(25)


def select_source(source: Any, frame_rate: Fraction | None) -> Source:  # noqa: ANN401 see read()
    """Open ``source`` as array, images or video file, whichever it is.

    Args:
        source: Path, glob, array or anything with ``__array__``.
        frame_rate: Frames per second of images and arrays; None for 25.

    Returns:
        The opened source.

    Raises:
        InputError: If it is none of these, missing, unreadable, or a file is given a frame rate.
    """
    rate = _USUAL_FRAME_RATE if frame_rate is None else frame_rate
    if not isinstance(source, (str, os.PathLike)):
        if not hasattr(source, "__array__"):
            raise InputError(f"a video must be a path, a glob or an array, got {type(source).__name__}")
        return ArraySource(np.asarray(source), rate)
    path = Path(source)
    images = find_images(path)
    if images is not None:
        return ImageSource(str(path), images, rate)
    if not path.exists():
        raise InputError(f"{path}: no such file; check the path")
    if frame_rate is not None:
        raise InputError(f"{path}: a video file has its own frame rate; frame_rate is for images and arrays")
    return FileSource(path)
