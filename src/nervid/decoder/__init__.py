"""Playing .nerv files; needs no training code."""

from nervid.decoder.dataset import Dataset
from nervid.decoder.decoder import Decoder, open
from nervid.decoder.metadata import VideoMetadata

__all__ = ["Dataset", "Decoder", "VideoMetadata", "open"]
