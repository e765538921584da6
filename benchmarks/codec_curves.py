"""Rate-distortion curves of networks at sizes that x265 needs, and what they cost beside all others."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from benchmarks.codec_bench import NETWORKS, Bench, Choice, Row, rows_of
from benchmarks.codec_clips import NAMES, Original, read
from benchmarks.codec_fits import DECIDING, Effort, Encoding, Encodings
from benchmarks.codec_tables import MEAN, bd_row, with_mean
from benchmarks.meta_runs import Facts, code_version
from nervid.errors import InputError

CRFS: Final = (40.0, 24.0)
"""Settings of x265 whose sizes are the least and the largest that nervid is asked for."""
POINTS: Final = 4
TIMES: Final = {"nervid": 1.0, "hnerv": 2.5, "nerv": 2.5}
"""Sizes of a network's files over those of nervid's: the papers' need more bytes for the same PSNR. Chosen
so that their curves share most of nervid's PSNR."""
LEAST_BYTES: Final = {"nervid": 3_000, "hnerv": 12_000, "nerv": 12_000}
"""Smallest size that a network is asked for: header and the smallest networks take their part."""
EPOCHS: Final = {"640x360": 40, "320x180": 100}
"""Passes over the frames for the papers' networks, by class; a quarter as many follow as fine-tuning."""
ANCHORS: Final = ("x264", "x265", "svtav1", "hnerv", "nerv")
X265_BARS: Final = {"balanced": (100.0, 25.0), "best": (25.0, -20.0)}
"""At most so many percent against x265, promised and hoped for, by preset."""
HNERV_BAR: Final = (-75.0, -85.0)
BAR_CLASS: Final = "640x360"
_COLUMNS: Final = (
    "psnr_db",
    "ms_ssim",
    "parameters",
    "macs_per_pixel",
    "seconds",
    "threads",
    "fps",
    "first_frame_ms",
    "device",
)


def sizes_for(network: str, x265: Mapping[str, Sequence[float]], *, points: int = POINTS) -> list[int]:
    """Return the sizes that a network is asked for: evenly spaced ratios between x265's at ``CRFS``.

    Args:
        network: One of ``TIMES``.
        x265: Row of its curve, with lists ``crf`` and ``kB``. Between and beyond its points the logarithm of
            the size follows a straight line over the setting.
        points: How many, 2 or more.

    Returns:
        Bytes, rising; none below ``LEAST_BYTES``, the largest at least ``points`` times the least.
    """
    known = sorted(zip(x265["crf"], x265["kB"], strict=True))

    def kilobytes(crf: float) -> float:
        place = min(max(sum(own <= crf for own, _ in known), 1), len(known) - 1)
        (low, more), (high, less) = known[place - 1 : place + 1]
        return float(more * (less / more) ** ((crf - low) / (high - low)))

    low, high = (1000 * TIMES[network] * kilobytes(crf) for crf in CRFS)
    low = max(low, LEAST_BYTES[network])
    high = max(high, points * low)
    return [round(low * math.exp(math.log(high / low) * place / (points - 1))) for place in range(points)]


def effort_of(network: str, size_class: str, choice: Choice) -> Effort:
    """Return how long a network is fitted."""
    if network == "nervid":
        return Effort(preset=choice.preset)
    return Effort(epochs=choice.epochs or EPOCHS[size_class])


def network_row(
    encodings: Encodings, original: Original, network: str, sizes: Sequence[int], effort: Effort
) -> Row:
    """Encode a clip at some sizes.

    Returns:
        One row; its lists have a value for each file, by rising size.
    """
    jobs = [Encoding(network=network, size_bytes=size, effort=effort) for size in sizes]
    files = sorted(encodings.outcomes(jobs, original), key=_bytes)
    row: Row = {"clip": original.name, "size": original.size, "frames": len(original.frames)}
    row |= {"network": network, "effort": str(effort), "kB": [file["bytes"] / 1000 for file in files]}
    row |= {key: [file[key] for file in files] for key in _COLUMNS}
    return row | {"commit": files[0]["commit"]}


def curves(bench: Bench) -> None:
    """Measure networks on clips of every class, and compare them with conventional codecs and one another.

    A class's file is written after every clip; clips and networks that are left out stay in it as an earlier
    run found them.

    Raises:
        InputError: If a clip is missing, or ``classical`` has not been run.
    """
    choice = bench.choice
    print(f"version of the code: {choice.code or code_version(folders=DECIDING)}", flush=True)
    encodings = Encodings(runs=bench.runs, code=choice.code)
    for size_class in choice.classes:
        for source in choice.sources:
            x265 = classical_rows(bench, size_class, source.name)["x265"]
            original = read(source, size_class)
            found = []
            for network in choice.networks:
                sizes, effort = sizes_for(network, x265), effort_of(network, size_class, choice)
                found.append(network_row(encodings, original, network, sizes, effort))
            finish(bench, size_class, found)


def classical_rows(bench: Bench, size_class: str, clip: str) -> dict[str, Row]:
    """Return what the part ``classical`` found for a clip, by codec.

    Raises:
        InputError: If it has not been run.
    """
    rows = rows_of(bench.results, "classical", "curves")
    own = {row["codec"]: row for row in rows if (row["class"], row["clip"]) == (size_class, clip)}
    if not own:
        raise InputError(f"{bench.results}: no curves of x265 for {clip}; run the part classical first")
    return own


def finish(bench: Bench, size_class: str, found: Sequence[Row]) -> None:
    """Write curves beside those of earlier runs, compare all; means and bars need every clip."""
    whole = replace(bench, choice=replace(bench.choice, clips=(), networks=NETWORKS, code=None))
    name = f"curves_{size_class}_{bench.choice.preset}"
    known = {_place(row): row for row in (*rows_of(bench.results, name, "curves"), *found)}
    own = [known[place] for place in sorted(known)]
    rows: list[Row] = []
    for network in dict.fromkeys(row["network"] for row in own):
        compared = [_compared(bench, size_class, row, own) for row in own if row["network"] == network]
        if len(compared) < len(NAMES):
            rows += compared
            continue
        rows += with_mean(compared, row={"network": network})
        if network == "nervid":
            keep_bars(whole, size_class, rows[-1], compared)
    for row in rows:
        if row["clip"] in (MEAN, *(row["clip"] for row in found)):
            print(row, flush=True)
    whole.write(name, {"rows": rows, "curves": own})


def _place(row: Row) -> tuple[int, int]:
    """Return where a curve stands in its file."""
    return NAMES.index(row["clip"]), NETWORKS.index(row["network"])


def _compared(bench: Bench, size_class: str, row: Row, own: Sequence[Row]) -> Row:
    """Compare a curve with all others of its clip."""
    others = {other["network"]: other for other in own if other["clip"] == row["clip"]}
    anchors = [name for name in ANCHORS if name != row["network"]]
    known = classical_rows(bench, size_class, row["clip"]) | others
    facts = {"clip": row["clip"], "size": row["size"], "network": row["network"]}
    return bd_row(facts, known, row["network"], anchors)


def keep_bars(bench: Bench, size_class: str, mean: Row, clips: Sequence[Row]) -> None:
    """Keep the bars of a class; one whose mean lacks a clip, which shares no PSNR, is said and not kept."""
    preset = bench.choice.preset
    end = f"mean of {len(clips)} clips, {size_class}, {preset}"
    bars = {"hnerv": HNERV_BAR}
    if size_class == BAR_CLASS and preset in X265_BARS:
        bars["x265"] = X265_BARS[preset]
    for anchor, (most, hoped) in bars.items():
        value = mean.get(f"{anchor} (%)")
        if value is None:
            print(
                f"BD-rate against {anchor}, {end}: no curves, or a clip whose curves share no PSNR",
                flush=True,
            )
            continue
        target = f"<= {most:g} (stretch {hoped:g})"
        bench.keep(f"BD-rate against {anchor}, {end}", value, "%", target, value <= most)
    beaten = sum(row["svtav1 (%)"] is not None and row["svtav1 (%)"] < 0 for row in clips)
    row = f"clips on which SVT-AV1 preset 4 needs more bytes, {size_class}, {preset}"
    bench.keep(row, beaten, f"of {len(clips)}", f"shown (stretch {len(clips) // 2})", True)


def _bytes(file: Facts) -> int:
    return int(file["bytes"])
