"""What opening and reading a file touches, from where, and how it refuses."""

import gzip
import io
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest

from nervid.container import EMBD, MODL, TRAK, WGHT, ByteSource, NervFile, Section, TrackSummary, pack
from nervid.container.source import DescriptorSource, StreamSource, open_source
from nervid.errors import CorruptSectionError, InputError, NotNervError, UnsupportedVersionError

from .samples import PLAIN, forged, with_segments

PAYLOADS = [bytes([65 + index]) * (1000 + index) for index in range(8)]
SECTIONS = [Section(WGHT, index, payload) for index, payload in enumerate(PAYLOADS)]
DATA = pack(with_segments(8), SECTIONS)
HEAD_BYTES = len(DATA) - sum(map(len, PAYLOADS))


class Ranges:
    """A byte source that records what was asked of it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.asked: list[tuple[int, int]] = []

    @property
    def size(self) -> int:
        return len(self.data)

    def read_range(self, offset: int, length: int) -> bytes:
        self.asked.append((offset, length))
        return self.data[offset : offset + length]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.nerv"
    path.write_bytes(DATA)
    return path


def test_one_segment_needs_two_reads_of_the_head_and_one_of_its_section() -> None:
    source = Ranges(DATA)
    file = NervFile.open(source)
    assert source.asked == [(0, 24), (24, HEAD_BYTES - 24)]
    assert file.bytes_read == HEAD_BYTES
    assert file.read(WGHT, 5) == PAYLOADS[5]
    start = HEAD_BYTES + sum(map(len, PAYLOADS[:5]))
    assert source.asked[2:] == [(start, 1005)]
    assert file.bytes_read == HEAD_BYTES + 1005


def test_the_table_says_where_everything_lies(path: Path) -> None:
    with NervFile.open(path) as file:
        assert file.size_bytes == len(DATA)
        assert file.header == with_segments(8)
        assert [(e.tag, e.segment, e.length) for e in file.entries] == [
            (WGHT, index, 1000 + index) for index in range(8)
        ]
        assert [file.entries[0].offset, file.entries[-1].end] == [HEAD_BYTES, len(DATA)]
        assert file.has(WGHT, 7)
        assert not file.has(WGHT, 8)
        assert not file.has(MODL, 0)
        assert not file.has(WGHT)


def buffered(path: Path) -> IO[bytes] | gzip.GzipFile:
    return path.open("rb")


def packed(path: Path) -> IO[bytes] | gzip.GzipFile:
    # Its descriptor is that of the packed file, which must not be read by position.
    path.with_suffix(".gz").write_bytes(gzip.compress(DATA))
    return gzip.open(path.with_suffix(".gz"))


def moved(path: Path) -> IO[bytes] | gzip.GzipFile:
    stream = io.BytesIO(path.read_bytes())
    stream.seek(100)
    return stream


@pytest.mark.parametrize("opener", [buffered, packed, moved])
def test_many_threads_read_right_bytes_and_count_them(
    opener: Callable[[Path], IO[bytes] | gzip.GzipFile], path: Path
) -> None:
    wrong: list[int] = []
    with opener(path) as stream, NervFile.open(stream) as file:

        def read() -> None:
            wrong.extend(i for i in [*range(8)] * 5 if file.read(WGHT, i) != PAYLOADS[i])

        threads = [threading.Thread(target=read) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert file.bytes_read == HEAD_BYTES + 8 * 5 * sum(map(len, PAYLOADS))
        file.close()
        assert not stream.closed


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_process_shares_no_file_position(path: Path) -> None:
    with NervFile.open(path) as file:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = 0 if all(file.read(WGHT, i) == PAYLOADS[i] for i in range(8)) else 1
            finally:
                os._exit(status)
        assert [file.read(WGHT, i) for i in range(8)] == PAYLOADS
        assert os.waitpid(child, 0)[1] == 0


def test_sources_are_read_by_position_only_when_that_is_right(path: Path) -> None:
    with buffered(path) as file, path.open("rb", buffering=0) as raw, packed(path) as other:
        kinds = [type(open_source(source)[0]) for source in (file, raw, other, moved(path))]
        assert kinds == [DescriptorSource, DescriptorSource, StreamSource, StreamSource]
    assert isinstance(Ranges(b""), ByteSource)


def test_close_closes_only_what_open_opened(path: Path) -> None:
    with path.open("rb") as mine:
        NervFile.open(mine).close()
        assert mine.read(4) == b"\x89NRV"
    file = NervFile.open(path)
    file.close()
    file.close()
    with pytest.raises(InputError) as caught:
        file.read(WGHT, 3)
    assert str(caught.value) == "cannot read section WGHT of segment 3: the file is closed; open it again"


def test_paths_that_cannot_be_read_are_refused_in_one_line(tmp_path: Path) -> None:
    missing = tmp_path / "missing.nerv"
    with pytest.raises(InputError) as caught:
        NervFile.open(missing)
    assert str(caught.value) == f"cannot read {missing}: No such file or directory; check the path"
    with pytest.raises(InputError) as caught:
        NervFile.open(tmp_path)
    assert str(caught.value) == f"cannot read {tmp_path}: wanted a regular file; copy it to one first"
    with pytest.raises(InputError, match="embedded null byte; check the path"):
        NervFile.open("a\0b")
    reading, writing = os.pipe()
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe, pytest.raises(InputError) as caught:
        NervFile.open(pipe)
    assert str(caught.value) == "cannot read a stream that does not seek; save it to a file first"


def test_a_source_that_fails_or_shrinks_is_an_error_of_the_section() -> None:
    class Failing(Ranges):
        def read_range(self, offset: int, length: int) -> bytes:
            if offset > HEAD_BYTES:
                raise OSError(5, "Input/output error")
            return super().read_range(offset, length)

    with pytest.raises(InputError) as failed:
        NervFile.open(Failing(DATA)).read(WGHT, 1)
    assert str(failed.value) == "cannot read section WGHT of segment 1: Input/output error; try again"
    source = Ranges(DATA)
    file = NervFile.open(source)
    source.data = DATA[: HEAD_BYTES + 500]
    with pytest.raises(CorruptSectionError) as short:
        file.read(WGHT, 0)
    assert str(short.value) == (
        f"section WGHT of segment 0 ends at byte {HEAD_BYTES + 1000}, but the file is {HEAD_BYTES + 500} "
        "bytes long; the file is cut short, copy or encode it again"
    )


def test_a_file_that_shrinks_while_open_is_cut_short(path: Path) -> None:
    with NervFile.open(path) as file:
        os.truncate(path, HEAD_BYTES + 500)
        with pytest.raises(CorruptSectionError, match=f"but the file is {HEAD_BYTES + 500} bytes long"):
            file.read(WGHT, 0)


def test_a_flipped_bit_names_its_section_and_spares_the_others() -> None:
    data = bytearray(DATA)
    data[HEAD_BYTES + 1000] ^= 1
    file = NervFile.open(io.BytesIO(bytes(data)))
    assert file.read(WGHT, 0) == PAYLOADS[0]
    stored = file.entries[1].checksum
    for call in (lambda: file.read(WGHT, 1), file.verify):
        with pytest.raises(CorruptSectionError) as caught:
            call()
        message = str(caught.value)
        assert message.startswith("section WGHT of segment 1: checksum 0x")
        assert message.endswith(
            f" does not match stored {stored:#010x}; the file is damaged, copy or encode it again"
        )


def test_verify_reads_long_sections_in_pieces() -> None:
    header = replace(PLAIN, tracks=(TrackSummary(kind="audio", codec="aac"),))
    source = Ranges(pack(header, [Section(TRAK, 0, bytes(2_500_000))]))
    file = NervFile.open(source)
    file.verify()
    assert [length for _, length in source.asked[2:]] == [1_048_576, 1_048_576, 402_848]


def test_a_missing_section_is_named() -> None:
    file = NervFile.open(io.BytesIO(DATA))
    with pytest.raises(CorruptSectionError) as caught:
        file.read(EMBD, 2)
    assert str(caught.value) == (
        "section EMBD of segment 2: wanted it in the file, it is not there; "
        "the file is damaged, copy or encode it again"
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "wanted a .nerv file, got an empty one; choose a file that nervid encode wrote"),
        (
            b"RIFF....AVI ",
            "wanted a .nerv file, got one that begins with 52 49 46 46 2e 2e 2e 2e; choose a file that "
            "nervid encode wrote",
        ),
        (
            DATA.replace(b"\r\n", b"\n"),
            "wanted a .nerv file, got one whose signature was altered, as a transfer in text mode does; "
            "copy it again in binary mode",
        ),
    ],
)
def test_other_files_are_told_apart(data: bytes, message: str) -> None:
    with pytest.raises(NotNervError) as caught:
        NervFile.open(io.BytesIO(data))
    assert str(caught.value) == message


def test_newer_files_ask_for_a_newer_nervid() -> None:
    with pytest.raises(UnsupportedVersionError) as caught:
        NervFile.open(io.BytesIO(forged(version=2)))
    assert str(caught.value) == (
        "format version 2 is newer than 1, the newest this nervid reads; update nervid"
    )
    with pytest.raises(UnsupportedVersionError, match="preamble: wanted flags 0, got 0x0001; update nervid"):
        NervFile.open(io.BytesIO(forged(flags=1)))
    row = (b"DPTH", 0, len(forged()) + 28, 0, 0)
    with pytest.raises(UnsupportedVersionError) as caught:
        NervFile.open(io.BytesIO(forged(rows=[row])))
    assert str(caught.value) == (
        "section DPTH of segment 0: this nervid does not know its kind; update nervid"
    )


def test_unknown_ancillary_sections_are_skipped_but_readable() -> None:
    file = NervFile.open(io.BytesIO(pack(PLAIN, [Section("dpth", 9, b"x"), Section(WGHT, 0, b"y")])))
    assert (file.read("dpth", 9), file.read(WGHT, 0)) == (b"x", b"y")
