"""Conventional codecs as yardsticks: the same RGB frames through x264, x265, SVT-AV1 or vvenc."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from jaxtyping import UInt8

from nervid.compare.ffmpeg import decode_vvc, encode_vvc
from nervid.compare.quality import ReferenceClip
from nervid.errors import InputError

_X26X_PRESETS = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast", "medium"),
    *("slow", "slower", "veryslow", "placebo"),
)

# Bicubic with exact rounding and full chroma: the library's defaults lose 7 dB in the conversion alone.
_SCALING = (
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """One encoder, the decoder of its streams and the scale of its quality setting.

    Everything not named here is the encoder's own default, except that one GOP spans the whole clip
    (an encoder may still place a keyframe at a scene cut) and that streams carry no advertising.
    """

    name: str
    """Name on the command line and in results."""
    encoder: str
    """FFmpeg's name of the encoder."""
    decoder: str
    """FFmpeg's name of the decoder."""
    default_preset: str
    """Effort when none is asked for."""
    presets: tuple[str, ...]
    """Efforts there are, fastest first (slowest first for SVT-AV1, which counts speed)."""
    setting: str
    """What the quality setting is called: ``crf`` (constant rate factor) or ``qp``."""
    finest: float
    """Lowest quality setting: largest stream."""
    coarsest: float
    """Highest quality setting: smallest stream."""
    step: float
    """Smallest change of the quality setting that the encoder honours."""
    halving: float
    """Change of the setting that about halves the stream: a starting guess, not a promise."""


CODECS = {
    codec.name: codec
    for codec in (
        Codec(
            name="x264", encoder="libx264", decoder="h264", default_preset="medium", presets=_X26X_PRESETS,
            setting="crf", finest=1.0, coarsest=51.0, step=0.1, halving=6.0,
        ),
        Codec(
            name="x265", encoder="libx265", decoder="hevc", default_preset="medium", presets=_X26X_PRESETS,
            setting="crf", finest=1.0, coarsest=51.0, step=0.1, halving=6.0,
        ),
        Codec(
            name="svtav1", encoder="libsvtav1", decoder="libdav1d", default_preset="8",
            presets=tuple(str(speed) for speed in range(14)),
            setting="crf", finest=1.0, coarsest=63.0, step=0.25, halving=11.0,
        ),
        Codec(
            name="vvenc", encoder="libvvenc", decoder="vvc", default_preset="medium",
            presets=("faster", "fast", "medium", "slow", "slower"),
            setting="qp", finest=1.0, coarsest=63.0, step=1.0, halving=6.0,
        ),
    )
}  # fmt: skip
"""The yardsticks by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedClip:
    """A clip coded by a conventional codec: its bare packets, without a container."""

    codec: Codec
    preset: str
    crf: float
    """The codec's quality setting (its ``setting`` says whether CRF or QP)."""
    packets: tuple[bytes, ...]
    """Packets in coding order, parameter sets included; one whole stream for vvenc."""
    width: int
    """Columns of a frame."""
    height: int
    """Rows of a frame."""
    encode_seconds: float
    """Wall-clock time of reading, converting and encoding the frames."""

    @property
    def size_bytes(self) -> int:
        """Bytes of all packets: a lower bound for any file that holds them."""
        return sum(map(len, self.packets))


def encode(clip: ReferenceClip, codec: Codec, *, preset: str, crf: float) -> CodedClip:
    """Encode a clip's RGB frames as 4:2:0 BT.709 limited range (8 bits; 10 for vvenc).

    An odd width or height is padded by repeating the last column or row, as 4:2:0 needs.

    Args:
        clip: The frames.
        codec: One of `CODECS`.
        preset: One of the codec's presets.
        crf: Quality setting, from the codec's ``finest`` to its ``coarsest``.

    Returns:
        The packets.

    Raises:
        InputError: If the encoder refuses the clip, for example because it is too small for it.
        MissingExtraError: If vvenc is asked for without the ``ffmpeg`` extra.
    """
    width, height = clip.info.width, clip.info.height
    start = time.perf_counter()
    if codec.name == "vvenc":
        stream = encode_vvc(
            map(_pad_to_even, clip.iter_frames()),
            width=width + width % 2,
            height=height + height % 2,
            frame_rate=_frame_rate(clip),
            frame_count=len(clip),
            preset=preset,
            qp=round(crf),
        )
        packets: tuple[bytes, ...] = (stream,)
    else:
        try:
            with _quiet_svt():
                packets = tuple(_encode_packets(clip, codec, preset=preset, crf=crf))
        except av.FFmpegError as error:
            raise InputError(
                f"{codec.name} cannot encode {len(clip)} frames of {width}x{height} with preset {preset}: "
                f"{error}; leave it out of --against"
            ) from error
    return CodedClip(
        codec=codec,
        preset=preset,
        crf=crf,
        packets=packets,
        width=width,
        height=height,
        encode_seconds=time.perf_counter() - start,
    )


def decode(coded: CodedClip) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Decode a coded clip, one frame at a time.

    Args:
        coded: What `encode` returned.

    Yields:
        RGB frames, 0 to 255, at the clip's own size.

    Raises:
        MissingExtraError: If it was coded by vvenc and the ``ffmpeg`` extra is gone.
    """
    width, height = coded.width, coded.height
    if coded.codec.name == "vvenc":
        even = decode_vvc(coded.packets[0], width=width + width % 2, height=height + height % 2)
    else:
        even = _decode_packets(coded)
    for frame in even:
        yield frame[:height, :width]


def _encode_packets(clip: ReferenceClip, codec: Codec, *, preset: str, crf: float) -> Iterator[bytes]:
    """Packets in coding order, as the encoder gives them."""
    context = av.CodecContext.create(codec.encoder, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width = clip.info.width + clip.info.width % 2
    context.height = clip.info.height + clip.info.height % 2
    context.pix_fmt = "yuv420p"
    context.framerate = _frame_rate(clip)
    context.time_base = 1 / _frame_rate(clip)
    context.options = {"preset": preset, "g": str(len(clip)), **_quality_options(codec, crf)}
    # x264 opens its stream with 700 bytes that name it and its settings (SEI, unit type 6): not picture.
    strip = BitStreamFilterContext("filter_units=remove_types=6", "h264") if codec.name == "x264" else None
    for picture in chain(_pictures(clip), [None]):
        for packet in context.encode(picture):
            for kept in [packet] if strip is None else strip.filter(packet):
                yield bytes(kept)


def _pictures(clip: ReferenceClip) -> Iterator[av.VideoFrame]:
    """The clip's frames as an encoder takes them."""
    for index, frame in enumerate(clip.iter_frames()):
        picture = av.VideoFrame.from_ndarray(_pad_to_even(frame), format="rgb24").reformat(
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation=_SCALING,
        )
        picture.pts = index
        yield picture


def _decode_packets(coded: CodedClip) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """RGB frames of even size, in presentation order."""
    context = av.CodecContext.create(coded.codec.decoder, "r")
    assert isinstance(context, av.VideoCodecContext)
    for data in (*coded.packets, None):
        for picture in context.decode(None if data is None else av.Packet(data)):
            yield picture.reformat(
                format="rgb24",
                src_colorspace=Colorspace.ITU709,
                src_color_range=ColorRange.MPEG,
                dst_color_range=ColorRange.JPEG,
                interpolation=_SCALING,
            ).to_ndarray()


def _quality_options(codec: Codec, crf: float) -> dict[str, str]:
    """How each encoder takes a fractional CRF, silently and without advertising itself in the stream."""
    if codec.name == "svtav1":
        return {"svtav1-params": f"crf={crf:g}"}
    if codec.name == "x265":
        return {"crf": f"{crf:g}", "x265-params": "info=0:log-level=none"}
    return {"crf": f"{crf:g}"}


@contextmanager
def _quiet_svt() -> Iterator[None]:
    """Keep SVT-AV1 from writing to standard error; it listens to nothing but this variable."""
    before = os.environ.get("SVT_LOG")
    os.environ["SVT_LOG"] = before or "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["SVT_LOG"]


def _frame_rate(clip: ReferenceClip) -> Fraction:
    return clip.info.frame_rate.limit_denominator(1001)  # encoders refuse larger clocks; rates are in 1001ths


def _pad_to_even(frame: UInt8[np.ndarray, "_ _ 3"]) -> UInt8[np.ndarray, "_ _ 3"]:
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
