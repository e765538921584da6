"""One clip, its .nerv files and conventional codecs side by side."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from nervid.compare.codecs import CODECS, Codec
from nervid.compare.codecs.curve import measure_curve
from nervid.compare.quality import ReferenceClip, frame_count_error, measure
from nervid.compare.result import Comparison, FileResult
from nervid.decoder import open as open_nerv
from nervid.errors import InputError
from nervid.metrics.rate import bits_per_pixel, rate_warning

_BATCH = 8
"""Frames decoded at once. Chosen, untuned."""


def compare(
    clip: ReferenceClip,
    files: Sequence[str | Path],
    *,
    against: Sequence[str] = (),
    codec_preset: str | None = None,
    vmaf: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Comparison:
    """Measure .nerv files against their clip, and codecs at the files' sizes beside them.

    See `measure_curve` for the points at which a codec is measured.

    Args:
        clip: The frames the files were made from.
        files: One or more .nerv files.
        against: Names from `CODECS`.
        codec_preset: Effort for those codecs that have a preset of this name; the others keep their
            default. None keeps every default.
        vmaf: Whether to compute VMAF also (slow; needs the ``ffmpeg`` extra).
        progress: Called with one line after each file, encode and codec point.

    Returns:
        The measurements.

    Raises:
        InputError: If a file and the clip differ in frame size or number, a codec or preset is unknown, or
            an encoder refuses the clip.
        FormatError: If a file cannot be read.
        MissingExtraError: If vvenc or VMAF is asked for without its extra.
    """
    chosen = _choose_codecs(against, codec_preset)
    if not files:
        raise InputError("compare needs at least one .nerv file, got none")
    results = []
    for path in files:
        result = _measure_file(clip, path, vmaf=vmaf)
        results.append(result)
        if progress is not None:
            progress(f"{path}: {result.quality.mean_psnr_db:.2f} dB at {result.bits_per_pixel:.4f} bpp")
    curves = [
        measure_curve(clip, codec, results, preset=preset, vmaf=vmaf, progress=progress)
        for codec, preset in chosen
    ]
    lines = [
        (file.path, rate_warning(file.picture_bits_per_pixel, clip.source_bits_per_pixel)) for file in results
    ]
    return Comparison(
        width=clip.info.width,
        height=clip.info.height,
        frames=len(clip),
        frame_rate=clip.info.frame_rate,
        source_bits_per_pixel=clip.source_bits_per_pixel,
        files=tuple(results),
        codecs=tuple(curves),
        warnings=tuple(f"{path}: {line}" for path, line in lines if line is not None),
    )


def _choose_codecs(against: Sequence[str], preset: str | None) -> list[tuple[Codec, str]]:
    """Look codecs up, each with the preset it will run at."""
    unknown = [name for name in against if name not in CODECS]
    if unknown:
        raise InputError(f"no codec is called {unknown[0]}; choose from {', '.join(CODECS)}")
    codecs = [CODECS[name] for name in dict.fromkeys(against)]
    if preset is not None and not any(preset in codec.presets for codec in codecs):
        known = "; ".join(f"{codec.name} has {' '.join(codec.presets)}" for codec in codecs)
        raise InputError(f"no codec asked for has a preset {preset}: {known or 'no codec was asked for'}")
    return [(codec, preset if preset in codec.presets else codec.default_preset) for codec in codecs]


def _measure_file(clip: ReferenceClip, path: str | Path, *, vmaf: bool) -> FileResult:
    with open_nerv(path) as video:
        if len(video) != len(clip):
            raise frame_count_error(str(path), at_least=len(video), clip_frames=len(clip))
        quality, seconds = measure(clip, video.batches(_BATCH), name=str(path), vmaf=vmaf)
        track_bytes = video.metadata.track_bytes
    size_bytes = os.stat(path).st_size
    pixels = len(clip), clip.info.height, clip.info.width
    return FileResult(
        path=str(path),
        size_bytes=size_bytes,
        bits_per_pixel=bits_per_pixel(size_bytes, *pixels),
        picture_bytes=size_bytes - track_bytes,
        picture_bits_per_pixel=bits_per_pixel(size_bytes - track_bytes, *pixels),
        quality=quality,
        decode_seconds=seconds,
    )
