"""What is said of an encoding: warnings before it begins, facts once it is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
import torch

from nervid.container import NervFile
from nervid.decoder.alignment import read_vectors
from nervid.encoder.config import EncodeConfig
from nervid.encoder.job import CodedSegment
from nervid.encoder.result import EncodeReport
from nervid.fit.precision import autocast_dtype
from nervid.metrics.rate import bits_per_pixel, rate_warning
from nervid.video import Clip

LEAST_COSINE: Final = 0.9
"""Mean cosine of a file's vectors with the teacher's below which a report warns; chosen, untuned."""


def early_warnings(clip: Clip, config: EncodeConfig) -> tuple[str, ...]:
    """Return what a user should know before waiting for an encoding, one line each.

    That is what is wrong with the clip, and an asked rate (sound left out of it) above that of the source
    itself: whatever comes out then proves nothing.
    """
    info = clip.info
    target = config.target_bytes(len(clip) * info.height * info.width)
    if target is None:
        return clip.warnings
    picture = max(target - sum(len(track.to_bytes()) for track in clip.tracks), 0)
    asked = bits_per_pixel(picture, len(clip), info.height, info.width)
    warning = rate_warning(asked, clip.source_bits_per_pixel)
    return clip.warnings if warning is None else (*clip.warnings, warning)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    """Measures a finished file against what was asked."""

    clip: Clip
    config: EncodeConfig
    target_bytes: int | None
    """Size that was asked for, or None for a quality."""
    ranges: Sequence[range]
    """Frames of each segment."""
    devices: Sequence[str]
    """Where segments were fitted; the first one's kind gives the precision."""
    device: str
    """What the report calls them."""
    vectors: np.ndarray | None
    """The teacher's vector of every frame, of an aligned file."""
    warnings: tuple[str, ...] = ()
    """Found on the way, one line each."""

    def report(self, data: bytes, coded: Sequence[CodedSegment], *, seconds: float) -> EncodeReport:
        """Return the facts about a file.

        Args:
            data: The whole file.
            coded: Its segments, in order.
            seconds: Wall-clock time, resumed time included.
        """
        info = self.clip.info
        counts = np.array([len(frames) for frames in self.ranges])
        mean_psnr = float(np.average([segment.psnr_db for segment in coded], weights=counts))
        cosine = self._cosine(data)
        dtype = autocast_dtype(self.config.precision, torch.device(self.devices[0]))
        return EncodeReport(
            size_bytes=len(data),
            bits_per_pixel=bits_per_pixel(len(data), len(self.clip), info.height, info.width),
            psnr_db=mean_psnr,
            frames=len(self.clip),
            width=info.width,
            height=info.height,
            segments=len(self.ranges),
            parameters=sum(segment.parameters for segment in coded),
            seconds=seconds,
            precision="float32" if dtype is None else "bfloat16",
            alignment_cosine=cosine,
            device=self.device,
            warnings=(
                *early_warnings(self.clip, self.config),
                *self.warnings,
                *self._missed(len(data), mean_psnr, cosine),
            ),
        )

    def _missed(self, size_bytes: int, psnr_db: float, cosine: float | None) -> list[str]:
        """What was asked and not reached, one line each."""
        target, asked_db = self.target_bytes, self.config.psnr
        missed = []
        if target is not None and not 0.97 * target <= size_bytes <= target:
            reason = "the finest or coarsest grids of its networks are reached; try other --bits"
            if self.config.model == "nervid":
                reason = "the fit ended before it was there, or has no use for more; give it more time"
            missed.append(f"asked for {target} bytes, the file has {size_bytes}: {reason}")
        if asked_db is not None and psnr_db < asked_db:
            missed.append(f"asked for {asked_db:g} dB, reached {psnr_db:.2f} dB; try --preset best")
        if cosine is not None and cosine < LEAST_COSINE:
            missed.append(
                f"the file's vectors have a mean cosine of {cosine:.2f} with the teacher's, a search may "
                "miss much; ask for more bytes"
            )
        return missed

    def _cosine(self, data: bytes) -> float | None:
        """Mean cosine between the vectors that are read from the file's bytes and the teacher's."""
        if self.vectors is None:
            return None
        with NervFile.open(BytesIO(data)) as file:
            return float((read_vectors(file) * self.vectors).sum(axis=1).mean())
