"""Curves and rows of results, made up."""

from dataclasses import replace
from typing import Any

from benchmarks.bars import load
from benchmarks.codec_bench import Bench
from benchmarks.codec_clips import NAMES

KB = [10.0, 20.0, 40.0, 80.0]
DB = [28.0, 31.0, 34.0, 37.0]


def curve_of(times: float = 1.0, louder_db: float = 0.0) -> dict[str, Any]:
    return {"kB": [times * size for size in KB], "psnr_db": [value + louder_db for value in DB]}


def drawn(clip: str, times: float = 1.9, network: str = "nervid") -> dict[str, Any]:
    return {"clip": clip, "size": "640x360", "network": network} | curve_of(times)


def measured(bench: Bench, *, size_class: str = "640x360") -> Bench:
    """Give the results of conventional codecs: x265 as it is, SVT-AV1 with half its bytes."""
    rows = [
        {"class": size_class, "clip": clip, "codec": codec} | curve_of(times)
        for clip in NAMES
        for codec, times in (("x265", 1.0), ("svtav1", 0.5))
    ]
    replace(bench, part="classical").write("classical", {"curves": rows})
    return bench


def kept(bench: Bench) -> dict[str, tuple[float, str, bool]]:
    """Recorded bars: value, target and whether it is met, by row."""
    return {bar.row: (bar.value, bar.target, bar.met) for bar in load(bench.bars)}
