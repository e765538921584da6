"""The rows of the papers' tables that are reproduced, and the frames that each is fitted to."""

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import numpy as np
from jaxtyping import UInt8

from benchmarks.clips import FOLDER, load_table
from nervid.data import demo_clip
from nervid.errors import InputError
from nervid.fit.recipe import RecipeName
from nervid.models.config import ModelConfig
from nervid.models.papers import hnerv_paper, nerv_baseline, nerv_paper
from nervid.models.sizing import solve
from nervid.video import Clip, read

BUNNY: Final = "bbb"
"""Id in clips.toml of the papers' clip: Big Buck Bunny, 132 frames of 1280x720."""
TOLERANCE_DB: Final = 0.3
"""A published PSNR counts as reproduced down to this far below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRow:
    """One fit: a network, its published recipe, how its file is made, and what the paper reports."""

    name: str
    """Names the row on the command line and its JSON file."""
    table: str
    """Where the paper reports it."""
    label: str
    """The network as the paper calls it."""
    model: ModelConfig
    """The network; its size is that of the centre crop that is fitted."""
    recipe: RecipeName
    """The published way of fitting."""
    sparsity: float
    """Share of the weights pruned before quantization, as in the paper's compression experiments."""
    bits: int = 8
    """Bits per weight and embedding value before entropy coding, as there."""
    epochs: int = 300
    """Passes over the frames in float weights; a quarter as many of fine-tuning follow for the file."""
    published_psnr_db: float | None = None
    """The paper's PSNR of the network in float weights."""
    published_ms_ssim: float | None = None
    """The paper's MS-SSIM, where it gives one."""
    clip: Literal["bbb", "bundled"] = BUNNY
    """The papers' clip, or nervid's own, for trying the program."""

    @property
    def least_psnr_db(self) -> float | None:
        """The PSNR from which on the row counts as reproduced."""
        return None if self.published_psnr_db is None else self.published_psnr_db - TOLERANCE_DB


def _hnerv(size: str, psnr_db: float, ms_ssim: float | None = None) -> PaperRow:
    """A row of HNeRV's Table 2: 640x1280 centre crop; 10 % pruned and 8 bits as in its section 4.3."""
    return PaperRow(
        name=f"hnerv-{size}",
        table="HNeRV, Table 2",
        label=f"HNeRV {size}",
        model=hnerv_paper(float(size.removesuffix("M"))),
        recipe="hnerv",
        sparsity=0.1,
        published_psnr_db=psnr_db,
        published_ms_ssim=ms_ssim,
    )


def _nerv(size: Literal["S", "M", "L"], psnr_db: float) -> PaperRow:
    """A row of NeRV's Table 3 at 300 epochs: whole frames; 40 % pruned and 8 bits as in its figure 6."""
    return PaperRow(
        name=f"nerv-{size}",
        table="NeRV, Table 3",
        label=f"NeRV-{size}",
        model=nerv_paper(size),
        recipe="nerv",
        sparsity=0.4,
        published_psnr_db=psnr_db,
    )


def _baseline(size: str, psnr_db: float) -> PaperRow:
    """A row of HNeRV's Table 2 for the NeRV that it compares with: HNeRV's crop and recipe."""
    return PaperRow(
        name=f"baseline-{size}",
        table="HNeRV, Table 2",
        label=f"NeRV of HNeRV's paper, {size}",
        model=nerv_baseline(float(size.removesuffix("M"))),
        recipe="hnerv",
        sparsity=0.1,
        published_psnr_db=psnr_db,
    )


ROWS: Final = (
    _hnerv("0.35M", 30.15),
    _hnerv("0.75M", 32.81),
    _hnerv("1.5M", 35.57, 0.9773),
    _hnerv("3M", 37.43),
    _baseline("0.35M", 26.99),
    _baseline("0.75M", 28.46),
    _baseline("1.5M", 30.87),
    _baseline("3M", 33.21),
    _nerv("S", 32.21),
    _nerv("M", 36.05),
    _nerv("L", 39.75),
)
"""What is reproduced, in the order in which it is run: cheap rows first."""

_TRY_FRAMES, _TRY_HEIGHT, _TRY_WIDTH = 16, 176, 320
SMALLEST: Final = (
    PaperRow(
        name="smallest-hnerv",
        table="no paper",
        label="HNeRV 0.35M, small frames",
        model=hnerv_paper(0.35, frames=_TRY_FRAMES, height=_TRY_HEIGHT, width=_TRY_WIDTH),
        recipe="hnerv",
        sparsity=0.1,
        epochs=2,
        clip="bundled",
    ),
    PaperRow(
        name="smallest-nerv",
        table="no paper",
        label="NeRV 0.3M, small frames",
        model=solve("nerv", frames=_TRY_FRAMES, height=_TRY_HEIGHT, width=_TRY_WIDTH, parameters=300_000),
        recipe="nerv",
        sparsity=0.4,
        epochs=2,
        clip="bundled",
    ),
)
"""The same way in a minute on a CPU; its numbers mean nothing."""


def row_clip(row: PaperRow, bunny: Path | None = None) -> Clip:
    """Return the first ``row.model.frames`` frames of the row's clip, cropped around the centre.

    Args:
        row: Names the clip and gives frames, height and width.
        bunny: The papers' clip; None where benchmarks/clips.py puts it.

    Raises:
        InputError: If the file is missing or not that clip.
    """
    frames, frame_rate = _load(demo_clip() if row.clip == "bundled" else checked_bunny(bunny))
    count, height, width = row.model.frames, row.model.height, row.model.width
    top, left = (frames.shape[1] - height) // 2, (frames.shape[2] - width) // 2
    return read(frames[:count, top : top + height, left : left + width], frame_rate=frame_rate)


def checked_bunny(path: Path | None) -> Path:
    """Return where the papers' clip is, after comparing its checksum.

    Raises:
        InputError: If it is not there, or is another file.
    """
    clip = load_table()[BUNNY]
    path = path or FOLDER / clip.filename
    if not path.is_file():
        raise InputError(f"no clip at {path}; fetch it (make clips CLIPS={BUNNY}) or give it with --clip")
    if hashlib.sha256(path.read_bytes()).hexdigest() != clip.sha256:
        raise InputError(f"{path} is not the clip {BUNNY} of clips.toml; fetch it: make clips CLIPS={BUNNY}")
    return path


@lru_cache(maxsize=1)
def _load(path: Path) -> tuple[UInt8[np.ndarray, "frames height width 3"], Fraction]:
    """All frames of a clip, decoded once for the rows that follow each other."""
    clip = read(path, tracks=False)
    return clip.load(), clip.info.frame_rate
