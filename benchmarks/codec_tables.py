"""BD-rates of curves in rows: one clip by one, then the mean of a class."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks.codec_bench import Row
from nervid.errors import InputError
from nervid.metrics.rate import bd_rate

MEAN: Final = "mean"
"""What the row of a mean has in the place of a clip's name."""


def percent(anchor: Mapping[str, Any], other: Mapping[str, Any]) -> float | None:
    """Return how many more bytes ``other`` takes at equal PSNR (BD-rate), in percent.

    Args:
        anchor: Row with lists ``kB`` and ``psnr_db``.
        other: The same.

    Returns:
        None where the two share no PSNR, or one has fewer than four points or two of one PSNR.
    """
    try:
        found = bd_rate(anchor["kB"], anchor["psnr_db"], other["kB"], other["psnr_db"])
    except InputError:
        return None
    return round(found, 2)


def shared_db(anchor: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Return the length of the interval of PSNR that two curves have in common, in dB."""
    ends: list[tuple[float, float]] = [(min(row["psnr_db"]), max(row["psnr_db"])) for row in (anchor, other)]
    return round(max(0.0, min(end for _, end in ends) - max(start for start, _ in ends)), 2)


def bd_row(row: Row, curves: Mapping[str, Row], name: str, anchors: Sequence[str]) -> Row:
    """Compare one curve of a clip with others.

    Args:
        row: What the row begins with: clip, class, size.
        curves: Of the clip, by name of codec or network.
        name: The one that is compared.
        anchors: Those it is compared with; one that was not measured is left out.

    Returns:
        ``row`` with ``A (%)``, the BD-rate against each anchor A, and ``A, shared_db``.
    """
    found = dict(row)
    for anchor in anchors:
        if anchor in curves:
            found[f"{anchor} (%)"] = percent(curves[anchor], curves[name])
            found[f"{anchor}, shared_db"] = shared_db(curves[anchor], curves[name])
    return found


def with_mean(rows: Sequence[Row], *, row: Row) -> list[Row]:
    """Add the mean of all clips.

    Args:
        rows: Of :func:`bd_row`.
        row: What the row of the mean begins with.

    Returns:
        ``rows`` and one more, its cells None where one of the rows has no value.
    """
    mean = dict(row) | {"clip": MEAN}
    for key in dict.fromkeys(key for own in rows for key in own):
        if key.endswith((" (%)", ", shared_db")):
            values = [own.get(key) for own in rows]
            known = [value for value in values if value is not None]
            mean[key] = round(statistics.mean(known), 2) if len(known) == len(values) else None
    return [*rows, mean]
