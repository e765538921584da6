"""What only an ffmpeg binary can do: H.266 by vvenc, and VMAF; through pipes, never a shell."""

import json
import math
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
from jaxtyping import UInt8

from nervid.errors import InputError, MissingExtraError

_SCALE_FLAGS = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
"""Without exact rounding and full chroma the conversion alone caps PSNR near 44 dB instead of 51 dB."""


def ffmpeg_path() -> str:
    """Find the ffmpeg binary that imageio-ffmpeg carries (or ``IMAGEIO_FFMPEG_EXE`` names).

    Returns:
        Path of an executable.

    Raises:
        MissingExtraError: If the package or its binary is not there.
    """
    try:
        import imageio_ffmpeg  # deferred: optional

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise MissingExtraError("an ffmpeg binary (for vvenc and VMAF)", "ffmpeg") from error


def encode_vvc(
    frames: Iterable[UInt8[np.ndarray, "height width 3"]],
    *,
    width: int,
    height: int,
    frame_rate: Fraction,
    frame_count: int,
    preset: str,
    qp: int,
) -> bytes:
    """Encode RGB frames as one H.266 elementary stream, 10-bit 4:2:0 BT.709 limited range.

    Ten bits is the only depth vvenc takes from ffmpeg; every other setting is vvenc's default, except
    that the intra period spans the whole clip.

    Args:
        frames: RGB frames, 0 to 255.
        width: Columns, even.
        height: Rows, even.
        frame_rate: Frames per second.
        frame_count: Number of frames.
        preset: ``faster`` to ``slower``.
        qp: Quantization parameter, 0 (finest) to 63.

    Returns:
        The stream, parameter sets included.

    Raises:
        InputError: If ffmpeg does not run or vvenc refuses the clip.
        MissingExtraError: If there is no ffmpeg binary.
    """
    with tempfile.TemporaryDirectory(prefix="nervid-") as folder:
        stream = Path(folder, "stream.vvc")
        arguments = [
            *_raw_input(width, height, frame_rate),
            *("-vf", f"scale=out_color_matrix=bt709:out_range=tv:flags={_SCALE_FLAGS},format=yuv420p10le"),
            *("-c:v", "libvvenc", "-preset", preset, "-qp", str(qp)),
            *("-period", str(math.ceil(frame_count / frame_rate))),
            *("-f", "vvc", str(stream)),
        ]
        with _Ffmpeg(arguments, folder=folder, what="vvenc") as process:
            for frame in frames:
                process.write(frame)
            process.finish()
        return stream.read_bytes()


def decode_vvc(stream: bytes, *, width: int, height: int) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Decode what `encode_vvc` returned, one frame at a time.

    Args:
        stream: H.266 elementary stream.
        width: Its columns.
        height: Its rows.

    Yields:
        RGB frames, 0 to 255.

    Raises:
        InputError: If ffmpeg cannot decode it.
        MissingExtraError: If there is no ffmpeg binary.
    """
    with tempfile.TemporaryDirectory(prefix="nervid-") as folder:
        source = Path(folder, "stream.vvc")
        source.write_bytes(stream)
        arguments = [
            *("-i", str(source), "-fps_mode", "passthrough"),
            *("-vf", f"scale=in_color_matrix=bt709:in_range=tv:flags={_SCALE_FLAGS},format=rgb24"),
            *("-f", "rawvideo", "pipe:1"),
        ]
        with _Ffmpeg(arguments, folder=folder, what="the H.266 decoder") as process:
            while len(pixels := process.read(height * width * 3)) == height * width * 3:
                yield np.frombuffer(pixels, np.uint8).reshape(height, width, 3)
            process.finish()


class VmafMeter:
    """VMAF of pairs of frames, fed as they come; use it as a context manager.

    Model vmaf_v0.6.1, the default of libvmaf. Each pair goes down one pipe as a picture of twice the
    height, cut apart inside ffmpeg: two inputs could wait for each other forever.
    """

    def __init__(self, *, width: int, height: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="nervid-")
        convert = f"scale=out_color_matrix=bt709:out_range=tv:flags={_SCALE_FLAGS},format=yuv420p"
        graph = (
            f"[0:v]split[a][b];[a]crop={width}:{height}:0:0,{convert}[reference];"
            f"[b]crop={width}:{height}:0:{height},{convert}[decoded];"
            "[decoded][reference]libvmaf=log_fmt=json:log_path=vmaf.json"
        )
        arguments = [
            *_raw_input(width, 2 * height, Fraction(25)),  # VMAF per frame does not depend on the rate
            *("-filter_complex", graph, "-f", "null", "-"),
        ]
        try:
            self._process = _Ffmpeg(arguments, folder=self._folder.name, what="VMAF")
        except BaseException:
            self._folder.cleanup()
            raise

    def __enter__(self) -> "VmafMeter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.__exit__(kind, error, trace)
        self._folder.cleanup()

    def add(
        self,
        reference: Sequence[UInt8[np.ndarray, "height width 3"]],
        decoded: Sequence[UInt8[np.ndarray, "height width 3"]],
    ) -> None:
        """Feed the next frames.

        Args:
            reference: Original frames, RGB 0 to 255.
            decoded: Decoded frames, as many.

        Raises:
            InputError: If ffmpeg gave up.
        """
        for pair in zip(reference, decoded, strict=True):
            self._process.write(np.concatenate(pair))

    def finish(self) -> tuple[float, ...]:
        """Close the pipe, wait and read the scores.

        Returns:
            One score per frame, 0 to 100.

        Raises:
            InputError: If ffmpeg failed.
        """
        self._process.finish()
        log = json.loads(Path(self._folder.name, "vmaf.json").read_text(encoding="utf-8"))
        return tuple(float(frame["metrics"]["vmaf"]) for frame in log["frames"])


class _Ffmpeg:
    """A running ffmpeg, killed on leaving the context if it has not ended."""

    def __init__(self, arguments: Sequence[str], *, folder: str, what: str) -> None:
        self._what = what
        command = [ffmpeg_path(), "-loglevel", "error", "-nostdin", "-y", *arguments]
        # To a file: a full stderr pipe that nobody reads would stop ffmpeg.
        self._messages: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed in __exit__
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._messages,
                cwd=folder,
            )
        except OSError as error:
            self._messages.close()
            raise InputError(
                f"cannot run {command[0]}: {error.strerror}; reinstall imageio-ffmpeg"
            ) from error

    def __enter__(self) -> "_Ffmpeg":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._messages):
            try:
                if pipe is not None:
                    pipe.close()
            except BrokenPipeError:  # unsent bytes of a frame; the process is gone
                continue

    def write(self, frame: UInt8[np.ndarray, "rows width 3"]) -> None:
        """Send one frame."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(np.ascontiguousarray(frame).data)
        except BrokenPipeError:
            raise self._failure() from None

    def read(self, size: int) -> bytes:
        """Receive ``size`` bytes, fewer at the end."""
        assert self._process.stdout is not None
        return self._process.stdout.read(size)

    def finish(self) -> None:
        """Send the end of the input and wait for success."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            raise self._failure() from None
        if self._process.wait() != 0:
            raise self._failure()

    def _failure(self) -> InputError:
        code = self._process.wait()
        self._messages.seek(0)
        lines = self._messages.read().decode(errors="replace").strip().splitlines()
        return InputError(
            f"{self._what} failed (ffmpeg exit code {code}): {lines[-1] if lines else 'no message'}"
        )


def _raw_input(width: int, height: int, frame_rate: Fraction) -> list[str]:
    """Arguments that read raw RGB frames from standard input."""
    size = f"{width}x{height}"
    return [
        "-f",
        "rawvideo",
        "-pixel_format",
        "rgb24",
        "-video_size",
        size,
        "-framerate",
        str(frame_rate),
        "-i",
        "pipe:0",
    ]
