"""Where frames come from: a video file, image files or an array, behind one interface."""

from nervid.video.sources.array import ArraySource
from nervid.video.sources.base import Source, Survey
from nervid.video.sources.file import FileSource
from nervid.video.sources.images import ImageSource
from nervid.video.sources.select import select_source

__all__ = ["ArraySource", "FileSource", "ImageSource", "Source", "Survey", "select_source"]
