"""From a teacher's vectors of all frames to what a file stores of them, and what each segment aims at."""

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nervid.compress.quantize import fit_grid, quantize
from nervid.compress.streams import QuantizedTensor
from nervid.decoder.alignment import AlignmentHead, StoredAlignment
from nervid.errors import InputError, OutputError
from nervid.fit.alignment import Alignment
from nervid.fit.trainer import Interrupted
from nervid.teachers import Teacher
from nervid.video import Clip

FRAMES_AT_ONCE: Final = 16
"""Frames that a teacher is shown together."""
STRENGTH: Final = 0.01
"""Weight of the alignment in the loss; the paper's lambda."""
KEPT_COSINE: Final = 0.998
"""Mean cosine of a head's best vectors with the teacher's; the fewest directions that keep it are stored."""
MOST_INPUTS: Final = 64
"""Most numbers of an embedding that a head is made to read."""
LATENT_REACH: Final = 1.0
"""Standard deviation that the first of a latent's aligned numbers starts with; 0.5 and 2 did as well."""
HNERV_REACH: Final = 2.0
"""The same for HNeRV: all numbers of an embedding share one quantization step, and its encoder makes the
others with deviations of 3 to 5."""
HEAD_BITS: Final = 8
_ROWS_AT_ONCE: Final = 4096
"""Rows that are held in double precision together."""


def teach(
    clip: Clip,
    teacher: Teacher,
    cache: Path | None,
    *,
    on_frames: Callable[[int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    save_seconds: float = 20.0,
) -> Float[np.ndarray, "frames dimension"]:
    """Show a teacher every frame of a clip; return its vectors, of length 1, float32.

    Args:
        clip: The clip; it is decoded once.
        teacher: Any.
        cache: Folder that keeps the vectors, so that a resumed encoding goes on where it was and a finished
            pass is not repeated; None keeps none.
        on_frames: Called with the number of frames seen so far.
        should_stop: Asked between batches of frames; True saves the vectors and raises ``Interrupted``.
        save_seconds: Time between two saves of the vectors, in seconds.

    Raises:
        Interrupted: When asked to stop.
        InputError: If the teacher returns something else than finite vectors of its dimension.
        OutputError: If the folder cannot be written.
    """
    record = teacher.record
    kept = None
    if cache is not None:
        words = f"{clip.fingerprint} {record}"
        kept = cache / f"teacher-{hashlib.sha256(words.encode()).hexdigest()[:16]}.npy"
    rows = np.empty((len(clip), record.dimension), dtype=np.float32)
    seen = saved = 0 if kept is None else _read(kept, rows)
    saved_at = time.monotonic()
    for frames in _batches(clip, seen):
        if should_stop is not None and should_stop():
            if kept is not None and seen > saved:
                _write(kept, rows[:seen])
            raise Interrupted
        rows[seen : seen + len(frames)] = _vectors(teacher, frames)
        seen += len(frames)
        if on_frames is not None:
            on_frames(seen)
        if kept is not None and (seen == len(clip) or time.monotonic() - saved_at > save_seconds):
            _write(kept, rows[:seen])
            saved, saved_at = seen, time.monotonic()
    return rows


class PrincipalDirections:
    """The directions in which a clip's vectors differ most, and the heads made of them.

    Args:
        vectors: The teacher's, of length 1.
    """

    def __init__(self, vectors: Float[np.ndarray, "frames dimension"]) -> None:
        self._mean = vectors.mean(axis=0, dtype=np.float64)
        # By the covariance, a few rows at a time: singular values of all frames of a film would take minutes.
        parts = (
            vectors[first : first + _ROWS_AT_ONCE] - self._mean
            for first in range(0, len(vectors), _ROWS_AT_ONCE)
        )
        covariance = sum(part.T @ part for part in parts) / len(vectors)
        variances, directions = np.linalg.eigh(covariance)
        most = min(MOST_INPUTS, *vectors.shape)
        self._directions = directions[:, ::-1][:, :most].T
        self._deviation = float(max(variances[-1], 0.0)) ** 0.5
        self.cosines = self._kept(vectors)
        """Mean cosine of vectors and their projections on the first 1, 2, ... directions."""

    def fewest(self, most: int) -> int:
        """Return how many directions keep a mean cosine of ``KEPT_COSINE``, 1 to ``most``."""
        enough = np.flatnonzero(self.cosines >= KEPT_COSINE)
        return max(1, min(int(enough[0]) + 1 if len(enough) else len(self.cosines), most))

    def head(self, inputs: int, *, reach: float) -> AlignmentHead:
        """Return the head whose columns are the first ``inputs`` directions, its bias the vectors' mean.

        Args:
            inputs: Directions, 1 to ``len(cosines)``.
            reach: Standard deviation that the scale of the columns gives the first number it reads.
        """
        scale = max(self._deviation / reach, 1e-4)
        weight = np.ascontiguousarray(scale * self._directions[:inputs].T, dtype=np.float32)
        return AlignmentHead(
            weight=_quantized(torch.from_numpy(weight)),
            bias=_quantized(torch.from_numpy(self._mean.astype(np.float32))),
        )

    def _kept(self, vectors: Float[np.ndarray, "frames dimension"]) -> Float[np.ndarray, " directions"]:
        # A projection is mean + sum of c_j d_j; its product with the vector and its squared length are sums
        # over j as well, so that one pass gives them for every number of directions.
        along, mean_along = vectors @ self._directions.T, self._directions @ self._mean
        coordinates = along - mean_along
        products = (vectors @ self._mean)[:, None] + np.cumsum(coordinates * along, axis=1)
        squares = self._mean @ self._mean + np.cumsum(coordinates * (along + mean_along), axis=1)
        cosines: np.ndarray = (products / np.sqrt(np.maximum(squares, 1e-24))).mean(axis=0)
        return cosines


def aim(stored: StoredAlignment, vectors: Float[np.ndarray, "frames dimension"]) -> Alignment:
    """Return what a segment whose frames have these vectors is fitted towards."""
    if stored.head is None:
        # The loss does not see their length; the numbers start with this mean square.
        length = LATENT_REACH * vectors.shape[1] ** 0.5
        return Alignment(weight=None, bias=None, targets=np.float32(length) * vectors, strength=STRENGTH)
    return Alignment(
        weight=stored.head.weight.values().numpy(),
        bias=stored.head.bias.values().numpy(),
        targets=np.ascontiguousarray(vectors),
        strength=STRENGTH,
    )


def _vectors(teacher: Teacher, frames: Tensor) -> Float[np.ndarray, "batch dimension"]:
    """The teacher's vectors of some frames, checked, of length 1."""
    record, batch = teacher.record, teacher.images(frames)
    wanted = (len(frames), record.dimension)
    if batch.shape != wanted or not bool(torch.isfinite(batch).all()):
        got = "NaN or infinity" if batch.shape == wanted else f"an array {list(batch.shape)}"
        raise InputError(
            f"teacher {record.name} must give {record.dimension} finite numbers for each of "
            f"{len(frames)} frames, got {got}; check its weights"
        )
    return np.asarray(torch.nn.functional.normalize(batch.float(), dim=1).numpy())


def _quantized(values: Tensor) -> QuantizedTensor:
    grid = fit_grid(values, bits=HEAD_BITS)
    return QuantizedTensor(quantize(values, grid), grid)


def _batches(clip: Clip, first: int) -> Iterator[Tensor]:
    """The frames from ``first`` on, ``FRAMES_AT_ONCE`` at a time."""
    held: list[np.ndarray] = []
    if first == len(clip):
        return
    for frame in clip.iter_frames(first):
        held.append(frame)
        if len(held) == FRAMES_AT_ONCE:
            yield torch.from_numpy(np.stack(held)).permute(0, 3, 1, 2)
            held = []
    if held:
        yield torch.from_numpy(np.stack(held)).permute(0, 3, 1, 2)


def _read(path: Path, rows: np.ndarray) -> int:
    """Fill ``rows`` from a file as far as it goes; return how many are filled: all, or whole batches."""
    try:
        known = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return 0
    if known.ndim != 2 or known.shape[1:] != rows.shape[1:] or known.dtype != np.float32:
        return 0
    if len(known) > len(rows) or not np.isfinite(known).all():
        return 0
    # A batch of other frames might give other bits.
    count = len(known) if len(known) == len(rows) else len(known) // FRAMES_AT_ONCE * FRAMES_AT_ONCE
    rows[:count] = known[:count]
    return count


def _write(path: Path, rows: np.ndarray) -> None:
    """Keep some vectors in a file that is whole at every moment."""
    beside = path.with_suffix(".new.npy")
    try:
        np.save(beside, rows)
        beside.replace(path)
    except OSError as error:
        raise OutputError(
            f"cannot write {path.parent}: {error.strerror}; free space, then run again"
        ) from error
