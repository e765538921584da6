"""Small videos made with PyAV: the recipes that the tests of nervid.video share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from nervid.video import Clip, TrackPacket, open_writer, read

CUES = [(b"Hello", 100, 400), (b"Good bye", 500, 300)]
"""Subtitles as (text, start, duration) in milliseconds."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a synthetic video is encoded."""

    codec: str = "libx264"
    frames: int = 24
    width: int = 48
    height: int = 32
    pixel_format: str = "yuv420p"
    time_base: Fraction = Fraction(1, 25)
    pts: Sequence[int] | None = None
    options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    color: tuple[int, int, int, int] | None = None
    pixel_aspect: Fraction | None = None
    rotation: int = 0
    audio: str | None = None
    subtitle: str | None = None


def picture(index: int, width: int = 48, height: int = 32) -> NDArray[np.uint8]:
    """Frame ``index`` of every sample: a gradient with a bright bar that moves, uint8 [height, width, 3]."""
    rows, columns = np.mgrid[0:height, 0:width]
    red, green = columns * 255 // width, rows * 255 // height
    frame = np.stack([red, green, 255 - red], axis=-1).astype(np.uint8)
    frame[:, index % (width - 4) : index % (width - 4) + 4] = 240
    return frame


def make_video(path: Path, recipe: Recipe | None = None) -> Path:
    """Encode a sample with video and, if the recipe says so, sound and subtitles."""
    recipe = recipe or Recipe()
    with av.open(str(path), "w", options=recipe.container_options) as container:
        container.metadata.update(recipe.metadata)
        video = container.add_stream(recipe.codec, rate=25, options=dict(recipe.options))
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt = recipe.width, recipe.height, recipe.pixel_format
        video.codec_context.time_base = recipe.time_base
        video.time_base = recipe.time_base
        if recipe.color:
            video.color_primaries, video.color_trc, video.colorspace, video.color_range = recipe.color
        if recipe.pixel_aspect:
            video.codec_context.sample_aspect_ratio = recipe.pixel_aspect
        if recipe.rotation:
            video.set_display_rotation(recipe.rotation)
        audio = container.add_stream(recipe.audio, rate=48000) if recipe.audio else None
        subtitle = container.add_mux_stream(recipe.subtitle) if recipe.subtitle else None
        if subtitle:
            subtitle.time_base = Fraction(1, 1000)
            subtitle.metadata["language"] = "eng"
        for index in range(recipe.frames):
            frame = av.VideoFrame.from_ndarray(picture(index, recipe.width, recipe.height), format="rgb24")
            frame = frame.reformat(format=recipe.pixel_format)
            frame.time_base, frame.pts = recipe.time_base, recipe.pts[index] if recipe.pts else index
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if isinstance(audio, AudioStream):
            _add_tone(container, audio, recipe.frames * 2)
        for text, start, duration in CUES if subtitle else []:
            prefix = len(text).to_bytes(2, "big") if recipe.subtitle == "mov_text" else b""
            packet = Packet(prefix + text)
            assert subtitle is not None
            packet.stream, packet.time_base = subtitle, Fraction(1, 1000)
            packet.pts = packet.dts = start
            packet.duration = duration
            container.mux(packet)
    return path


def _add_tone(container: av.container.OutputContainer, stream: AudioStream, blocks: int) -> None:
    """Encode blocks of 960 or 1024 samples of a 440 Hz tone."""
    name = stream.codec_context.name
    size = 960 if name == "libopus" else 1024
    kind = "s16" if name == "pcm_s16le" else "flt" if name == "libopus" else "fltp"
    for block in range(blocks):
        tone = np.sin(np.arange(block * size, (block + 1) * size) * (440 * 2 * np.pi / 48000))
        samples = np.stack([tone, tone]).astype(np.float32)
        if kind == "fltp":
            frame = av.AudioFrame.from_ndarray(samples, format=kind, layout="stereo")
        else:
            mixed = np.ascontiguousarray(samples.T).reshape(1, -1)
            data = mixed if kind == "flt" else (mixed * 9000).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(data, format=kind, layout="stereo")
        frame.sample_rate, frame.pts = 48000, block * size
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def reference_frames(path: Path) -> list[NDArray[np.uint8]]:
    """All frames as plain PyAV gives them."""
    with av.open(str(path)) as container:
        return [np.asarray(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def reference_packets(path: Path, kind: str) -> list[TrackPacket]:
    """All packets of the first audio or subtitle stream as plain PyAV gives them."""
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        return [
            TrackPacket(
                data=bytes(packet),
                pts=packet.pts,
                dts=packet.dts,
                duration=packet.duration,
                is_keyframe=packet.is_keyframe,
            )
            for packet in container.demux(stream)
            if packet.dts is not None
        ]


def copy_clip(clip: Clip, target: Path, codec: str = "libx264", crf: int | None = None) -> Clip:
    """Write a clip with all it has, and read the result."""
    with open_writer(target, clip.info, tracks=clip.tracks, codec=codec, crf=crf) as writer:
        for frame, timestamp in zip(clip.iter_frames(), clip.timestamps, strict=True):
            writer.write(frame, int(timestamp))
    return read(target)


def seconds(clip: Clip) -> list[Fraction]:
    """Exact times of all frames."""
    return [int(tick) * clip.info.time_base for tick in clip.timestamps]
