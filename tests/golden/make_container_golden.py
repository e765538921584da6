"""Writes container_v1.nerv, a file of every kind of section; run with UPDATE_GOLDEN=1 and review the diff."""

import os
import sys
from pathlib import Path

from nervid.container import (
    EMBD,
    MODL,
    TIME,
    TRAK,
    WGHT,
    WHOLE_FILE,
    Header,
    Section,
    TrackSummary,
    pack,
    save,
)

GOLDEN = Path(__file__).with_name("container_v1.nerv")


def golden_header() -> Header:
    """Return the header of the golden file."""
    return Header(
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
        metadata={"title": "Häschen 兎"},
        tracks=(TrackSummary(kind="audio", codec="aac", language="eng"),),
        provenance={"nervid": "0"},
    )


def golden_sections() -> list[Section]:
    """Return the sections of the golden file; TIME is spelled out because zlib versions differ."""
    time = bytes.fromhex("78 da 63 68 e0 60 62 66 02 00 02 b4 00 90")
    return [
        Section(MODL, 0, b'{"model":"nerv"}'),
        Section(WGHT, 0, bytes(range(12))),
        Section(MODL, 1, b'{"model":"hnerv"}'),
        Section(WGHT, 1, b""),
        Section(EMBD, 1, b"\xff\x00\xff"),
        Section(TIME, WHOLE_FILE, time),
        Section(TRAK, 0, b"audio packets"),
        Section("note", WHOLE_FILE, b"readers skip this"),
    ]


if __name__ == "__main__":
    if os.environ.get("UPDATE_GOLDEN") != "1":
        sys.exit("set UPDATE_GOLDEN=1 to replace a file that every later version must read")
    save(pack(golden_header(), golden_sections()), GOLDEN)
