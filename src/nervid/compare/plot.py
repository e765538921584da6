"""Pictures of a comparison: rate-distortion curves, PSNR over the frames, and frames side by side.

Importing this module without matplotlib raises `MissingExtraError`, before anything is measured.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from nervid.compare.result import CodecCurve, CodecPoint, Comparison, FileResult
from nervid.errors import InputError, MissingExtraError, OutputError

try:
    from matplotlib import rc_context
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
except ImportError as missing:
    raise MissingExtraError("drawing plots", "compare") from missing

_DPI = 100
_WIDTH_INCHES = 12.0
"""1200 pixels at ``_DPI``, what a README shows without scaling up."""

_OURS = "#c2410c"
INK = "#334155"
"""Color of words and axes."""
_CODEC_STYLES = {
    "x264": ("#2563eb", "s"),
    "x265": ("#0d9488", "^"),
    "svtav1": ("#7c3aed", "D"),
    "vvenc": ("#64748b", "v"),
}
"""Color and marker of each codec; the markers keep them apart without color."""

# Any: the type matplotlib gives its parameters differs from version to version.
STYLE: Any = {
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": "#94a3b8",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "grid.color": "#e2e8f0",
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 10,
}
"""Matplotlib's settings of every plot; smaller plots change the sizes."""


def plot_comparison(comparison: Comparison, path: str | Path) -> None:
    """Draw PSNR and MS-SSIM over rate, and PSNR over the frames.

    The rate axis is logarithmic; a dashed line marks the source file's own rate. Frames too small for
    MS-SSIM leave its panel out. Where there is one .nerv file, the streams of its size get a line over the
    frames too.

    Args:
        comparison: What `compare` returned.
        path: PNG file to write, 1200 pixels wide; replaced in one step if it exists.

    Raises:
        OutputError: If the file cannot be written.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(_WIDTH_INCHES, 7.5), dpi=_DPI, layout="constrained")
        has_ms_ssim = comparison.files[0].quality.ms_ssim is not None
        grid = figure.add_gridspec(2, 2 if has_ms_ssim else 1, height_ratios=[3, 2])
        rates = figure.add_subplot(grid[0, 0])
        _draw_rate_panel(rates, comparison, ms_ssim=False)
        if has_ms_ssim:
            _draw_rate_panel(figure.add_subplot(grid[0, 1]), comparison, ms_ssim=True)
        over_time = figure.add_subplot(grid[1, :])
        _draw_frames_panel(over_time, comparison)
        # One legend above both panels, which share their colors, rather than on top of the curves.
        figure.legend(*rates.get_legend_handles_labels(), loc="outside upper left", ncols=6)
        if len(comparison.files) > 1:
            figure.legend(*over_time.get_legend_handles_labels(), loc="outside lower left", ncols=6)
        save_figure(figure, Path(path))


def side_by_side(
    original: UInt8[np.ndarray, "height width 3"],
    decoded: UInt8[np.ndarray, "_ _ 3"],
    path: str | Path,
    *,
    bpp: float,
    psnr_db: float,
    title: str,
) -> None:
    """Draw one frame as original, decoded and difference, with rate and quality written below.

    The difference is ``factor * |original - decoded|``, black where equal; ``factor`` is the largest power
    of two, up to 32, that clips at most one sample in a thousand, and is written below.

    Args:
        original: RGB frame, 0 to 255.
        decoded: The same frame as decoded.
        path: PNG file to write, 1200 pixels wide; replaced in one step if it exists.
        bpp: Bits per pixel of the whole file.
        psnr_db: PSNR to write, in dB; say in the title if it is not the mean over the clip.
        title: Line above the pictures, for example the clip's name and model.

    Raises:
        InputError: If the frames differ in size.
        OutputError: If the file cannot be written.
    """
    if original.shape != decoded.shape:
        sizes = " and ".join(f"{shape[1]}x{shape[0]}" for shape in (original.shape, decoded.shape))
        raise InputError(f"side by side needs two frames of one size, got {sizes}; decode without resizing")
    difference, factor = _amplified_difference(original, decoded)
    height, width = original.shape[:2]
    gap, top, bottom = 0.08, 0.42, 0.38  # inches
    panel_width = (_WIDTH_INCHES - 2 * gap) / 3
    panel_height = panel_width * height / width
    figure_height = top + panel_height + bottom
    panels = [
        (original, "original", ""),
        (decoded, "decoded", f"{bpp:.3g} bpp   {psnr_db:.2f} dB"),
        (difference, "difference", f"amplified {factor}\N{MULTIPLICATION SIGN}"),
    ]
    with rc_context(STYLE):
        figure = Figure(figsize=(_WIDTH_INCHES, figure_height), dpi=_DPI)
        figure.text(0, 1 - 0.1 / figure_height, title, va="top", fontsize=14, fontweight="bold")
        for index, (picture, name, note) in enumerate(panels):
            left = index * (panel_width + gap) / _WIDTH_INCHES
            axes = figure.add_axes(
                (left, bottom / figure_height, panel_width / _WIDTH_INCHES, panel_height / figure_height)
            )
            axes.imshow(picture, aspect="auto", interpolation="antialiased", interpolation_stage="rgba")
            axes.set_axis_off()
            baseline = (bottom - 0.1) / figure_height
            figure.text(left, baseline, name, va="top", fontsize=13)
            right = left + panel_width / _WIDTH_INCHES
            figure.text(right, baseline, note, va="top", ha="right", fontsize=13)
        save_figure(figure, Path(path))


def _amplified_difference(
    original: UInt8[np.ndarray, "height width 3"], decoded: UInt8[np.ndarray, "height width 3"]
) -> tuple[UInt8[np.ndarray, "height width 3"], int]:
    """The difference as a picture, and the factor that made it visible."""
    difference = np.abs(original.astype(np.int16) - decoded.astype(np.int16))
    strongest = max(1.0, float(np.quantile(difference, 0.999)))
    factor = 1 << int(np.clip(np.log2(255 / strongest), 0, 5))
    return np.clip(difference * factor, 0, 255).astype(np.uint8), factor


def _draw_rate_panel(axes: Axes, comparison: Comparison, *, ms_ssim: bool) -> None:
    """One distortion over the rate: curves of codecs, points of files."""
    for curve in comparison.codecs:
        color, marker = _CODEC_STYLES[curve.codec]
        axes.plot(
            [point.bits_per_pixel for point in curve.points],
            [_score(point, ms_ssim=ms_ssim) for point in curve.points],
            color=color,
            marker=marker,
            markersize=4,
            linewidth=1.5,
            label=_label(curve),
        )
    files = sorted(comparison.files, key=lambda file: file.picture_bits_per_pixel)
    axes.plot(
        [file.picture_bits_per_pixel for file in files],
        [_score(file, ms_ssim=ms_ssim) for file in files],
        color=_OURS,
        marker="o",
        markersize=8,
        label="nervid",
        zorder=3,
    )
    if comparison.source_bits_per_pixel is not None:
        axes.axvline(
            comparison.source_bits_per_pixel,
            color=INK,
            linestyle="--",
            linewidth=1,
            label="rate of the source file",
        )
    axes.set_xscale("log")
    plain = FuncFormatter(lambda rate, _: f"{rate:g}")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(plain)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("bits per pixel")
    axes.set_title("MS-SSIM" if ms_ssim else "PSNR (dB)")


def _draw_frames_panel(axes: Axes, comparison: Comparison) -> None:
    """PSNR of every frame of each file, and of the streams at the size of a sole file."""
    if len(comparison.files) == 1:
        for curve in comparison.codecs:
            for point in curve.points:
                if point.matches:
                    color = _CODEC_STYLES[curve.codec][0]
                    axes.plot(point.quality.psnr_db, color=color, linewidth=1)
    files = sorted(comparison.files, key=lambda file: file.picture_bits_per_pixel)
    for index, file in enumerate(files):
        # Lighter for lower rates, so that one hue still tells the files apart.
        strength = 1.0 if len(files) == 1 else 0.35 + 0.65 * index / (len(files) - 1)
        label = f"{file.picture_bits_per_pixel:.3g} bpp"
        axes.plot(file.quality.psnr_db, color=_OURS, alpha=strength, linewidth=2, label=label)
    axes.set_xlim(0, max(comparison.frames - 1, 1))
    axes.set_xlabel("frame")
    at_rate = f", at {files[0].picture_bits_per_pixel:.3g} bpp" if len(files) == 1 else ""
    axes.set_title(f"PSNR of each frame (dB){at_rate}")


def _score(result: FileResult | CodecPoint, *, ms_ssim: bool) -> float:
    score = result.quality.mean_ms_ssim if ms_ssim else result.quality.mean_psnr_db
    assert score is not None, "the MS-SSIM panel is drawn only where every frame has one"
    return score


def _label(curve: CodecCurve) -> str:
    return f"{curve.codec} {curve.preset}"


def write_beside(path: Path, write: Callable[[Path], object]) -> None:
    """Write beside the target, then rename: a reader never sees half a picture.

    Args:
        path: What is written, replaced in one step if it exists.
        write: Writes the picture to the path that it is given.

    Raises:
        OutputError: If it cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(beside)
        os.replace(beside, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}; choose another place") from error
    finally:
        beside.unlink(missing_ok=True)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG; see :func:`write_beside`."""
    write_beside(path, lambda beside: figure.savefig(beside, format="png"))
