"""The short clip that ships with nervid, for demos, docs and tests."""

from importlib import resources
from pathlib import Path

__all__ = ["demo_clip"]


def demo_clip() -> Path:
    """Return the path of the bundled Big Buck Bunny clip.

    48 frames of 320x180 at 24 frames per second, H.264 with stereo AAC sound, 2 seconds. Its author, license
    and the changes made to it stand in the README.md beside it.

    Example:
        >>> demo_clip().name
        'bunny.mp4'
    """
    return Path(str(resources.files(__name__) / "bunny.mp4"))
