"""``nervid decode``: a .nerv file back into a video."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from nervid.cli.progress import ProgressLine
from nervid.cli.screen import print_json, print_note, print_warning, stdout, time_text
from nervid.errors import InputError

if TYPE_CHECKING:
    from nervid.decoder import Decoder
    from nervid.video import VideoWriter

FRAMES_BEHIND = 4
"""Frames drawn and not yet written from which on writing counts as the slower side; chosen by measurement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decode:
    """Decode a .nerv file into a video, images, an array or raw RGB.

    The ending of OUTPUT decides: .mp4, .mkv or .mov is a video with its sound, subtitles and tags; .y4m and
    .npy are uncompressed; a folder gets PNG images; - writes raw RGB frames to stdout, ready for
    ``ffplay -f rawvideo -pixel_format rgb24``.
    """

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """The .nerv file."""
    output: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="OUTPUT")]
    """Video file, folder for images, .npy file, or - for raw RGB on stdout."""
    codec: str = "libx264"
    """FFmpeg's name of the encoder for .mp4, .mkv and .mov, such as libx265, libsvtav1 or ffv1."""
    crf: int | None = None
    """Quality for that encoder; lower is better (libx264: 18 if not given)."""
    start: Annotated[float | None, tyro.conf.arg(metavar="SECONDS")] = None
    """First moment to decode; sound and subtitles are left out of a part."""
    duration: Annotated[float | None, tyro.conf.arg(metavar="SECONDS")] = None
    """How much to decode."""
    device: str = "cpu"
    """Where to run the networks: cpu, cuda, cuda:1."""
    json: bool = False
    """Print the result as JSON."""

    def run(self) -> int:
        """Decode, and return the exit code."""
        # Imported here: torch takes seconds that help and other commands need not wait for.
        import time

        from nervid.decoder import open
        from nervid.video import open_writer
        from nervid.video.sinks import CONTAINERS

        started = time.monotonic()
        with open(self.source, device=self.device) as decoder:
            first, stop = _frame_range(decoder, self.start, self.duration)
            whole = (first, stop) == (0, len(decoder))
            tracks = decoder.tracks if whole else ()
            if not whole and decoder.metadata.tracks:
                print_warning("sound and subtitles are left out of a part")
            if tracks and Path(self.output).suffix.lower() not in CONTAINERS:
                print_warning(f"sound and subtitles are left out: {self.output} cannot hold them")
            writer = open_writer(self.output, decoder.info, codec=self.codec, crf=self.crf, tracks=tracks)
            frames = range(first, stop)
            with ProgressLine() as line:

                def show(done: int) -> None:
                    pace = done / (time.monotonic() - started)
                    line.update(
                        done / len(frames), f"decoding  {done}/{len(frames)} frames  {pace:.1f} frames/s"
                    )

                _write_frames(decoder, frames, writer, in_thread=self.output != "-", on_frame=show)
        seconds = time.monotonic() - started
        if self.output == "-":
            print_note(f"{len(frames)} frames in {time_text(seconds)}")
        elif self.json:
            print_json({"output": self.output, "frames": len(frames), "seconds": seconds})
        else:
            speed = f"{len(frames) / seconds:.1f} frames/s"
            stdout().print(
                f"{self.output}: {len(frames)} frames in {time_text(seconds)}, {speed}", soft_wrap=True
            )
        return 0


def _write_frames(
    decoder: "Decoder",
    indices: range,
    writer: "VideoWriter",
    *,
    in_thread: bool,
    on_frame: Callable[[int], None],
) -> None:
    """Draw frames and write them.

    Args:
        decoder: What draws.
        indices: The frames.
        writer: Entered and left here.
        in_thread: Whether a thread writes while the next frames are drawn. A pipe is written without: a
            thread that waits for a reader who pauses could not be ended by Ctrl-C.
        on_frame: Called with the number of frames drawn so far.
    """
    import torch

    from nervid.video.background import in_background

    threads = torch.get_num_threads()
    try:
        with in_background(writer) if in_thread else writer as target:
            for done, index in enumerate(indices, start=1):
                if not writer.is_open:
                    return  # the reader of stdout has left
                # Threads that only wait for each other would keep the writer, now the slower one, off a core.
                wanted = threads - 1 if target.unwritten >= FRAMES_BEHIND and threads > 1 else threads
                if torch.get_num_threads() != wanted:
                    torch.set_num_threads(wanted)
                target.write(decoder[index].permute(1, 2, 0).numpy(), int(decoder.timestamps[index]))
                on_frame(done)
    finally:
        torch.set_num_threads(threads)


def _frame_range(decoder: "Decoder", start: float | None, duration: float | None) -> tuple[int, int]:
    """The frames on screen from ``start`` on, for ``duration``."""
    import numpy as np

    begin = decoder.seconds_of(0) if start is None else start
    end = float("inf") if duration is None else begin + duration
    seconds = decoder.timestamps * float(decoder.info.time_base)
    chosen = np.flatnonzero((seconds >= begin - 1e-9) & (seconds < end))
    if not len(chosen):
        raise InputError(
            f"no frame begins between {begin:g} s and {end:g} s; see nervid info for the duration"
        )
    return int(chosen[0]), int(chosen[-1]) + 1
