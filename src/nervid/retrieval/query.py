"""Queries: words, an image or another moment, each a vector in the teacher's space."""

import os
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from nervid.errors import InputError
from nervid.retrieval.picture import read_picture
from nervid.teachers import Teacher, TeacherRecord
from nervid.teachers.record import LOCAL

Image = str | os.PathLike[str] | Tensor
"""The path of an image file, or RGB pixels as a decoder draws them, uint8 [3, height, width] in [0, 255]."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Query:
    """What is searched for: exactly one of the three."""

    text: str | None = None
    """Words that describe it."""
    image: Image | None = None
    """A picture of it."""
    like: tuple[str | os.PathLike[str], float] | None = None
    """An aligned file and a time in it, in seconds on its own clock: the frame on screen then."""

    def __post_init__(self) -> None:
        given = [name for name in ("text", "image", "like") if getattr(self, name) is not None]
        if len(given) != 1:
            raise InputError(
                f"a query must be one of text, image and like, got {' and '.join(given) or 'none of them'}"
            )
        if self.text is not None and not self.text.strip():
            raise InputError("a query must have words, got an empty text")
        if isinstance(self.image, Tensor):
            _check_picture(self.image)

    def __str__(self) -> str:
        if self.text is not None:
            return self.text
        if self.like is not None:
            return f"{os.fspath(self.like[0])}@{self.like[1]:g}"
        return "an image" if isinstance(self.image, Tensor) else str(os.fspath(self.image or ""))

    def picture(self) -> UInt8[Tensor, "3 height width"] | None:
        """Return the picture of an image query, None for other queries.

        Raises:
            InputError: If it is no image that can be read.
        """
        if self.image is None or isinstance(self.image, Tensor):
            return self.image
        return read_picture(self.image)

    def vector(
        self, teacher: Teacher, picture: UInt8[Tensor, "3 height width"] | None
    ) -> Float[np.ndarray, " dimension"]:
        """Return the direction that the teacher gives to the text, or to the picture where there is one.

        Raises:
            InputError: If what the teacher returns is no direction in its space.
        """
        if picture is not None:
            found = teacher.images(picture[None])
        else:
            found = teacher.text([(self.text or "").strip()])
        return _direction(found, teacher.record)


def check_teacher(teacher: TeacherRecord, record: TeacherRecord, path: str) -> None:
    """Refuse a teacher other than the one that a file is aligned with.

    The name may differ: the same weights may lie in a folder, which has no revision of its own.

    Raises:
        InputError: If dimension, weights or revision differ.
    """
    has_revision = LOCAL not in (teacher.revision, record.revision)
    for what, ours, files in (
        ("dimension", teacher.dimension, record.dimension),
        ("sha256 of the weights", teacher.sha256, record.sha256),
        ("revision", teacher.revision, record.revision),
    ):
        if ours != files and (what != "revision" or has_revision):
            raise InputError(
                f"{path} is aligned with {record.name}, {what} {files}, but {teacher.name} has {ours}; "
                "its vectors mean something else: search with the teacher of the file"
            )


def _check_picture(picture: Tensor) -> None:
    """Refuse a tensor that is not one frame."""
    if picture.dtype != torch.uint8 or picture.ndim != 3 or picture.shape[0] != 3 or 0 in picture.shape:
        shape = list(picture.shape)
        raise InputError(f"an image must be uint8 [3, height, width], got {picture.dtype} {shape}")


def _direction(found: Tensor, record: TeacherRecord) -> Float[np.ndarray, " dimension"]:
    """Return the one row that a teacher gave, with length 1."""
    if tuple(found.shape) != (1, record.dimension):
        raise InputError(
            f"teacher {record.name}: wanted one vector of {record.dimension} numbers for the query, "
            f"got {list(found.shape)}"
        )
    vector = found[0].detach().to("cpu", torch.float32)
    length = float(torch.linalg.vector_norm(vector))
    if not np.isfinite(length) or length < 1e-6:
        got = "zeros" if length < 1e-6 else "NaN or infinity"
        raise InputError(
            f"teacher {record.name}: wanted a direction for the query, got {got}; "
            "its weights may be damaged, fetch them again"
        )
    return np.asarray((vector / length).numpy(), dtype=np.float32)
