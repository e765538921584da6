"""Where a reader's bytes come from: a path, an open binary file, or anything that reads byte ranges."""

import io
import os
import stat
import threading
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from nervid.errors import InputError


@runtime_checkable
class ByteSource(Protocol):
    """Random access to a fixed number of bytes, such as a file or an HTTP resource with ranges."""

    @property
    def size(self) -> int:
        """All bytes of the source."""

    def read_range(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset`` on, or fewer only if the source ends before that.

        Called from several threads at once.
        """


@runtime_checkable
class BinaryFile(Protocol):
    """The part of a seekable binary file object that reading needs."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move to ``offset`` and return the new position."""


class DescriptorSource:
    """A regular file read by position, so that threads and forked processes share no file pointer."""

    def __init__(self, file: io.FileIO | io.BufferedReader) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size

    @property
    def size(self) -> int:
        """Bytes in the file when it was opened."""
        return self._size

    def read_range(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset`` on, or fewer at the end of the file."""
        pieces = []
        while length > 0:
            # One call returns at most about 2 GiB on Linux.
            piece = os.pread(self._file.fileno(), length, offset)
            if not piece:
                break
            pieces.append(piece)
            offset, length = offset + len(piece), length - len(piece)
        return b"".join(pieces)


class StreamSource:
    """A seekable file object without a file of its own, such as BytesIO; one thread reads at a time."""

    def __init__(self, file: BinaryFile) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._size = file.seek(0, os.SEEK_END)

    @property
    def size(self) -> int:
        """Bytes in the stream when it was opened."""
        return self._size

    def read_range(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset`` on, or fewer at the end of the stream."""
        with self._lock:
            self._file.seek(offset)
            pieces = []
            while length > 0 and (piece := self._file.read(length)):
                pieces.append(piece)
                length -= len(piece)
        return b"".join(pieces)


def open_source(
    file: str | os.PathLike[str] | BinaryFile | ByteSource,
) -> tuple[ByteSource, Callable[[], None]]:
    """Return a source over ``file`` with the function that closes what was opened here.

    A file object or a source that the caller opened stays open. Offsets count from its beginning,
    wherever it stood.

    Raises:
        InputError: If the path cannot be opened or is no regular file, or a stream does not seek.
    """
    if isinstance(file, str | os.PathLike):
        opened = _open_regular(os.fspath(file))
        return DescriptorSource(opened), opened.close
    if isinstance(file, ByteSource):
        return file, _keep_open
    if isinstance(file, io.FileIO | io.BufferedReader) and _is_regular(file):
        return DescriptorSource(file), _keep_open
    try:
        return StreamSource(file), _keep_open
    except OSError:
        raise InputError("cannot read a stream that does not seek; save it to a file first") from None


def _is_regular(file: io.FileIO | io.BufferedReader) -> bool:
    """Return whether the file's bytes are those of its descriptor, which can be read by position."""
    # A buffer over something else may have a descriptor too: a GzipFile's is that of the packed file.
    raw = file if isinstance(file, io.FileIO) else file.raw
    return isinstance(raw, io.FileIO) and stat.S_ISREG(os.fstat(raw.fileno()).st_mode)


def _open_regular(path: str) -> io.FileIO:
    """Open a regular file for reading; anything else could block or have no size."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise InputError(f"cannot read {path}: wanted a regular file; copy it to one first")
        return io.FileIO(path, "rb")
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"cannot read {path}: {reason}; check the path") from None


def _keep_open() -> None:
    """Leave the caller's file open."""
