"""Search: moments of aligned files, ranked by how well they fit a query."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from nervid.errors import InputError
from nervid.retrieval.aligned import AlignedFile, read_aligned
from nervid.retrieval.moment import Moment, best_moments, find_moments, smooth
from nervid.retrieval.query import Image, Query, check_teacher
from nervid.teachers import Teacher, TeacherRecord, load_recorded, load_teacher

StrPath = str | os.PathLike[str]
"""A path, as every function here takes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReading:
    """What searching one file took."""

    path: str
    """The file, as it was named."""
    frames: int
    """Number of frames, each scored once."""
    size_bytes: int
    """Size of the whole file."""
    bytes_read: int
    """How much of it was read: head, times and the sections that the vectors come from."""
    best_score: float
    """Score of its best frame, whether or not that reaches the threshold."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SearchReport:
    """What was found, and what it took."""

    query: str
    """The query in words."""
    moments: tuple[Moment, ...]
    """The moments found, best first."""
    teacher: TeacherRecord
    """Whose space all vectors are in."""
    files: tuple[FileReading, ...]
    """The files searched, in the order asked."""
    seconds: float
    """Time that reading and ranking the files took; what it took to get the query's vector is not in it."""
    picture: UInt8[Tensor, "3 height width"] | None
    """The picture of an image query, None for other queries."""


def search(
    paths: StrPath | Sequence[StrPath],
    query: str | None = None,
    *,
    image: Image | None = None,
    like: tuple[StrPath, float] | None = None,
    top: int = 5,
    threshold: float | None = None,
    teacher: Teacher | str | None = None,
    device: str = "cpu",
) -> list[Moment]:
    """Find the moments of aligned .nerv files that fit a query best; no frame is decoded.

    Args:
        paths: One file or several, which are ranked together; all aligned with the same teacher.
        query: Words that describe the moments.
        image: In place of words, the path of an image file, or RGB pixels in [0, 255].
        like: In place of words, an aligned file and a time in seconds on its clock: the frame on screen then.
        top: Most moments returned, 1 or more.
        threshold: Lowest score of a frame that counts, -1 to 1, for all files; None for each file's own,
            halfway between its background and its best (see ``nervid.retrieval.moment``).
        teacher: What turns words and images into vectors, or its name or folder; None for the one that the
            files name, if it is on this machine (``nervid.teachers.load_recorded``). ``like`` needs none and
            loads none.
        device: Where a teacher that is loaded here runs: "cpu", "cuda", "cuda:1".

    Returns:
        Moments, best first; none of one file overlap.

    Raises:
        InputError: If there is not exactly one query, an option is out of its range, a file cannot be read,
            has no alignment or another teacher, or the teacher cannot be used.
        FormatError: If a file is not .nerv, newer than this nervid, or damaged.
        MissingExtraError: If the teacher needs the extra ``search``, which is not installed.
    """
    report = search_with_report(
        paths,
        Query(text=query, image=image, like=like),
        top=top,
        threshold=threshold,
        teacher=teacher,
        device=device,
    )
    return list(report.moments)


def search_with_report(
    paths: StrPath | Sequence[StrPath],
    query: Query,
    *,
    top: int = 5,
    threshold: float | None = None,
    teacher: Teacher | str | None = None,
    device: str = "cpu",
) -> SearchReport:
    """Do what :func:`search` does, and tell what it took; arguments and errors are the same."""
    names = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not names:
        raise InputError("wanted at least one .nerv file to search, got none")
    if top < 1:
        raise InputError(f"top must be at least 1, got {top}")
    if threshold is not None and not -1 <= threshold <= 1:
        raise InputError(f"threshold must be a cosine from -1 to 1, got {threshold:g}")
    picture = query.picture()
    started = time.perf_counter()
    first = read_aligned(names[0])
    seconds = time.perf_counter() - started
    vector = _query_vector(query, picture, first, teacher, device)
    started = time.perf_counter()
    moments: list[Moment] = []
    readings = []
    for file in _with_the_same_teacher(first, names[1:]):
        times = file.times
        scores = smooth(file.scores(vector), times)
        moments += find_moments(file.path, scores, times, threshold=threshold)
        readings.append(
            FileReading(
                path=file.path,
                frames=len(scores),
                size_bytes=file.size_bytes,
                bytes_read=file.bytes_read,
                best_score=float(scores.max()),
            )
        )
    seconds += time.perf_counter() - started
    return SearchReport(
        query=str(query),
        moments=tuple(best_moments(moments, top)),
        teacher=first.teacher,
        files=tuple(readings),
        seconds=seconds,
        picture=picture,
    )


def _query_vector(
    query: Query,
    picture: UInt8[Tensor, "3 height width"] | None,
    file: AlignedFile,
    teacher: Teacher | str | None,
    device: str,
) -> Float[np.ndarray, " dimension"]:
    """Return the query's direction in the space of a file."""
    if query.like is not None:
        other = read_aligned(query.like[0])
        _check_same_teacher(file, other)
        return other.vector_at(query.like[1])
    if teacher is None or isinstance(teacher, str):
        record = file.teacher
        try:
            if teacher is None:
                teacher = load_recorded(record, device=device)
            else:
                teacher = load_teacher(teacher, device=device, sha256=record.sha256)
        except InputError as error:
            raise InputError(f"{file.path} is aligned with {record.name}: {error}") from error
    check_teacher(teacher.record, file.teacher, file.path)
    return query.vector(teacher, picture)


def _with_the_same_teacher(first: AlignedFile, others: Sequence[StrPath]) -> Iterator[AlignedFile]:
    """Yield the first file, then the others, each read when it is asked for."""
    yield first
    for path in others:
        file = read_aligned(path)
        _check_same_teacher(first, file)
        yield file


def _check_same_teacher(first: AlignedFile, other: AlignedFile) -> None:
    """Refuse a file whose vectors cannot be compared with those of the first."""
    ours, theirs = first.teacher, other.teacher
    for what in ("name", "revision", "sha256", "dimension"):
        if getattr(ours, what) != getattr(theirs, what):
            raise InputError(
                f"{other.path} is aligned with {_named(theirs)}, but {first.path} with {_named(ours)}; "
                "their scores cannot be compared, search them one by one"
            )


def _named(teacher: TeacherRecord) -> str:
    """Return what tells two teachers apart, in a few words."""
    return f"{teacher.name} {teacher.revision} (sha256 {teacher.sha256[:12]}, {teacher.dimension} numbers)"
