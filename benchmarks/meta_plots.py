"""Pictures of the meta-learning benchmark: PSNR over steps and seconds, one frame after so many steps.

Importing this module without matplotlib raises ``MissingExtraError``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from nervid.compare.plot import INK, STYLE, save_figure, write_beside
from nervid.errors import MissingExtraError

try:
    from matplotlib import rc_context
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter
except ImportError as missing:
    raise MissingExtraError("drawing plots", "compare") from missing

COLORS: Final = {"random": "#64748b", "learned": "#c2410c"}
MARKERS: Final = {"random": "s", "learned": "o"}
_STYLE: Final = STYLE | {"font.size": 10, "axes.titlesize": 11}
_GAP: Final = 4
_LABEL: Final = 18
_LEFT: Final = 64


def plot_curves(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw PSNR over steps and over seconds, random beside learned weights, a row of panels a network.

    Bands are one standard deviation over seeds to either side.

    Args:
        rows: Of ``benchmarks.meta_curves.point``, all of one size and, but for the few tuned steps, of one
            recipe.
        path: PNG file to write, replaced in one step if it exists.

    Raises:
        OutputError: If the file cannot be written.
    """
    networks = list(dict.fromkeys(row["network"] for row in rows))
    with rc_context(_STYLE):
        figure = Figure(figsize=(9, 3.2 * len(networks)), dpi=100, layout="constrained")
        panels = figure.subplots(len(networks), 2, squeeze=False, sharey="row")
        for network, (over_steps, over_seconds) in zip(networks, panels, strict=True):
            own = sorted((row for row in rows if row["network"] == network), key=lambda row: row["steps"])
            _draw(over_steps, own, [row["steps"] for row in own], None)
            over_steps.set_xscale("symlog", linthresh=1)
            ticks = [row["steps"] for row in own]
            over_steps.set_xticks(ticks, labels=[str(tick) for tick in ticks])
            over_steps.set_title(f"{network}: PSNR (dB)")
            over_steps.set_xlabel("steps")
            _draw(over_seconds, own, None, "seconds")
            over_seconds.set_xscale("log")
            over_seconds.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            over_seconds.set_xlabel("seconds of one thread")
        figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
        save_figure(figure, path)


def _draw(
    axes: Axes, rows: Sequence[Mapping[str, Any]], places: Sequence[float] | None, key: str | None
) -> None:
    for start, name in (("random", "random weights"), ("learned", "learned weights")):
        x = places if places is not None else [row[f"{start}_{key}"] for row in rows]
        mean = np.array([row[f"{start}_db"] for row in rows])
        spread = np.array([row[f"{start}_spread_db"] or 0.0 for row in rows])
        axes.plot(x, mean, color=COLORS[start], marker=MARKERS[start], markersize=4, label=name)
        axes.fill_between(x, mean - spread, mean + spread, color=COLORS[start], alpha=0.2, linewidth=0)


def strip(
    pictures: Mapping[str, Mapping[int, UInt8[np.ndarray, "size size 3"]]],
    truth: UInt8[np.ndarray, "size size 3"],
    path: Path,
) -> None:
    """Draw one frame after so many steps, a line of pictures for each start, the original at the end.

    Args:
        pictures: By name of the start, then by steps; the same steps for each.
        truth: The original.
        path: PNG file to write, replaced in one step if it exists.

    Raises:
        OutputError: If the file cannot be written.
    """
    size = len(truth)
    steps = list(next(iter(pictures.values())))
    columns = [*(f"{count} steps" if count != 1 else "1 step" for count in steps), "original"]
    width = _LEFT + len(columns) * (size + _GAP)
    sheet = Image.new("RGB", (width, _LABEL + len(pictures) * (size + _GAP)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for column, text in enumerate(columns):
        pen.text((_LEFT + column * (size + _GAP), 2), text, fill=INK, font=font)
    for line, (name, drawn) in enumerate(pictures.items()):
        top = _LABEL + line * (size + _GAP)
        pen.text((2, top + size // 2 - 6), name, fill=INK, font=font)
        for column, picture in enumerate([*(drawn[count] for count in steps), truth]):
            sheet.paste(Image.fromarray(picture), (_LEFT + column * (size + _GAP), top))
    write_beside(path, lambda beside: sheet.save(beside, format="PNG", optimize=True))
