"""From a teacher's vectors of all frames to the head that a file stores, and what each segment aims at."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nervid.compress.quantize import fit_grid, quantize
from nervid.compress.streams import QuantizedTensor
from nervid.decoder.alignment import AlignmentHead
from nervid.errors import InputError
from nervid.fit.alignment import Alignment
from nervid.fit.trainer import Interrupted
from nervid.teachers import Teacher
from nervid.video import Clip

FRAMES_AT_ONCE: Final = 16
"""Frames that a teacher is shown together."""
STRENGTH: Final = 0.01
"""Weight of the alignment in the loss; the paper's lambda."""
KEPT_COSINE: Final = 0.985
"""Mean cosine of a head's best vectors with the teacher's; the fewest directions that keep it are stored."""
LATENT_REACH: Final = 0.5
"""Standard deviation of the first of a latent's aligned numbers; chosen, untuned."""
HEAD_BITS: Final = 8


def teach(
    clip: Clip,
    teacher: Teacher,
    cache: Path | None,
    *,
    on_frames: Callable[[int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Float[np.ndarray, "frames dimension"]:
    """Show a teacher every frame of a clip; return its vectors, of length 1, float32.

    Args:
        clip: The clip; it is decoded once.
        teacher: Any.
        cache: Folder that keeps the vectors, so that a resumed encoding does not ask again; None keeps none.
        on_frames: Called with the number of frames seen so far.
        should_stop: Asked between frames; True raises ``Interrupted``.

    Raises:
        Interrupted: When asked to stop.
        InputError: If the teacher returns something else than finite vectors of its dimension.
    """
    record = teacher.record
    kept = None
    if cache is not None:
        words = f"{clip.fingerprint} {record}"
        kept = cache / f"teacher-{hashlib.sha256(words.encode()).hexdigest()[:16]}.npy"
        known = _read(kept, (len(clip), record.dimension))
        if known is not None:
            return known
    vectors, seen = [], 0
    for frames in _batches(clip):
        if should_stop is not None and should_stop():
            raise Interrupted
        batch = teacher.images(frames)
        wanted = (len(frames), record.dimension)
        if batch.shape != wanted or not bool(torch.isfinite(batch).all()):
            got = "NaN or infinity" if batch.shape == wanted else f"an array {list(batch.shape)}"
            raise InputError(
                f"teacher {record.name} must give {record.dimension} finite numbers for each of "
                f"{len(frames)} frames, got {got}; check its weights"
            )
        vectors.append(torch.nn.functional.normalize(batch.float(), dim=1).numpy())
        seen += len(frames)
        if on_frames is not None:
            on_frames(seen)
    rows = np.concatenate(vectors)
    if kept is not None:
        beside = kept.with_suffix(".new.npy")
        np.save(beside, rows)
        beside.replace(kept)
    return rows


def fit_head(
    vectors: Float[np.ndarray, "frames dimension"], teacher: Teacher, *, most_inputs: int
) -> AlignmentHead:
    """Return the head that turns the fewest numbers a frame into vectors near the teacher's.

    Its columns are the vectors' principal directions over the whole clip, its bias their mean: as many
    directions as keep a mean cosine of ``KEPT_COSINE``, at most ``most_inputs``. One scale makes the first
    coordinate's standard deviation ``LATENT_REACH``.

    Args:
        vectors: The teacher's, of length 1.
        teacher: Gives the record that is stored.
        most_inputs: Numbers of a latent that may be read, 1 or more.
    """
    mean = vectors.mean(axis=0)
    _, sizes, directions = np.linalg.svd(vectors - mean, full_matrices=False)
    most = min(most_inputs, len(sizes))
    coordinates = (vectors - mean) @ directions[:most].T
    inputs = 1
    while inputs < most and _mean_cosine(vectors, mean, coordinates, directions, inputs) < KEPT_COSINE:
        inputs += 1
    scale = max(float(sizes[0]) / len(vectors) ** 0.5 / LATENT_REACH, 1e-4)
    weight = torch.from_numpy(np.ascontiguousarray(scale * directions[:inputs].T, dtype=np.float32))
    return AlignmentHead(
        teacher=teacher.record, weight=_quantized(weight), bias=_quantized(torch.from_numpy(mean))
    )


def aim(head: AlignmentHead, vectors: Float[np.ndarray, "frames dimension"]) -> Alignment:
    """Return what a segment whose frames have these vectors is fitted towards."""
    return Alignment(
        weight=head.weight.values().numpy(),
        bias=head.bias.values().numpy(),
        targets=np.ascontiguousarray(vectors),
        strength=STRENGTH,
    )


def _mean_cosine(
    vectors: np.ndarray, mean: np.ndarray, coordinates: np.ndarray, directions: np.ndarray, inputs: int
) -> float:
    near = mean + coordinates[:, :inputs] @ directions[:inputs]
    lengths = np.maximum(np.linalg.norm(near, axis=1), 1e-12)
    return float(((near * vectors).sum(axis=1) / lengths).mean())


def _quantized(values: Tensor) -> QuantizedTensor:
    grid = fit_grid(values, bits=HEAD_BITS)
    return QuantizedTensor(quantize(values, grid), grid)


def _batches(clip: Clip) -> Iterator[Tensor]:
    held: list[np.ndarray] = []
    for frame in clip.iter_frames():
        held.append(frame)
        if len(held) == FRAMES_AT_ONCE:
            yield torch.from_numpy(np.stack(held)).permute(0, 3, 1, 2)
            held = []
    if held:
        yield torch.from_numpy(np.stack(held)).permute(0, 3, 1, 2)


def _read(path: Path, shape: tuple[int, int]) -> np.ndarray | None:
    """The array in a file of this shape, or None."""
    try:
        rows = np.load(path, allow_pickle=False)
    except (OSError, ValueError):
        return None
    return rows if rows.shape == shape and rows.dtype == np.float32 else None
