"""``nervid encode``: a video into a .nerv file."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from nervid.cli.output import check_output
from nervid.cli.progress import ProgressLine, encode_words
from nervid.cli.screen import bytes_text, print_json, print_note, print_warning, stdout, time_text
from nervid.cli.source import SourceOptions
from nervid.cli.stopping import stop_on_signal
from nervid.encoder.config import EncodeConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from nervid.encoder.encode import EncodeProgress
    from nervid.encoder.result import EncodeReport
    from nervid.fit.distributed import Ranks
    from nervid.video import Clip

FAILED, STOPPED = 1, 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Encode:
    """Encode a video into one .nerv file.

    SOURCE is a video file, a folder or glob of images, or a .npy array. Stopped by Ctrl-C or worse, the same
    command goes on where it was.
    """

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """Video file, folder or glob of images, or .npy array."""
    output: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUTPUT")]
    """The .nerv file to write."""
    config: tyro.conf.OmitArgPrefixes[EncodeConfig] = field(default_factory=EncodeConfig)
    """What to encode to."""
    source_options: tyro.conf.OmitArgPrefixes[SourceOptions] = field(default_factory=SourceOptions)
    """What to take of the source."""
    save_every: Annotated[float, tyro.conf.arg(metavar="SECONDS")] = 20.0
    """Time between two saves of the state: the most that a kill loses."""
    json: bool = False
    """Print the result as JSON."""

    def run(self) -> int:
        """Encode, and return the exit code."""
        # Imported here: torch takes seconds that help and other commands need not wait for.
        from nervid.fit.distributed import ElsewhereError, joined

        try:
            with joined(self.config.device) as ranks:
                return self._encode(ranks)
        except ElsewhereError:
            if os.environ["RANK"] == "0":
                raise
            return FAILED

    def _encode(self, ranks: "Ranks") -> int:
        from nervid.encoder.encode import Interrupted, early_warnings, encode

        with ranks.agreed():
            if ranks.is_first:
                check_output(self.output, example="video.nerv")
            clip = self.source_options.read(self.source)
            warnings = early_warnings(clip, self.config)
        if not ranks.is_first:
            return self._help(clip, ranks)
        for warning in warnings:
            print_warning(warning)
        workdir = self.output.with_name(self.output.name + ".partial")
        if workdir.is_dir():
            print_note(f"found {workdir.name}: going on from there if clip and options are the same")
        try:
            with stop_on_signal(twice_kills=ranks.size == 1) as should_stop, ProgressLine() as line:
                encoded = encode(
                    clip,
                    self.config,
                    workdir=workdir,
                    on_progress=_shower(line),
                    should_stop=should_stop,
                    save_seconds=self.save_every,
                    ranks=ranks,
                )
        except Interrupted:
            print_note(f"stopped; the state is in {workdir}; run the same command to go on")
            return STOPPED
        encoded.save(self.output)
        for warning in encoded.report.warnings:
            if warning not in warnings:
                print_warning(warning)
        self._print(encoded.report)
        return 0

    def _help(self, clip: "Clip", ranks: "Ranks") -> int:
        """Take part in the first rank's encoding; write and say nothing."""
        from nervid.encoder.encode import Interrupted, encode

        try:
            with stop_on_signal(twice_kills=False) as should_stop:
                encode(clip, self.config, should_stop=should_stop, ranks=ranks)
        except Interrupted:
            return STOPPED
        return 0

    def _print(self, report: "EncodeReport") -> None:
        if self.json:
            print_json(report.to_json() | {"output": str(self.output)})
            return
        cosine = report.alignment_cosine
        aligned = "" if cosine is None else f"vectors at a cosine of {cosine:.3f} with {self.config.align}, "
        stdout().print(
            f"{self.output}: {bytes_text(report.size_bytes)} ({report.size_bytes} bytes), "
            f"{report.bits_per_pixel:.4f} bpp, {report.psnr_db:.2f} dB, {report.frames} frames "
            f"{report.width}x{report.height}, {aligned}"
            f"{time_text(report.seconds)} on {report.device}, {report.precision}",
            soft_wrap=True,
        )


def _shower(line: ProgressLine) -> "Callable[[EncodeProgress], None]":
    """Show the first of the running segments, and count the others; warn of any one's restart."""
    restarts: dict[tuple[int, int, str], int] = {}

    def show(progress: "EncodeProgress") -> None:
        fit = (progress.segment, progress.attempt, progress.fit.phase)
        if progress.fit.restarts > restarts.get(fit, 0):
            print_warning(
                f"the fit diverged; back to step {progress.fit.step} with half the learning rate "
                f"(restart {progress.fit.restarts})"
            )
        restarts[fit] = progress.fit.restarts
        if progress.segment == progress.running[0]:
            beside = len(progress.running) - 1
            more = f"  {beside} more beside it" if beside else ""
            line.update(progress.share_done, encode_words(progress) + more)

    return show
