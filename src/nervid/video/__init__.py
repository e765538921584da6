"""Video in and out: files, images and arrays become a Clip, frames become files; no torch."""

from nervid.video.clip import Clip, read
from nervid.video.info import Color, VideoInfo
from nervid.video.track import Track, TrackPacket
from nervid.video.write import VideoWriter, open_writer

__all__ = [
    "Clip",
    "Color",
    "Track",
    "TrackPacket",
    "VideoInfo",
    "VideoWriter",
    "open_writer",
    "read",
]
