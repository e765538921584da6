"""The rate-distortion curve of a conventional codec around the sizes of some .nerv files."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from nervid.compare.codecs.coding import Codec, CodedClip, decode
from nervid.compare.codecs.matching import CodecRuns
from nervid.compare.quality import ReferenceClip, measure
from nervid.compare.result import CodecCurve, CodecPoint, FileResult
from nervid.errors import InputError, MissingExtraError
from nervid.metrics.rate import BD_RATE_MIN_POINTS, bd_rate, bits_per_pixel

_BATCH = 8
"""Frames measured at once. Chosen, untuned."""

_MOST_EXTENSIONS = 6
"""Bound on the points added to a curve to make it span the files' PSNR."""


def measure_curve(
    clip: ReferenceClip,
    codec: Codec,
    files: Sequence[FileResult],
    *,
    preset: str,
    vmaf: bool = False,
    progress: Callable[[str], None] | None = None,
) -> CodecCurve:
    """Encode and measure a clip at the sizes of some files and around them.

    There is one point for each file, two below and two above their settings, half a ``halving`` apart, and
    more while the curve does not reach the files' lowest and highest PSNR.

    Args:
        clip: The frames.
        codec: One of `CODECS`.
        files: One or more measured .nerv files of that clip.
        preset: One of the codec's presets.
        vmaf: Whether to compute VMAF also.
        progress: Called with one line after each encode and each measurement.

    Returns:
        The curve, with the BD-rate of the files against it where that is defined.

    Raises:
        InputError: If the encoder refuses the clip.
        MissingExtraError: If vvenc or VMAF is asked for without its extra.
    """
    runs = CodecRuns(clip, codec, preset=preset, progress=progress)
    matches: dict[float, list[str]] = {}
    for file in files:
        matches.setdefault(runs.matching(file.picture_bytes).crf, []).append(file.path)
    spacing = codec.halving / 2
    around = [min(matches) - spacing * k for k in (1, 2)] + [max(matches) + spacing * k for k in (1, 2)]
    points: dict[float, CodecPoint] = {}

    def add(setting: float) -> None:
        coded = runs.at(setting)
        if coded.crf in points:
            return
        point = _measure_coded(clip, coded, tuple(matches.get(coded.crf, ())), vmaf=vmaf)
        points[coded.crf] = point
        if progress is not None:
            label = f"{codec.name} {preset}, {codec.setting} {point.crf:g}"
            progress(f"{label}: {point.quality.mean_psnr_db:.2f} dB at {point.bits_per_pixel:.4f} bpp")

    for setting in [*matches, *around]:
        add(setting)
    decibels = [file.quality.mean_psnr_db for file in files]
    for _ in range(_MOST_EXTENSIONS):
        finest, coarsest = min(points), max(points)
        if points[coarsest].quality.mean_psnr_db > min(decibels) and coarsest < codec.coarsest:
            add(coarsest + spacing)
        elif points[finest].quality.mean_psnr_db < max(decibels) and finest > codec.finest:
            add(finest - spacing)
        else:
            break
    by_size = tuple(sorted(points.values(), key=lambda point: point.size_bytes))
    percent, missing = _bd_rate_against(by_size, files)
    return CodecCurve(
        codec=codec.name,
        preset=preset,
        setting=codec.setting,
        points=by_size,
        bd_rate_percent=percent,
        bd_rate_missing=missing,
    )


def _measure_coded(
    clip: ReferenceClip, coded: CodedClip, matches: tuple[str, ...], *, vmaf: bool
) -> CodecPoint:
    name = f"{coded.codec.name} at {coded.codec.setting} {coded.crf:g}"
    quality, seconds = measure(clip, _batches(decode(coded)), name=name, vmaf=vmaf)
    return CodecPoint(
        crf=coded.crf,
        size_bytes=coded.size_bytes,
        bits_per_pixel=bits_per_pixel(coded.size_bytes, len(clip), coded.height, coded.width),
        quality=quality,
        encode_seconds=coded.encode_seconds,
        decode_seconds=seconds,
        matches=matches,
    )


def _bd_rate_against(
    anchor: Sequence[CodecPoint], files: Sequence[FileResult]
) -> tuple[float | None, str | None]:
    """BD-rate of the files, or why there is none."""
    if len(files) < BD_RATE_MIN_POINTS:
        return None, f"BD-rate needs {BD_RATE_MIN_POINTS} .nerv files, got {len(files)}"
    try:
        percent = bd_rate(
            [point.bits_per_pixel for point in anchor],
            [point.quality.mean_psnr_db for point in anchor],
            [file.picture_bits_per_pixel for file in files],
            [file.quality.mean_psnr_db for file in files],
        )
    except (InputError, MissingExtraError) as error:  # the measurements stand without it
        return None, str(error)
    return percent, None


def _batches(frames: Iterable[UInt8[np.ndarray, "height width 3"]]) -> Iterator[UInt8[Tensor, "_ 3 _ _"]]:
    """Single frames as the batches that `measure` reads."""
    remaining = iter(frames)
    while batch := list(islice(remaining, _BATCH)):
        yield torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2)
