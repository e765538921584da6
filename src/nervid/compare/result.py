"""What a comparison found: plain frozen values, ready for tables, plots and JSON."""

from dataclasses import dataclass
from fractions import Fraction

from nervid.compare.quality import Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class FileResult:
    """What one .nerv file costs and gives."""

    path: str
    """The file, as it was named."""
    size_bytes: int
    """Bytes on disk, everything in the file included."""
    bits_per_pixel: float
    """8 * size_bytes / (frames * height * width)."""
    picture_bytes: int
    """``size_bytes`` less the copied sound and subtitles: what compares with a codec's video stream."""
    picture_bits_per_pixel: float
    """8 * picture_bytes / (frames * height * width)."""
    quality: Quality
    """Scores of its frames."""
    decode_seconds: float
    """Wall-clock time of drawing all frames, in order and on the CPU; opening the file left out."""

    @property
    def decode_frames_per_second(self) -> float:
        """Frames drawn per second."""
        return len(self.quality.psnr_db) / self.decode_seconds

    def to_json(self) -> dict[str, object]:
        """Return plain values for `json.dumps`."""
        return {
            "path": self.path,
            "size_bytes": self.size_bytes,
            "bits_per_pixel": self.bits_per_pixel,
            "picture_bytes": self.picture_bytes,
            "picture_bits_per_pixel": self.picture_bits_per_pixel,
            "decode_seconds": self.decode_seconds,
            "decode_frames_per_second": self.decode_frames_per_second,
            **self.quality.to_json(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecPoint:
    """What one stream of a conventional codec costs and gives."""

    crf: float
    """Quality setting; see the curve's ``setting``."""
    size_bytes: int
    """Bytes of the packets, without a container."""
    bits_per_pixel: float
    """8 * size_bytes / (frames * height * width)."""
    quality: Quality
    """Scores of its frames, after conversion back to RGB."""
    encode_seconds: float
    """Wall-clock time of reading the clip, converting and encoding."""
    decode_seconds: float
    """Wall-clock time of decoding and converting back."""
    matches: tuple[str, ...]
    """The .nerv files whose size it was made to match; empty for the other points of the curve."""

    def to_json(self) -> dict[str, object]:
        """Return plain values for `json.dumps`."""
        return {
            "crf": self.crf,
            "size_bytes": self.size_bytes,
            "bits_per_pixel": self.bits_per_pixel,
            "encode_seconds": self.encode_seconds,
            "decode_seconds": self.decode_seconds,
            "matches": list(self.matches),
            **self.quality.to_json(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecCurve:
    """The rate-distortion curve of one codec on the clip."""

    codec: str
    """x264, x265, svtav1 or vvenc."""
    preset: str
    """The encoder's own name of its effort."""
    setting: str
    """Whether the points' quality setting is a ``crf`` or a ``qp``."""
    points: tuple[CodecPoint, ...]
    """By rising size."""
    bd_rate_percent: float | None
    """Rate of the .nerv files relative to this codec at equal PSNR, in percent: -50 means half."""
    bd_rate_missing: str | None
    """Why there is no BD-rate; None when there is one."""

    def to_json(self) -> dict[str, object]:
        """Return plain values for `json.dumps`."""
        return {
            "codec": self.codec,
            "preset": self.preset,
            "setting": self.setting,
            "bd_rate_percent": self.bd_rate_percent,
            "bd_rate_missing": self.bd_rate_missing,
            "points": [point.to_json() for point in self.points],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Everything measured on one clip."""

    width: int
    """Columns of a frame."""
    height: int
    """Rows of a frame."""
    frames: int
    """Number of frames."""
    frame_rate: Fraction
    """Frames per second."""
    source_bits_per_pixel: float | None
    """Rate of the source's own video stream; None when it is not a compressed video."""
    files: tuple[FileResult, ...]
    """The .nerv files, in the order asked."""
    codecs: tuple[CodecCurve, ...]
    """The codecs, in the order asked."""
    warnings: tuple[str, ...]
    """One line each: what makes the numbers prove less than they seem to."""

    def to_json(self) -> dict[str, object]:
        """Return plain values for `json.dumps`."""
        return {
            "width": self.width,
            "height": self.height,
            "frames": self.frames,
            "frame_rate": str(self.frame_rate),
            "source_bits_per_pixel": self.source_bits_per_pixel,
            "files": [file.to_json() for file in self.files],
            "codecs": [curve.to_json() for curve in self.codecs],
            "warnings": list(self.warnings),
        }
