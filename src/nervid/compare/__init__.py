"""Measure .nerv files against their clip, beside conventional codecs at the same sizes."""

from nervid.compare.codecs import CODECS
from nervid.compare.comparison import compare
from nervid.compare.quality import Quality, ReferenceClip
from nervid.compare.result import CodecCurve, CodecPoint, Comparison, FileResult

__all__ = [
    "CODECS",
    "CodecCurve",
    "CodecPoint",
    "Comparison",
    "FileResult",
    "Quality",
    "ReferenceClip",
    "compare",
]
