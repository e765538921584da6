"""Cut the bundled demo clip out of the 132-frame Big Buck Bunny clip.

    python benchmarks/clips.py bbb && python benchmarks/make_demo_clip.py

The film runs at 24 frames per second; the clip the papers use repeats one frame in every 25 to run at 25.
This script drops the repeats, keeps the liveliest run of frames, scales it down and adds its sound. The same
PyAV version writes the same bytes every time.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from nervid.errors import InputError, NervidError, OutputError

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "benchmarks" / "clips" / "bbb.mp4"
TARGET = ROOT / "src" / "nervid" / "data" / "bunny.mp4"

FRAMES = 48
WIDTH, HEIGHT = 320, 180
RATE = Fraction(24)
"""Frames per second of the film."""
REPEAT_CHANGE = 0.1
"""Mean change in grey levels (0 to 255) under which a frame repeats the one before. In the source, repeats
measure 0.02 to 0.05 and the quietest real step 0.23."""
X264 = {"crf": "10", "preset": "veryslow", "threads": "1"}
"""Near-transparent, so that no rate a demo asks for exceeds the clip's own; one thread for the same bytes."""
SOUND_BITS_PER_SECOND = 96_000
METADATA = {
    "title": "Big Buck Bunny (excerpt)",
    "artist": "Blender Foundation",
    "date": "2008",
    "copyright": "(c) 2008 Blender Foundation, www.bigbuckbunny.org, CC BY 3.0",
    "comment": "Excerpt, scaled to 320x180 and re-encoded; https://creativecommons.org/licenses/by/3.0/",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The part of the source that is kept."""

    planes: NDArray[np.uint8]
    """Frames without repeats, [frames, height * 3 / 2, width]: Y above U above V, packed as yuv420p."""
    start_seconds: float
    """Time of the first frame in the source."""


def changes(luma: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Measure how much each frame differs from the one before.

    Args:
        luma: Grey frames, [frames, height, width], 0 to 255.

    Returns:
        Mean absolute difference in grey levels, [frames - 1].
    """
    signed = luma.astype(np.int16)
    change: NDArray[np.float64] = np.abs(np.diff(signed, axis=0)).mean(axis=(1, 2), dtype=np.float64)
    return change


def liveliest(change: NDArray[np.float64], frames: int) -> int:
    """Find the run of frames with the largest sum of changes, the first one where several tie.

    Args:
        change: Change from each frame to the next, [total frames - 1].
        frames: Length of the run, 1 to total frames.

    Returns:
        The index of the run's first frame.

    Raises:
        InputError: If the run is longer than the clip.
    """
    if frames > len(change) + 1:
        raise InputError(f"wanted a run of {frames} frames, got {len(change) + 1}; take a longer clip")
    sums = np.concatenate([[0.0], np.cumsum(change)])
    return int(np.argmax(sums[frames - 1 :] - sums[: len(sums) - frames + 1]))


def cut(source: Path) -> Cut:
    """Read the liveliest frames of ``source``, without repeats, scaled down by area averaging."""
    planes: list[NDArray[np.uint8]] = []
    seconds: list[float] = []
    with av.open(str(source)) as container:
        for frame in container.decode(video=0):
            # Area averaging: each output pixel is the mean of the 4x4 source pixels it covers, no ringing.
            small = frame.reformat(WIDTH, HEIGHT, "yuv420p", interpolation=Interpolation.AREA)
            planes.append(small.to_ndarray().astype(np.uint8, copy=False))
            seconds.append(frame.time or 0.0)
    packed = np.stack(planes)
    luma = packed[:, :HEIGHT]
    new = np.concatenate([[0], np.flatnonzero(changes(luma) >= REPEAT_CHANGE) + 1])
    first = liveliest(changes(luma[new]), FRAMES)
    kept = new[first : first + FRAMES]
    return Cut(planes=packed[kept], start_seconds=seconds[int(kept[0])])


def stereo(source: Path, *, start_seconds: float, duration_seconds: float) -> NDArray[np.float32]:
    """Read a stretch of sound, mixed down to stereo at 48 kHz.

    Args:
        source: A file with at least one audio stream.
        start_seconds: Where the stretch begins.
        duration_seconds: Its length; the result is shorter only if the sound ends before.

    Returns:
        Samples, [2, samples], -1 to 1.
    """
    rate = 48_000
    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=rate)
    with av.open(str(source)) as container:
        pieces = [
            out.to_ndarray() for frame in container.decode(audio=0) for out in resampler.resample(frame)
        ]
    samples: NDArray[np.float32] = np.concatenate(pieces, axis=1, dtype=np.float32)
    begin = round(start_seconds * rate)
    return samples[:, begin : begin + round(duration_seconds * rate)]


def sound_frames(samples: NDArray[np.float32], frame_size: int) -> Iterator[av.AudioFrame]:
    """Split samples, [2, samples], into the frames an encoder takes."""
    for begin in range(0, samples.shape[1], frame_size):
        piece = np.ascontiguousarray(samples[:, begin : begin + frame_size])
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="stereo")
        frame.sample_rate = 48_000
        frame.pts = begin
        frame.time_base = Fraction(1, 48_000)
        yield frame


def write(target: Path, kept: Cut, samples: NDArray[np.float32]) -> None:
    """Encode the cut as H.264 with AAC sound; the file appears by rename only.

    Raises:
        OutputError: If the file cannot be written.
    """
    partial = target.with_name(f".{target.name}.part")
    try:
        with av.open(
            str(partial), "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"}
        ) as container:
            container.metadata.update(METADATA)
            video = container.add_stream("libx264", rate=RATE, options=X264)
            video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            audio = container.add_stream("aac", rate=48_000, layout="stereo")
            audio.bit_rate = SOUND_BITS_PER_SECOND
            video.codec_context.flags |= Flags.bitexact.value
            audio.codec_context.flags |= Flags.bitexact.value
            for index, planes in enumerate(kept.planes):
                # A frame made from an array has defined bytes in its padding, which x264's choices depend on.
                frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
                frame.pts, frame.time_base = index, 1 / RATE
                container.mux(video.encode(frame))
            container.mux(video.encode())
            for sound in sound_frames(samples, 1024):
                container.mux(audio.encode(sound))
            container.mux(audio.encode())
        os.replace(partial, target)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def main() -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description="Cut the bundled demo clip out of the Big Buck Bunny clip.")
    parser.add_argument("--source", type=Path, default=SOURCE, help="the 132-frame 1280x720 clip")
    parser.add_argument("--target", type=Path, default=TARGET, help="the mp4 to write")
    options = parser.parse_args()
    try:
        if not options.source.is_file():
            raise InputError(f"no clip at {options.source}; fetch it with: python benchmarks/clips.py bbb")
        kept = cut(options.source)
        samples = stereo(
            options.source, start_seconds=kept.start_seconds, duration_seconds=float(FRAMES / RATE)
        )
        write(options.target, kept, samples)
    except NervidError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    size = options.target.stat().st_size
    print(f"{options.target}: {FRAMES} frames from {kept.start_seconds:.2f} s on, {size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
