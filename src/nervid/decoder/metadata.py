"""What a decoder says about the video in a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoMetadata:
    """Facts about the video, all from the file's head."""

    width: int
    """Pixels per row, as delivered and as in the source."""
    height: int
    """Rows."""
    frames: int
    """Number of frames."""
    frame_rate: Fraction
    """Average frames per second."""
    duration_seconds: float
    """From the first frame's time to the end of the last frame, in seconds."""
    size_bytes: int
    """Size of the whole file, sound and subtitles included."""
    bits_per_pixel: float
    """8 * size_bytes / (frames * height * width)."""
    segments: int
    """Stretches of frames that share a network."""
    pixel_aspect: Fraction
    """Width over height of one pixel."""
    rotation: int
    """Degrees a player turns the picture, as FFmpeg counts; frames are delivered unturned."""
    tracks: tuple[str, ...]
    """Copied sound and subtitle tracks, such as "audio aac"."""
    track_bytes: int
    """Bytes of the file that those take."""
    tags: Mapping[str, str]
    """The source's own metadata, such as its title."""
