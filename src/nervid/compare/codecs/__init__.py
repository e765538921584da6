"""Conventional codecs as yardsticks: coding, matching a size, measuring a curve."""

from nervid.compare.codecs.coding import CODECS, Codec, CodedClip, decode, encode
from nervid.compare.codecs.curve import measure_curve
from nervid.compare.codecs.matching import CodecRuns

__all__ = ["CODECS", "Codec", "CodecRuns", "CodedClip", "decode", "encode", "measure_curve"]
