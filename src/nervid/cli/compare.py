"""``nervid compare``: .nerv files against their source, beside conventional codecs."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from rich.table import Table

from nervid.cli.screen import bytes_text, print_json, print_note, print_warning, stdout
from nervid.cli.source import SourceOptions

if TYPE_CHECKING:
    from nervid.compare import Comparison, Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """Measure .nerv files against the video they were made from: PSNR and MS-SSIM per frame, rate, speed.

    Give the same trimming and scaling options as to encode. With --against, conventional codecs encode the
    same frames at the same sizes, and four or more files give a BD-rate.
    """

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """The video that was encoded."""
    files: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FILE...")]
    """One or more .nerv files of it."""
    against: tuple[Literal["x264", "x265", "svtav1", "vvenc"], ...] = ()
    """Codecs to run at the files' sizes; vvenc needs the extra nervid[ffmpeg]."""
    codec_preset: str | None = None
    """Effort of those codecs that have a preset of this name; medium, medium, 8 and medium if not given."""
    vmaf: bool = False
    """Compute VMAF too; needs the extra nervid[ffmpeg]."""
    plot: Path | None = None
    """PNG file for rate-distortion and per-frame plots; the first file's name with .png if not given."""
    source_options: tyro.conf.OmitArgPrefixes[SourceOptions] = field(default_factory=SourceOptions)
    """What to take of the source; as for encode."""
    json: bool = False
    """Print all measurements, frame by frame, as JSON."""

    def run(self) -> int:
        """Compare, and return the exit code."""
        # Imported here: torch takes seconds that help and other commands need not wait for.
        from nervid.compare import compare
        from nervid.compare.plot import plot_comparison

        clip = self.source_options.read(self.source)
        comparison = compare(
            clip,
            self.files,
            against=self.against,
            codec_preset=self.codec_preset,
            vmaf=self.vmaf,
            progress=print_note,
        )
        plot = self.plot or (self.files[0].with_suffix(".png") if self.files else Path("compare.png"))
        plot_comparison(comparison, plot)
        for warning in comparison.warnings:
            print_warning(warning)
        if self.json:
            print_json(comparison.to_json() | {"plot": str(plot)})
        else:
            stdout().print(_table(comparison))
            for curve in comparison.codecs:
                words = curve.bd_rate_missing or f"{curve.bd_rate_percent:+.1f} %"
                stdout().print(f"BD-rate against {curve.codec} {curve.preset}: {words}", soft_wrap=True)
            stdout().print(f"plot: {plot}", soft_wrap=True)
        return 0


def _table(comparison: "Comparison") -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "size", "bpp", "PSNR dB", "MS-SSIM", "VMAF", "decode fps"):
        table.add_column(name, justify="left" if not name else "right")
    for file in comparison.files:
        table.add_row(
            file.path,
            bytes_text(file.size_bytes),
            f"{file.bits_per_pixel:.4f}",
            *_scores(file.quality),
            f"{file.decode_frames_per_second:.1f}",
        )
    for curve in comparison.codecs:
        for point in curve.points:
            table.add_row(
                f"{curve.codec} {curve.preset} {curve.setting} {point.crf:g}"
                + (" (same size)" if point.matches else ""),
                bytes_text(point.size_bytes),
                f"{point.bits_per_pixel:.4f}",
                *_scores(point.quality),
                f"{comparison.frames / point.decode_seconds:.1f}",
            )
    return table


def _scores(quality: "Quality") -> tuple[str, str, str]:
    ms_ssim, vmaf = quality.mean_ms_ssim, quality.mean_vmaf
    return (
        f"{quality.mean_psnr_db:.2f}",
        "-" if ms_ssim is None else f"{ms_ssim:.4f}",
        "-" if vmaf is None else f"{vmaf:.1f}",
    )
