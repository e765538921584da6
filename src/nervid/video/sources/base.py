"""What every source of frames offers."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import av
import numpy as np
from jaxtyping import Int64

from nervid.video.info import VideoInfo
from nervid.video.track import Track

_PROBE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What one pass over a whole source finds out; headers are not trusted for any of it."""

    timestamps: Int64[np.ndarray, " frames"]
    """Ticks of every frame that decodes, strictly increasing."""
    tracks: tuple[Track, ...] = ()
    """Audio and subtitle streams."""
    packets: tuple[tuple[int | None, int], ...] | None = None
    """(time in ticks, bytes) of every video packet; None for sources that have none."""
    warnings: tuple[str, ...] = ()
    """One line each."""


@runtime_checkable
class Digest(Protocol):
    """What hashlib's hash objects are."""

    def update(self, data: bytes, /) -> None:
        """Add bytes to what is hashed."""
        ...


@runtime_checkable
class Source(Protocol):
    """Frames in order, decoded as often as asked and never kept."""

    name: str
    """What messages call it."""
    info: VideoInfo
    """From the header and the first frame."""

    def survey(self) -> Survey:
        """Find out timestamps, tracks and damage in one pass."""
        ...

    def pictures(self) -> Iterator[av.VideoFrame]:
        """Decode all frames from the first one, as they are stored."""
        ...

    def add_to(self, digest: Digest) -> None:
        """Feed what identifies the content, without names or dates."""
        ...


def add_file(digest: Digest, path: Path) -> None:
    """Feed a file's size and its first and last MiB: enough to tell videos apart, quick for any size."""
    size = path.stat().st_size
    digest.update(size.to_bytes(8, "little"))
    with path.open("rb") as file:
        digest.update(file.read(_PROBE_BYTES))
        file.seek(max(0, size - _PROBE_BYTES))
        digest.update(file.read(_PROBE_BYTES))
