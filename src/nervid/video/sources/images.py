"""Frames from image files: a folder, a glob or one image."""

import glob
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from nervid.errors import InputError
from nervid.video.info import SRGB, VideoInfo
from nervid.video.natural import natural_key
from nervid.video.sources.base import Digest, Survey, add_file

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm"})


def find_images(source: Path) -> list[Path] | None:
    """List the images that a folder, a glob or the name of one image stands for.

    Args:
        source: What the user named; an existing path is never taken for a glob.

    Returns:
        Paths in natural order (2.png before 10.png), or None if ``source`` is no matter of images.

    Raises:
        InputError: If a folder or glob holds no image.
    """
    if source.is_dir():
        found = [path for path in source.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
    elif source.exists():
        return [source] if source.suffix.lower() in IMAGE_SUFFIXES else None
    elif glob.has_magic(str(source)):
        found = [Path(path) for path in glob.glob(str(source))]
        found = [path for path in found if path.suffix.lower() in IMAGE_SUFFIXES]
    else:
        return None
    if not found:
        raise InputError(
            f"{source}: no images found; wanted files such as {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    return sorted(found, key=lambda path: natural_key(str(path)))


class ImageSource:
    """Frames of image files, all of one size, one tick per image."""

    def __init__(self, name: str, paths: Sequence[Path], frame_rate: Fraction) -> None:
        self.name = name
        self._paths = paths
        first = _decode(paths[0])
        self.info = VideoInfo(
            width=first.width,
            height=first.height,
            time_base=1 / frame_rate,
            frame_rate=frame_rate,
            color=SRGB,
            bit_depth=max(component.bits for component in first.format.components),
        )
        for path in paths[1:]:
            self._check(path, *_stored_size(path))

    def _check(self, path: Path, width: int, height: int) -> None:
        if (width, height) != (self.info.width, self.info.height):
            raise InputError(
                f"{path}: {width}x{height} pixels, but {self._paths[0].name} has "
                f"{self.info.width}x{self.info.height}; all images must have one size"
            )

    def survey(self) -> Survey:
        """Number the images."""
        return Survey(timestamps=np.arange(len(self._paths), dtype=np.int64))

    def pictures(self) -> Iterator[av.VideoFrame]:
        """Decode one image after the other."""
        for path in self._paths:
            picture = _decode(path)
            self._check(path, picture.width, picture.height)
            yield picture

    def add_to(self, digest: Digest) -> None:
        """Feed every file."""
        for path in self._paths:
            add_file(digest, path)


def _open(path: Path) -> av.container.InputContainer:
    """Open an image; the prefix keeps FFmpeg from reading a name as a pattern or a web address."""
    return av.open(f"file:{path}", "r", container_options={"pattern_type": "none"})


def _stored_size(path: Path) -> tuple[int, int]:
    """Width and height as the image's header says."""
    try:
        with _open(path) as container:
            stream = container.streams.video[0]
            return stream.codec_context.width, stream.codec_context.height
    except (OSError, ValueError, IndexError) as error:
        raise _unreadable(path, error) from None


def _decode(path: Path) -> av.VideoFrame:
    """Decode the one frame of an image file."""
    try:
        with _open(path) as container:
            return next(iter(container.decode(video=0)))
    except (OSError, ValueError, IndexError, StopIteration) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or "it holds no picture"
    return InputError(f"{path}: not an image that can be read ({reason}); replace or remove it")
