"""Bytes at equal PSNR: files from random weights, from learned ones, and of changes from learned ones."""

import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from jaxtyping import UInt8

import nervid
from benchmarks.meta_clips import Frames
from benchmarks.meta_curves import Row
from benchmarks.meta_fits import load
from benchmarks.meta_runs import Facts, Run, Runs, code_version, key_of
from nervid.errors import InputError
from nervid.initializations.library import FOLDERS_VARIABLE
from nervid.metrics.distortion import psnr
from nervid.metrics.rate import bd_rate

DECIDING: Final = ("compress", "container", "decoder", "encoder", "fit", "initializations", "models")
ARMS: Final = ("random", "learned", "delta")


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """One encoding: all that decides its file, beside the frames and the code."""

    initialization: str
    """File; not used for the arm "random"."""
    family: str
    clip: str
    arm: Literal["random", "learned", "delta"]
    """``--init random``, ``--init FILE``, ``--init FILE --delta``."""
    size: int
    """Bytes that are asked for."""
    epochs: int
    seed: int = 1


def encoded(job: Encoding, frames: UInt8[np.ndarray, "frames 3 height width"]) -> Facts:
    """Encode frames, save the file, open it again and measure it."""
    options: dict[str, Any] = {} if job.arm == "random" else {"init": job.initialization}
    if job.arm == "delta":
        options["delta"] = True
    os.environ[FOLDERS_VARIABLE] = job.initialization
    clip = nervid.read(np.ascontiguousarray(frames.transpose(0, 2, 3, 1)))
    started = time.perf_counter()
    result = nervid.encode(
        clip,
        model=job.family,
        size=f"{job.size}B",
        epochs=job.epochs,
        max_segment_frames=len(frames),
        seed=job.seed,
        **options,
    )
    seconds = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "a.nerv"
        result.save(path)
        with nervid.open(path) as video:
            quality = psnr(torch.from_numpy(frames), video[:]).mean()
        return {
            "bytes": path.stat().st_size,
            "psnr_db": round(float(quality), 4),
            "parameters": result.report.parameters,
            "seconds": round(seconds, 2),
        }


def files(
    runs: Runs,
    *,
    family: str,
    initialization: str,
    clips: Mapping[str, Frames],
    sizes: Sequence[int],
    epochs: Sequence[int],
    more_sizes: Sequence[int] = (),
    seeds: Sequence[int] = (1,),
) -> list[Row]:
    """Encode every clip at every size, from random weights, learned ones, and as changes from those.

    Args:
        runs: Does the work.
        family: Network.
        initialization: File of the learned weights.
        clips: What is encoded, by name.
        sizes: Bytes that are asked for.
        epochs: Passes over the frames; every size is encoded with each.
        more_sizes: Further sizes from random weights, so that curves share more of their PSNR.
        seeds: Everything is encoded with each.
    """
    jobs = [
        Encoding(
            initialization=initialization,
            family=family,
            clip=clip,
            arm=arm,
            size=size,
            epochs=passes,
            seed=seed,
        )
        for seed in seeds
        for passes in epochs
        for clip in clips
        for arm in ("random", "learned", "delta")
        for size in (*sizes, *(more_sizes if arm == "random" else ()))
    ]
    content = load(initialization).sha256
    done = runs.outcomes(
        encoded,
        [
            Run(
                key=key_of(
                    asdict(job) | {"initialization": "" if job.arm == "random" else content},
                    clips[job.clip].numpy().tobytes(),
                    code_version(folders=DECIDING),
                ),
                arguments=(job, clips[job.clip].numpy()),
            )
            for job in jobs
        ],
    )
    return [
        {
            "network": job.family,
            "clip": job.clip,
            "epochs": job.epochs,
            "seed": job.seed,
            "start": job.arm,
            "asked": job.size,
            **facts,
        }
        for job, facts in zip(jobs, done, strict=True)
    ]


def savings(rows: Sequence[Row]) -> list[Row]:
    """Compare rate-distortion curves of :func:`files` with those from random weights.

    Returns:
        For each network, clip, number of epochs and start: bytes in percent of those from random weights at
        equal PSNR less 100, the mean over the PSNR that both curves have (BD-rate), averaged over seeds;
        ``spread``, its standard deviation over these, None of one; all None where a seed's curves share
        none. ``shared_db`` is the mean length of what they share.
    """
    groups = dict.fromkeys((row["network"], row["clip"], row["epochs"]) for row in rows)
    found: list[Row] = []
    for group in groups:
        own = [row for row in rows if (row["network"], row["clip"], row["epochs"]) == group]
        seeds = list(dict.fromkeys(row["seed"] for row in own))
        row: Row = dict(zip(("network", "clip", "epochs"), group, strict=True)) | {"seeds": len(seeds)}
        curves = {
            (arm, seed): [
                (row["bytes"], row["psnr_db"]) for row in own if (row["start"], row["seed"]) == (arm, seed)
            ]
            for arm in ARMS
            for seed in seeds
        }
        for arm in ("learned", "delta"):
            pairs = [(curves["random", seed], curves[arm, seed]) for seed in seeds]
            percents = [_percent(*pair) for pair in pairs]
            known = [percent for percent in percents if percent is not None]
            complete = len(known) == len(percents)
            row[f"{arm} (%)"] = round(statistics.mean(known), 2) if complete else None
            spread = statistics.stdev(known) if complete and len(known) > 1 else None
            row[f"{arm}, spread"] = None if spread is None else round(spread, 2)
            row[f"{arm}, shared_db"] = round(statistics.mean(_shared(*pair) for pair in pairs), 2)
        found.append(row)
    return found


def _percent(anchor: Sequence[tuple[int, float]], other: Sequence[tuple[int, float]]) -> float | None:
    """BD-rate of curves of bytes and PSNR, None where they share no PSNR."""
    try:
        return bd_rate(*zip(*anchor, strict=True), *zip(*other, strict=True))
    except InputError:
        return None


def _shared(one: Sequence[tuple[int, float]], other: Sequence[tuple[int, float]]) -> float:
    """Length of the interval of PSNR that two curves of bytes and PSNR have in common, in dB."""
    ends = [(min(db for _, db in curve), max(db for _, db in curve)) for curve in (one, other)]
    return max(0.0, min(end for _, end in ends) - max(start for start, _ in ends))
