"""The committed file of format version 1, read forever, and the specification that shows its bytes."""

import re
import runpy
from pathlib import Path

from nervid.container import (
    EMBD,
    MODL,
    TIME,
    TRAK,
    WGHT,
    WHOLE_FILE,
    Header,
    NervFile,
    TrackSummary,
    pack,
    read_timestamps,
)
from nervid.container import format as spec

from .samples import GOLDEN

SPECIFICATION = Path(__file__).parents[2] / "docs" / "format.md"


def test_golden_file_of_version_1_reads_as_when_it_was_written() -> None:
    with NervFile.open(GOLDEN) as file:
        file.verify()
        assert file.header == Header(
            width=48,
            height=32,
            frames=5,
            time_base=(1, 12800),
            frame_rate=(25, 1),
            timestamps=None,
            segments=(3, 2),
            color_primaries=1,
            color_transfer=1,
            color_matrix=1,
            color_range=1,
            pixel_aspect=(4, 3),
            rotation=-90,
            bit_depth=8,
            metadata={"title": "Häschen 兎"},
            tracks=(TrackSummary(kind="audio", codec="aac", language="eng"),),
            provenance={"nervid": "0"},
        )
        assert {
            (entry.tag, entry.segment): file.read(entry.tag, entry.segment) for entry in file.entries
        } == {
            (MODL, 0): b'{"model":"nerv"}',
            (WGHT, 0): bytes(range(12)),
            (MODL, 1): b'{"model":"hnerv"}',
            (WGHT, 1): b"",
            (EMBD, 1): b"\xff\x00\xff",
            (TIME, WHOLE_FILE): bytes.fromhex("78da 6368 e060 6266 0200 02b4 0090"),
            (TRAK, 0): b"audio packets",
            ("note", WHOLE_FILE): b"readers skip this",
        }
        assert read_timestamps(file).tolist() == [0, 512, 1025, 1536, 2048]


def test_golden_file_is_still_written_byte_for_byte() -> None:
    script = runpy.run_path(str(GOLDEN.with_name("make_container_golden.py")))
    assert pack(script["golden_header"](), script["golden_sections"]()) == GOLDEN.read_bytes()


def test_hex_dump_in_the_specification_is_the_golden_file() -> None:
    lines = re.findall(
        r"^([0-9a-f]{8})  ((?:[0-9a-f]{2} ?)+)", SPECIFICATION.read_text("utf-8"), re.MULTILINE
    )
    data = GOLDEN.read_bytes()
    assert lines
    for offset, row in lines:
        start, expected = int(offset, 16), bytes.fromhex(row)
        assert data[start : start + len(expected)] == expected, offset
    assert sum(len(bytes.fromhex(row)) for _, row in lines) == len(data)


def test_specification_states_the_limits_that_the_code_keeps() -> None:
    text = SPECIFICATION.read_text("utf-8")
    limits = re.findall(r"^\| [^|]+ \| `(\w+)` \| ([\d,]+) \|$", text, re.MULTILINE)
    assert {name: int(value.replace(",", "")) for name, value in limits} == {
        "MAX_HEADER_BYTES": spec.MAX_HEADER_BYTES,
        "MAX_SECTIONS": spec.MAX_SECTIONS,
        "MAX_SECTION_BYTES": spec.MAX_SECTION_BYTES,
        "MIN_SIDE": spec.MIN_SIDE,
        "MAX_SIDE": spec.MAX_SIDE,
        "MAX_FRAMES": spec.MAX_FRAMES,
    }
