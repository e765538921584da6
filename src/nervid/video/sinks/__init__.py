"""Where frames go to: a video file, images, an array file or standard output, behind one interface."""

from nervid.video.sinks.array import ArraySink
from nervid.video.sinks.base import Sink
from nervid.video.sinks.images import ImageSink
from nervid.video.sinks.mux import CONTAINERS, MuxSink
from nervid.video.sinks.raw import RawSink
from nervid.video.sinks.y4m import Y4mSink

__all__ = ["CONTAINERS", "ArraySink", "ImageSink", "MuxSink", "RawSink", "Sink", "Y4mSink"]
