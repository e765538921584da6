"""The teacher of the retrieval benchmark: one that remembers its vectors, and a classifier's first labels."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from unittest.mock import patch

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from nervid.teachers import Teacher, TeacherRecord
from nervid.teachers.conse import PREPROCESSING, conse_folder, label_names
from nervid.teachers.efficientnet import EfficientNetLite
from nervid.teachers.packages import CLASSIFIER

SAVE_SECONDS: Final = 20.0
"""Time between two saves of new vectors: the most that a kill loses."""

Labeler = Callable[[Sequence[Tensor]], list[str]]
"""Names what is on each of some frames of any size, uint8 [3, height, width]."""


class RememberingTeacher:
    """A teacher that is shown no picture twice: vectors are kept by the content of the frame.

    Args:
        teacher: The one that is asked about new frames.
        folder: Keeps the vectors from one run to the next; created when missing.
    """

    def __init__(self, teacher: Teacher, folder: Path) -> None:
        self._teacher = teacher
        folder.mkdir(parents=True, exist_ok=True)
        words = json.dumps(teacher.record.to_json(), sort_keys=True)
        self._path = folder / f"vectors-{hashlib.sha256(words.encode()).hexdigest()[:12]}.npz"
        self._known: dict[bytes, np.ndarray] = {}
        if self._path.is_file():
            with np.load(self._path, allow_pickle=False) as kept:
                keys = kept["keys"]
                self._known = dict(zip(map(bytes, keys), kept["vectors"], strict=True))
        self._saved = len(self._known)
        self._saved_at = time.monotonic()

    @property
    def record(self) -> TeacherRecord:
        """Which teacher this is: the one that is asked."""
        return self._teacher.record

    def images(self, frames: UInt8[Tensor, "frames 3 height width"]) -> Float[Tensor, "frames dimension"]:
        """Return one vector per frame."""
        keys = [_key(frame) for frame in frames]
        new = [index for index, key in enumerate(keys) if key not in self._known]
        if new:
            for index, vector in zip(new, self._teacher.images(frames[new]).numpy(), strict=True):
                self._known[keys[index]] = vector
            if time.monotonic() - self._saved_at > SAVE_SECONDS:
                self.save()
        return torch.from_numpy(np.stack([self._known[key] for key in keys]))

    def text(self, queries: Sequence[str]) -> Float[Tensor, "queries dimension"]:
        """Return one vector per query."""
        return self._teacher.text(queries)

    def __len__(self) -> int:
        """Count the frames whose vectors are known."""
        return len(self._known)

    def save(self) -> None:
        """Write the vectors, if there are new ones, in place of the file of before."""
        if len(self._known) > self._saved:
            beside = self._path.with_suffix(".new.npz")
            keys = np.frombuffer(b"".join(self._known), dtype=np.uint8).reshape(len(self._known), -1)
            np.savez(beside, keys=keys, vectors=np.stack(list(self._known.values())))
            os.replace(beside, self._path)
        self._saved, self._saved_at = len(self._known), time.monotonic()


def _key(frame: Tensor) -> bytes:
    digest = hashlib.blake2b(repr(tuple(frame.shape)).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(frame.permute(1, 2, 0).numpy()).data)
    return digest.digest()


@contextmanager
def encoder_asks(teacher: Teacher) -> Iterator[None]:
    """Have ``nervid.encode`` ask this teacher, which it would otherwise load by name."""
    with patch("nervid.encoder.encode.load_teacher", lambda *_, **__: teacher):
        yield


def first_labels(frames: Sequence[Tensor]) -> list[str]:
    """Name the ImageNet label that the classifier inside ``conse`` ranks first on each frame."""
    network = EfficientNetLite()
    weights = torch.load(conse_folder() / CLASSIFIER.target, map_location="cpu", weights_only=True)
    network.load_published(weights)
    network.eval()
    names = label_names()
    with torch.inference_mode():
        return [names[int(network(PREPROCESSING(frame[None])).argmax())] for frame in frames]
