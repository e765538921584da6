"""Distortion of decoded frames against a clip, measured in step so that neither is ever held whole."""

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from nervid.compare.ffmpeg import VmafMeter
from nervid.errors import InputError
from nervid.metrics.distortion import MS_SSIM_MIN_SIDE, ms_ssim, psnr
from nervid.video import VideoInfo


@runtime_checkable
class ReferenceClip(Protocol):
    """The original: any clip whose frames can be read again and again."""

    @property
    def info(self) -> VideoInfo:
        """Width, height and frame rate."""

    @property
    def source_bits_per_pixel(self) -> float | None:
        """Rate of the source's own video stream, None when it is not a compressed video."""

    def __len__(self) -> int: ...

    def iter_frames(self) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        """Every frame in order, from the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Per-frame scores of one decoded clip and their means over frames."""

    psnr_db: tuple[float, ...]
    """One value per frame; infinity where the frame is exact."""
    ms_ssim: tuple[float, ...] | None
    """One value per frame, 0 to 1; None when the frames are too small for it."""
    vmaf: tuple[float, ...] | None = None
    """One value per frame, 0 to 100; None when it was not asked for."""

    @property
    def mean_psnr_db(self) -> float:
        """Mean of the frames' PSNR, in dB."""
        return _mean(self.psnr_db)

    @property
    def mean_ms_ssim(self) -> float | None:
        """Mean of the frames' MS-SSIM, 0 to 1."""
        return None if self.ms_ssim is None else _mean(self.ms_ssim)

    @property
    def mean_vmaf(self) -> float | None:
        """Mean of the frames' VMAF, 0 to 100."""
        return None if self.vmaf is None else _mean(self.vmaf)

    def to_json(self) -> dict[str, object]:
        """Return plain values for `json.dumps`; an infinite PSNR, which JSON cannot hold, becomes None."""
        return {
            "psnr_db": _finite(self.mean_psnr_db),
            "ms_ssim": self.mean_ms_ssim,
            "vmaf": self.mean_vmaf,
            "psnr_db_per_frame": [_finite(value) for value in self.psnr_db],
            "ms_ssim_per_frame": None if self.ms_ssim is None else list(self.ms_ssim),
            "vmaf_per_frame": None if self.vmaf is None else list(self.vmaf),
        }


def measure(
    clip: ReferenceClip,
    decoded: Iterable[UInt8[Tensor, "_ 3 _ _"]],
    *,
    name: str,
    vmaf: bool = False,
) -> tuple[Quality, float]:
    """Score decoded frames against the clip they were made from.

    Args:
        clip: The original frames, RGB uint8.
        decoded: Batches of decoded frames, RGB 0 to 255, in the clip's order; sizes may differ from
            batch to batch. One batch is held at a time.
        name: What the frames came from, for error messages.
        vmaf: Whether to compute VMAF also (slow; needs the ``ffmpeg`` extra).

    Returns:
        The scores, MS-SSIM being None when a side is shorter than ``MS_SSIM_MIN_SIDE``, and the seconds of
        wall-clock time that ``decoded`` took to yield its batches, measuring left out.

    Raises:
        InputError: If the two differ in frame size or in number of frames.
        MissingExtraError: If ``vmaf`` is asked for without its extra.
    """
    width, height = clip.info.width, clip.info.height
    originals = clip.iter_frames()
    psnr_db: list[float] = []
    similarity: list[float] = []
    seconds = 0.0
    with ExitStack() as stack:
        meter = stack.enter_context(VmafMeter(width=width, height=height)) if vmaf else None
        batches = iter(decoded)
        while True:
            start = time.perf_counter()
            batch = next(batches, None)
            seconds += time.perf_counter() - start
            if batch is None:
                break
            if tuple(batch.shape[2:]) != (height, width):
                raise InputError(
                    f"{name} has frames of {batch.shape[3]}x{batch.shape[2]}, the clip has {width}x{height}; "
                    "compare a file with the clip and size it was made from"
                )
            arrays = list(islice(originals, len(batch)))
            if len(arrays) < len(batch):
                raise frame_count_error(name, at_least=len(psnr_db) + len(batch), clip_frames=len(clip))
            reference = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)
            batch = batch.cpu()
            psnr_db += psnr(reference, batch).tolist()
            if min(height, width) >= MS_SSIM_MIN_SIDE:
                similarity += ms_ssim(reference, batch).tolist()
            if meter is not None:
                meter.add(arrays, list(batch.permute(0, 2, 3, 1).numpy()))
        scores = meter.finish() if meter is not None else None
    if next(originals, None) is not None or not psnr_db:
        raise frame_count_error(name, at_least=len(psnr_db), clip_frames=len(clip))
    return Quality(psnr_db=tuple(psnr_db), ms_ssim=tuple(similarity) or None, vmaf=scores), seconds


def frame_count_error(name: str, *, at_least: int, clip_frames: int) -> InputError:
    """Build the error for a file and a clip of different lengths.

    Args:
        name: The file.
        at_least: Frames the file was seen to have.
        clip_frames: Frames of the clip.

    Returns:
        The error, to be raised by the caller.
    """
    return InputError(
        f"{name} has {at_least} frames, the clip has {clip_frames}; "
        "compare a file with the same part of the clip it was made from"
    )


def _mean(values: tuple[float, ...]) -> float:
    return math.fsum(values) / len(values) if math.inf not in values else math.inf


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
