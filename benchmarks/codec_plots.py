"""Pictures of the codec benchmark: a rate-distortion plot for every clip, PSNR over the time of an encoding.

Importing this module without matplotlib raises ``MissingExtraError``.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.bars import ROOT
from benchmarks.codec_bench import PRESETS, Bench, Row, rows_of
from benchmarks.codec_clips import CLASSES
from benchmarks.codec_speed import QUICK_DB
from nervid.compare.plot import INK, STYLE, save_figure
from nervid.errors import InputError, MissingExtraError
from nervid.metrics.rate import bits_per_pixel

try:
    from matplotlib import rc_context
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
except ImportError as missing:
    raise MissingExtraError("drawing plots", "compare") from missing

IMAGES: Final = ROOT / "docs" / "images"
LINES: Final[Mapping[str, tuple[str, str, str]]] = {
    "nervid fast": ("nervid fast", "#fb923c", "o"),
    "nervid balanced": ("nervid balanced", "#c2410c", "o"),
    "nervid best": ("nervid best", "#7c2d12", "o"),
    "x264": ("x264 medium", "#2563eb", "s"),
    "x265": ("x265 medium", "#0d9488", "^"),
    "svtav1": ("SVT-AV1 preset 4", "#7c3aed", "D"),
    "hnerv": ("HNeRV", "#64748b", "v"),
    "nerv": ("NeRV", "#ca8a04", "P"),
}
"""Name, color and marker, by codec or network, of nervid with its preset; markers keep lines apart without
color."""
PUBLISHED: Final = (600.0, QUICK_DB)
"""HNeRV by its published code: seconds on two cores, PSNR in dB."""
_COLUMNS: Final = 4
_STYLE: Final = STYLE | {
    "font.size": 9,
    "axes.titlesize": 10,
    "lines.markersize": 4,
    "lines.linewidth": 1.3,
}


def plots(bench: Bench) -> None:
    """Draw what the other parts have written.

    Raises:
        InputError: If none of them has written anything.
        OutputError: If a picture cannot be written.
    """
    drawn = []
    classical = rows_of(bench.results, "classical", "curves")
    for size_class in CLASSES:
        rows = [row for row in classical if row["class"] == size_class]
        for preset in PRESETS:
            rows += rows_of(bench.results, f"curves_{size_class}_{preset}", "curves")
        if rows:
            drawn.append(plot_rates(rows, IMAGES / f"codec_rd_{size_class}.png"))
    if quick := rows_of(bench.results, "quick", "rows"):
        drawn.append(plot_time(quick, IMAGES / "codec_time.png"))
    if not drawn:
        raise InputError(f"{bench.results}: no results of this benchmark; run the part classical first")
    print("\n".join(map(str, drawn)), flush=True)


def plot_rates(rows: Sequence[Row], path: Path) -> Path:
    """Draw PSNR over rate, a panel for each clip with all its curves.

    Args:
        rows: Curves, each of a ``codec`` or a ``network``, with the lists ``kB`` and ``psnr_db``.
        path: PNG file to write, replaced in one step if it exists.

    Returns:
        ``path``.

    Raises:
        OutputError: If the file cannot be written.
    """
    clips = list(dict.fromkeys(row["clip"] for row in rows))
    columns = min(_COLUMNS, len(clips))
    lines = math.ceil(len(clips) / columns)
    with rc_context(_STYLE):
        figure = Figure(figsize=(3 * columns, 2.6 * lines + 0.5), dpi=100, layout="constrained")
        panels = list(figure.subplots(lines, columns, squeeze=False).flat)
        labels: dict[str, Any] = {}
        for clip, axes in zip(clips, panels, strict=False):
            _draw_clip(axes, [row for row in rows if row["clip"] == clip])
            labels |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        for axes in panels[len(clips) :]:
            axes.set_axis_off()
        for axes in panels[max(0, len(clips) - columns) : len(clips)]:
            axes.set_xlabel("bits per pixel")
        for axes in panels[: len(clips) : columns]:
            axes.set_ylabel("PSNR (dB)")
        wanted = [name for name, _, _ in LINES.values() if name in labels]
        figure.legend([labels[name] for name in wanted], wanted, loc="outside upper left", ncols=len(wanted))
        save_figure(figure, path)
    return path


def plot_time(rows: Sequence[Row], path: Path) -> Path:
    """Draw the PSNR of files over the seconds that their whole encoding took.

    Args:
        rows: Of ``benchmarks.codec_speed.quick_rows``.
        path: PNG file to write, replaced in one step if it exists.

    Returns:
        ``path``.

    Raises:
        OutputError: If the file cannot be written.
    """
    with rc_context(_STYLE):
        figure = Figure(figsize=(6, 3.6), dpi=100, layout="constrained")
        axes = figure.add_subplot()
        for network in dict.fromkeys(row["network"] for row in rows):
            name, color, marker = LINES.get(network) or ("nervid", *LINES["nervid balanced"][1:])
            own = sorted((row["seconds"], row["psnr_db"]) for row in rows if row["network"] == network)
            axes.plot(*zip(*own, strict=True), color=color, marker=marker, label=name)
        axes.plot(
            *PUBLISHED, color=INK, marker="*", markersize=9, linestyle="", label="HNeRV, published code"
        )
        axes.set_xscale("log")
        _plain_ticks(axes)
        axes.set_xlabel("seconds of the whole encoding, two cores")
        axes.set_title("Bunny 320x160: PSNR of the file (dB)")
        axes.legend()
        save_figure(figure, path)
    return path


def line_of(row: Row) -> str:
    """Return which of ``LINES`` a curve is; one of nervid with its preset."""
    name: str = row.get("network") or row["codec"]
    return f"{name} {row['effort']}" if name == "nervid" else name


def rates(row: Row) -> list[float]:
    """Return the bits per pixel of a curve's points."""
    width, height = map(int, row["size"].split("x"))
    return [bits_per_pixel(round(1000 * size), row["frames"], height, width) for size in row["kB"]]


def _draw_clip(axes: Axes, rows: Sequence[Row]) -> None:
    by_name = {line_of(row): row for row in rows}
    for key, (name, color, marker) in LINES.items():
        if key in by_name:
            order = 3 if key.startswith("nervid") else 2
            row = by_name[key]
            axes.plot(rates(row), row["psnr_db"], color=color, marker=marker, label=name, zorder=order)
    axes.set_xscale("log")
    _plain_ticks(axes)
    axes.set_title(f"{rows[0]['clip']}, {rows[0]['size']}")


def _plain_ticks(axes: Axes) -> None:
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
