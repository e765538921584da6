"""Files as bytes, and bytes as files that appear whole or not at all."""

import errno
import os
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from nervid.container import (
    MODL,
    TIME,
    TRAK,
    WGHT,
    WHOLE_FILE,
    Header,
    NervFile,
    Section,
    pack,
    parts,
    save,
    writer,
)
from nervid.errors import InputError, OutputError

from .samples import PLAIN, files, with_segments

TINY_PREAMBLE = "89 4e 52 56 0d 0a 1a 0a  01 00  00 00  28 01 00 00  01 00 00 00  67 57 26 fa"
TINY_HEADER = (
    b'{"bit_depth":8,"color_matrix":2,"color_primaries":2,"color_range":0,"color_transfer":2,'
    b'"frame_rate":[25,1],"frames":1,"height":17,"metadata":{},"pixel_aspect":[1,1],"provenance":{},'
    b'"rotation":0,"schema":1,"segments":[1],"time_base":[1,25],"timestamps":{"start":0,"step":1},'
    b'"tracks":[],"width":16}'
)
TINY_HEADER_CHECKSUM = "da 64 92 84"
TINY_TABLE = "57 47 48 54  00 00 00 00  64 01 00 00 00 00 00 00  03 00 00 00 00 00 00 00  b7 3f 4b 36"
TINY_TABLE_CHECKSUM = "58 b5 74 ca"
TINY = (
    bytes.fromhex(TINY_PREAMBLE)
    + TINY_HEADER
    + bytes.fromhex(TINY_HEADER_CHECKSUM + TINY_TABLE + TINY_TABLE_CHECKSUM)
    + b"abc"
)


def test_every_byte_of_a_tiny_file() -> None:
    assert pack(PLAIN, [Section(WGHT, 0, b"abc")]) == TINY


@given(files())
def test_header_and_sections_survive(file: tuple[dict[str, Any], list[Section]]) -> None:
    header, sections = Header(**file[0]), file[1]
    data = pack(header, sections)
    with NervFile.open(BytesIO(data)) as read:
        assert read.header == header
        assert read.size_bytes == len(data)
        assert [Section(e.tag, e.segment, read.read(e.tag, e.segment)) for e in read.entries] == sections
        read.verify()


def test_parts_are_the_head_and_the_payloads_themselves() -> None:
    payload = b"abc"
    pieces = parts(PLAIN, [Section(WGHT, 0, payload)])
    assert pieces[0] == TINY[:-3]
    assert pieces[1] is payload


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ([Section(WGHT, 2, b"")], "section WGHT: wanted a segment number below 2, got 2"),
        ([Section(MODL, WHOLE_FILE, b"")], "section MODL: wanted a segment number below 2, got 4294967295"),
        ([Section(TRAK, 0, b"")], "section TRAK: wanted a track number below 0, got 0"),
        ([Section(TIME, 0, b"")], "section TIME: wanted segment number 4294967295 (whole file), got 0"),
        (
            [Section(MODL, -1, b"")],
            "section MODL of segment -1: wanted a segment number from 0 to 4294967295, got -1",
        ),
        ([Section(WGHT, 1, b"")] * 2, "section WGHT of segment 1: wanted each section once, got it twice"),
        (
            [Section("AUDI", 0, b"")],
            "section 'AUDI': wanted one of ALGN, EMBD, MODL, TIME, TRAK, WGHT or four letters and digits "
            "that begin with a lower-case letter",
        ),
    ],
)
def test_sections_that_no_reader_takes_are_refused(sections: list[Section], message: str) -> None:
    with pytest.raises(InputError) as caught:
        pack(with_segments(2), sections)
    assert str(caught.value) == message


@pytest.mark.parametrize("tag", ["", "not", "notes", "nöte", "no e", "note\n"])
def test_tags_are_four_letters_or_digits(tag: str) -> None:
    with pytest.raises(InputError, match="four letters and digits"):
        pack(PLAIN, [Section(tag, 0, b"")])


def test_headers_and_tables_have_limits() -> None:
    with pytest.raises(
        InputError, match=r"header: wanted at most 1048576 bytes, got 1048.*; shorten its metadata"
    ):
        pack(replace(PLAIN, metadata={"k": "x" * 1_048_576}), [])
    with pytest.raises(InputError, match="wanted at most 1048576 sections, got 1048577; use longer segments"):
        pack(PLAIN, [Section("note", 0, b"")] * 1_048_577)


def test_payloads_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_SECTION_BYTES", 2)
    with pytest.raises(InputError, match="section WGHT of segment 0: wanted at most 2 bytes, got 3"):
        pack(PLAIN, [Section(WGHT, 0, b"abc")])


@pytest.mark.parametrize("data", [b"new", [b"n", b"", b"ew"]])
def test_save_replaces_a_file_and_leaves_nothing_beside_it(tmp_path: Path, data: bytes | list[bytes]) -> None:
    path = tmp_path / "a.nerv"
    path.write_bytes(b"old")
    save(data, path)
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a.nerv"]


def test_save_follows_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "link.nerv").symlink_to("a.nerv")
    save(b"new", tmp_path / "link.nerv")
    assert (tmp_path / "a.nerv").read_bytes() == b"new"
    assert (tmp_path / "link.nerv").is_symlink()


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_a_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path = tmp_path / "a.nerv"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, name, full)
    with pytest.raises(OutputError) as caught:
        save(b"new", path)
    assert str(caught.value) == (f"cannot write {path}: No space left on device; free some space")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.nerv"]


def test_a_source_that_fails_midway_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.nerv"
    path.write_bytes(b"old")

    def pieces() -> Any:  # noqa: ANN401 (a generator that is interrupted)
        yield b"new"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save(pieces(), path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.nerv"]


def test_a_folder_that_cannot_be_synchronized_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def only_files(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", only_files)
    save(b"new", tmp_path / "a.nerv")
    assert (tmp_path / "a.nerv").read_bytes() == b"new"


def test_places_that_take_no_file_are_refused_in_one_line(tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "a.nerv"
    with pytest.raises(OutputError) as caught:
        save(b"new", missing)
    assert str(caught.value) == (f"cannot write {missing}: No such file or directory; choose another place")
    with pytest.raises(OutputError) as caught:
        save(b"new", tmp_path)
    assert str(caught.value) == f"cannot write {tmp_path}: it is no regular file; choose another name"
    with pytest.raises(OutputError, match="embedded null"):
        save(b"new", f"{tmp_path}/a\0b")
    with pytest.raises(OutputError, match="File name too long; choose another place"):
        save(b"new", tmp_path / ("a" * 300))
    assert os.listdir(tmp_path) == []
