"""A corpus: the videos and photographs that an initialization is learned from, found but not opened."""

import glob
import hashlib
import os
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

from nervid.errors import InputError
from nervid.video.natural import natural_key
from nervid.video.sources.images import IMAGE_SUFFIXES

VIDEO_SUFFIXES: Final = frozenset(
    {".avi", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".y4m"}
)
SHARD_SUFFIX: Final = ".tar"
_WANTED: Final = f"wanted at least one video ({', '.join(sorted(VIDEO_SUFFIXES))})"


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusFile:
    """One video or photograph: a file of its own or a member of a shard."""

    name: str
    """What results and messages call it: its path, for a member ``shard.tar/member.mp4``."""
    kind: Literal["video", "photograph"]
    path: str
    """The file that holds it."""
    bytes: int
    """Its size, of a member without the shard's other bytes."""
    offset: int | None = None
    """Where a member's bytes begin in the shard; None for a file of its own."""

    @property
    def location(self) -> str:
        """What FFmpeg opens; the prefix keeps it from reading a name as a web address."""
        if self.offset is None:
            return f"file:{self.path}"
        return f"subfile,,start,{self.offset},end,{self.offset + self.bytes},,:file:{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """Why a file cannot serve, or not for long windows."""

    reason: str
    frames: int
    """Frames that it can give all the same; 0 if it does not open."""
    is_final: bool
    """Whether no place of the file gives more; another place of a damaged file may."""


class Corpus:
    """Files in natural order of their names, and what was found out about them when they were used.

    Made by :meth:`find`. Threads may share it.
    """

    def __init__(self, files: Sequence[CorpusFile], unread: Sequence[tuple[str, str]] = ()) -> None:
        self.files: tuple[CorpusFile, ...] = tuple(files)
        self._flaws = {name: Flaw(reason=reason, frames=0, is_final=True) for name, reason in unread}

    def __len__(self) -> int:
        return len(self.files)

    def __repr__(self) -> str:
        return f"Corpus({len(self.videos)} videos, {len(self.photographs)} photographs)"

    @classmethod
    def find(cls, paths: Sequence[str | os.PathLike[str]]) -> "Corpus":
        """List the videos and photographs that ``paths`` stand for, without opening any of them.

        Args:
            paths: Each a video file, an image file (a photograph), a glob of such files (``**`` for any
                folders), a WebDataset shard (an uncompressed .tar with videos or photographs in it), or a
                folder, in which videos and shards are searched at any depth, so that UCF-101, HMDB or
                Kinetics are named by their folder. Photographs in a folder are left alone, since there
                they are often previews or frames; name them by a glob. Names that begin with a dot are
                passed over, links to folders are not followed.

        Returns:
            The corpus, sorted by name, digits by value; a file that was named twice is in it once.

        Raises:
            InputError: If a path does not exist, is neither video nor photograph nor shard, or stands for
                no file that could be used.
        """
        files: dict[str, CorpusFile] = {}
        unread: list[tuple[str, str]] = []
        for path in paths:
            files.update((file.name, file) for file in _find(Path(path), unread))
        if not files:
            raise InputError(f"a corpus: {_WANTED}, got no path; name videos, folders of them or shards")
        return cls(sorted(files.values(), key=lambda file: natural_key(file.name)), unread)

    @cached_property
    def videos(self) -> tuple[CorpusFile, ...]:
        """The videos, in order."""
        return tuple(file for file in self.files if file.kind == "video")

    @cached_property
    def photographs(self) -> tuple[CorpusFile, ...]:
        """The photographs, in order."""
        return tuple(file for file in self.files if file.kind == "photograph")

    @cached_property
    def fingerprint(self) -> str:
        """Hex SHA-256 of all names, sizes and places: another corpus has another one. No content is read."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(f"{file.name}\0{file.bytes}\0{file.offset}\0".encode())
        return digest.hexdigest()

    @property
    def skipped(self) -> dict[str, str]:
        """Names of the files that could not serve when they were wanted, each with the reason."""
        return {name: flaw.reason for name, flaw in list(self._flaws.items())}

    def skip(self, file: CorpusFile, reason: str, *, frames: int = 0, is_final: bool = True) -> None:
        """Remember that ``file`` gives only ``frames`` frames, or none, and why; as :class:`Flaw`."""
        self._flaws[file.name] = Flaw(reason=reason, frames=frames, is_final=is_final)

    def flaw(self, file: CorpusFile) -> Flaw | None:
        """Return what is known against ``file``."""
        return self._flaws.get(file.name)


def _find(path: Path, unread: list[tuple[str, str]]) -> Iterator[CorpusFile]:
    """List what one path stands for; shards of a folder that cannot be read are added to ``unread``."""
    if path.is_dir():
        yield from _search(path, unread)
    elif path.exists():
        yield from _named(path)
    elif glob.has_magic(str(path)):
        found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))
        named = [each for each in found if each.is_file() and _can_be_named(each)]
        if not named:
            raise InputError(f"{path}: {_WANTED} or photograph, found none; check the pattern")
        for each in named:
            yield from _named(each)
    else:
        raise InputError(f"{path}: no such file or folder; check the path")


def _can_be_named(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES | {SHARD_SUFFIX}


def _named(path: Path) -> Iterator[CorpusFile]:
    """List the file, or the members of the shard, that a user named."""
    suffix = path.suffix.lower()
    if suffix == SHARD_SUFFIX:
        yield from _members(path)
    elif _can_be_named(path):
        kind: Literal["video", "photograph"] = "video" if suffix in VIDEO_SUFFIXES else "photograph"
        yield CorpusFile(name=str(path), kind=kind, path=str(path), bytes=path.stat().st_size)
    else:
        raise InputError(f"{path}: {_WANTED}, a photograph, a folder or a .tar shard; got {suffix or 'none'}")


def _search(folder: Path, unread: list[tuple[str, str]]) -> Iterator[CorpusFile]:
    """List the videos and the members of the shards below a folder."""
    found = images = 0
    for root, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            suffix = os.path.splitext(name)[1].lower()
            if name.startswith("."):
                continue
            path = os.path.join(root, name)
            if suffix in VIDEO_SUFFIXES:
                found += 1
                yield CorpusFile(name=path, kind="video", path=path, bytes=os.stat(path).st_size)
            elif suffix == SHARD_SUFFIX:
                try:
                    for member in _members(Path(path)):
                        found += 1
                        yield member
                except InputError as error:
                    unread.append((path, str(error).removeprefix(f"{path}: ")))
            images += suffix in IMAGE_SUFFIXES
    if not found:
        advice = "name another folder"
        if unread:
            advice = f"its shard {unread[-1][0]} cannot be used: {unread[-1][1]}"
        elif images:
            advice = f"it holds {images} images: for photographs write a glob, such as {folder}/**/*.jpg"
        raise InputError(f"{folder}: {_WANTED} or a {SHARD_SUFFIX} shard, found none; {advice}")


def _refuse(error: OSError) -> None:
    raise InputError(f"{error.filename}: cannot be searched ({error.strerror}); check its permissions")


def _members(shard: Path) -> Iterator[CorpusFile]:
    """List the videos and photographs inside a shard, by where their bytes are."""
    members: list[CorpusFile] = []
    try:
        with tarfile.open(shard, mode="r:") as archive:
            for entry in archive:
                suffix = os.path.splitext(entry.name)[1].lower()
                if not entry.isfile() or entry.issparse() or suffix not in VIDEO_SUFFIXES | IMAGE_SUFFIXES:
                    continue
                if os.path.basename(entry.name).startswith("."):
                    continue
                members.append(
                    CorpusFile(
                        name=f"{shard}/{entry.name.removeprefix('./')}",
                        kind="video" if suffix in VIDEO_SUFFIXES else "photograph",
                        path=str(shard),
                        bytes=entry.size,
                        offset=entry.offset_data,
                    )
                )
    except (tarfile.TarError, OSError, EOFError):
        raise InputError(
            f"{shard}: wanted a whole, uncompressed .tar, got something else; unpack or replace it"
        ) from None
    if not members:
        raise InputError(f"{shard}: {_WANTED} in the shard, found none; name another shard")
    yield from members
