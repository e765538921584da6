"""Rate-distortion curves of conventional codecs, from a low to a high PSNR, point by point."""

import math
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import av
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from benchmarks.codec_bench import Bench, Row
from benchmarks.codec_clips import CLASSES, Original, read
from benchmarks.codec_tables import bd_row, with_mean
from benchmarks.meta_runs import Facts, Run, Runs, code_version, key_of
from nervid.compare.codecs.coding import CODECS, decode, encode
from nervid.compare.quality import measure

PRESETS: Final = {"x264": "medium", "x265": "medium", "svtav1": "4"}
"""Encoders that are measured, and their effort."""
ANCHOR: Final = "x265"
"""The one that others are compared with."""
LOW_DB: Final = 26.0
HIGH_DB: Final = 40.0
"""PSNR that a curve spans where the codec reaches it."""
LEAST_GAIN_DB: Final = 1.0
"""Gain from twice the bytes below which a curve ends; chosen by looking at the curves."""
_MIDDLE: Final = {"x264": 31.0, "x265": 31.0, "svtav1": 39.0}
_STEP: Final = {"x264": 5.0, "x265": 5.0, "svtav1": 8.0}
"""Quality setting of the first point, and from one point to the next: about 3 dB."""
_BATCH: Final = 8
_DECIDING: Final = ("compare/codecs", "metrics")


def curve(
    runs: Runs, original: Original, codec: str, *, low_db: float = LOW_DB, high_db: float = HIGH_DB
) -> Row:
    """Measure a codec at evenly spaced settings, the first one beyond each end of the span included.

    The curve ends before a point that gains less than ``LEAST_GAIN_DB`` for twice the bytes: no codec is
    used there, and 4:2:0 bounds the PSNR that any setting reaches.

    Args:
        runs: Keeps every point.
        original: The clip.
        codec: One of ``PRESETS``.
        low_db: PSNR that the coarsest point is to be at or below.
        high_db: PSNR that the finest point is to be at or above.

    Returns:
        One row; its lists have a value for each point, by rising size: ``crf``, ``kB`` (1,000 bytes; of the
        packets alone), ``psnr_db``, ``ms_ssim`` (None for frames too small for it), ``encode_seconds``,
        ``decode_fps`` (conversion to RGB included).
    """
    known = CODECS[codec]

    def outward(step: float) -> Iterator[Facts]:
        crf = _MIDDLE[codec]
        while known.finest <= crf <= known.coarsest:
            yield measured(runs, original, codec, crf)
            crf += step

    finer: list[Facts] = []
    for facts in outward(-_STEP[codec]):
        if finer and _gain_db(finer[-1], facts) < LEAST_GAIN_DB:
            break
        finer.append(facts)
        if facts["psnr_db"] >= high_db:
            break
    coarser: list[Facts] = []
    for facts in outward(_STEP[codec]):
        coarser.append(facts)
        if facts["psnr_db"] <= low_db:
            break
    by_size = sorted([*finer, *coarser[1:]], key=lambda facts: facts["bytes"])  # both begin in the middle
    row: Row = {"clip": original.name, "size": original.size, "frames": len(original.frames)}
    row |= {"codec": codec, "preset": PRESETS[codec], "kB": [facts["bytes"] / 1000 for facts in by_size]}
    keys = ("crf", "psnr_db", "ms_ssim", "encode_seconds", "decode_fps")
    return row | {key: [facts[key] for facts in by_size] for key in keys}


def _gain_db(before: Facts, after: Facts) -> float:
    """Return how many dB twice the bytes gain between two points; none where bytes do not grow."""
    doublings = math.log2(after["bytes"] / before["bytes"])
    return float((after["psnr_db"] - before["psnr_db"]) / doublings) if doublings > 0 else 0.0


def measured(runs: Runs, original: Original, codec: str, crf: float) -> Facts:
    """Return one point of a codec's curve, which may be known already."""
    version = (av.__version__, str(av.library_versions), code_version(folders=_DECIDING))
    key = key_of(codec, PRESETS[codec], crf, *version, original.content)
    (facts,) = runs.outcomes(coded, [Run(key=key, arguments=(original, codec, crf))])
    return facts


def coded(original: Original, codec: str, crf: float) -> Facts:
    """Encode a clip with all cores, decode it and measure both."""
    clip = original.clip
    stream = encode(clip, CODECS[codec], preset=PRESETS[codec], crf=crf)
    quality, seconds = measure(clip, _batches(decode(stream)), name=codec)
    facts = {
        "crf": stream.crf,
        "bytes": stream.size_bytes,
        "psnr_db": round(quality.mean_psnr_db, 4),
        "ms_ssim": None if quality.mean_ms_ssim is None else round(quality.mean_ms_ssim, 5),
        "encode_seconds": round(stream.encode_seconds, 2),
        "decode_fps": round(len(original.frames) / seconds, 1),
    }
    print(f"{original.name} {original.size}, {codec}: {facts}", flush=True)
    return facts


def _batches(frames: Iterable[UInt8[np.ndarray, "height width 3"]]) -> Iterator[UInt8[Tensor, "_ 3 _ _"]]:
    remaining = iter(frames)
    while batch := list(islice(remaining, _BATCH)):
        yield torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2)


def curves_of(runs: Runs, original: Original, size_class: str) -> dict[str, Row]:
    """Return the curves of all codecs for a clip, by codec."""
    return {codec: {"class": size_class} | curve(runs, original, codec) for codec in PRESETS}


def classical(bench: Bench) -> None:
    """Measure conventional codecs on every clip and class; written when nothing is left out."""
    curves: list[Row] = []
    rows: list[Row] = []
    for size_class in bench.choice.classes:
        compared: dict[str, list[Row]] = {codec: [] for codec in PRESETS if codec != ANCHOR}
        for source in bench.choice.sources:
            original = read(source, size_class)
            own = curves_of(bench.runs, original, size_class)
            curves += own.values()
            for codec, found in compared.items():
                row = {"class": size_class, "clip": original.name, "size": original.size, "codec": codec}
                found.append(bd_row(row, own, codec, [ANCHOR]))
        for codec, found in compared.items():
            rows += with_mean(found, row={"class": size_class, "codec": codec})
    for row in rows:
        print(row, flush=True)
    if bench.choice.has_all_clips and set(bench.choice.classes) == set(CLASSES):
        bench.write("classical", {"rows": rows, "curves": curves})
