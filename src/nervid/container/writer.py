"""Writes a .nerv file: a head and its sections as bytes, then all of them to disk or none."""

import errno
import os
import secrets
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress

from nervid.container.format import (
    CHECKSUM,
    KNOWN_TAGS,
    MAX_HEADER_BYTES,
    MAX_SECTION_BYTES,
    MAX_SECTIONS,
    PREAMBLE,
    PREAMBLE_BYTES,
    SIGNATURE,
    TABLE_ROW,
    VERSION,
    WHOLE_FILE,
    Section,
    crc32c,
    is_ancillary,
    is_well_formed,
    placement_problem,
    section_label,
)
from nervid.container.header import Header
from nervid.errors import InputError, NervidError, OutputError


def pack(header: Header, sections: Sequence[Section]) -> bytes:
    """Return the bytes of a whole file, its payloads in the order of ``sections``.

    Raises:
        InputError: If a section is unknown, repeated, misplaced or too long, or the header too long.
    """
    return b"".join(parts(header, sections))


def parts(header: Header, sections: Sequence[Section]) -> list[bytes]:
    """Return the head and each payload, uncopied; joined they are :func:`pack`.

    Raises:
        InputError: As :func:`pack`.
    """
    _check_sections(header, sections)
    text = header.to_json()
    if len(text) > MAX_HEADER_BYTES:
        raise InputError(
            f"header: wanted at most {MAX_HEADER_BYTES} bytes, got {len(text)}; shorten its metadata"
        )
    preamble = PREAMBLE.pack(SIGNATURE, VERSION, 0, len(text), len(sections))
    table_bytes = len(sections) * TABLE_ROW.size
    offset = PREAMBLE_BYTES + len(text) + CHECKSUM.size + table_bytes + CHECKSUM.size
    rows = []
    for section in sections:
        length = len(section.payload)
        tag = section.tag.encode("ascii")
        rows.append(TABLE_ROW.pack(tag, section.segment, offset, length, crc32c(section.payload)))
        offset += length
    head = b"".join(block + CHECKSUM.pack(crc32c(block)) for block in (preamble, text, b"".join(rows)))
    return [head, *(section.payload for section in sections)]


def save(data: bytes | Iterable[bytes], path: str | os.PathLike[str]) -> None:
    """Write ``data`` to ``path`` completely or not at all.

    The bytes go to a temporary file beside ``path``, reach the disk, and take the name in one step, so
    a file of that name is the old one or the new one at every moment, power cuts included.

    Args:
        data: A file's bytes, or its :func:`parts`.
        path: Where the file belongs; a symbolic link is followed.

    Raises:
        OutputError: If it cannot be written; an existing file is untouched and nothing is left beside it.
    """
    name = os.fspath(path)
    try:
        target = os.path.realpath(name)
        # Replacing a device such as the null device would remove it for the whole machine.
        if os.path.lexists(target) and not stat.S_ISREG(os.stat(target).st_mode):
            raise OutputError(f"cannot write {name}: it is no regular file; choose another name")
    except OSError as error:
        raise _cannot_write(name, error) from None
    except ValueError as error:
        raise OutputError(f"cannot write {name!r}: {error}; choose another name") from None
    temporary = os.path.join(os.path.dirname(target), f".nervid-{secrets.token_hex(8)}.part")
    try:
        with open(temporary, "xb") as file:
            for piece in [data] if isinstance(data, bytes) else data:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        raise _cannot_write(name, error) from None
    finally:
        with suppress(OSError):
            os.unlink(temporary)
    _sync_folder(os.path.dirname(target))


def _cannot_write(name: str, error: OSError) -> OSError:
    """Return the error to raise for one of the system, which names the way out."""
    if isinstance(error, NervidError):
        return error
    way_out = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "choose another place"
    return OutputError(f"cannot write {name}: {error.strerror or error}; {way_out}")


def _sync_folder(folder: str) -> None:
    """Make the new name survive a power cut, where the file system can; the bytes already do."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _check_sections(header: Header, sections: Sequence[Section]) -> None:
    """Refuse sections that a reader of this version would refuse."""
    if len(sections) > MAX_SECTIONS:
        raise InputError(f"wanted at most {MAX_SECTIONS} sections, got {len(sections)}; use longer segments")
    seen = set()
    for section in sections:
        tag, segment = section.tag, section.segment
        if not is_well_formed(tag) or not (tag in KNOWN_TAGS or is_ancillary(tag)):
            raise InputError(
                f"section {tag!r}: wanted one of {', '.join(sorted(KNOWN_TAGS))} or four letters and digits "
                "that begin with a lower-case letter"
            )
        label = section_label(tag, segment)
        if not 0 <= segment <= WHOLE_FILE:
            raise InputError(f"{label}: wanted a segment number from 0 to {WHOLE_FILE}, got {segment}")
        problem = placement_problem(tag, segment, segments=len(header.segments), tracks=len(header.tracks))
        if problem is not None:
            raise InputError(f"section {tag}: {problem}")
        if len(section.payload) > MAX_SECTION_BYTES:
            raise InputError(f"{label}: wanted at most {MAX_SECTION_BYTES} bytes, got {len(section.payload)}")
        if (tag, segment) in seen:
            raise InputError(f"{label}: wanted each section once, got it twice")
        seen.add((tag, segment))
