"""The header's fields, their JSON, and every way in which they can be wrong."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from nervid.container import EvenTimestamps, Header, TrackSummary, canonical_json
from nervid.container.reference import InitializationReference
from nervid.errors import FormatError, InputError, UnsupportedVersionError

from .samples import PLAIN, header_fields, plain_document


@given(header_fields())
def test_header_survives_json(values: dict[str, Any]) -> None:
    header = Header(**values)
    assert Header.from_json(header.to_json()) == header


def test_header_json_literal_bytes() -> None:
    assert PLAIN.to_json() == canonical_json(plain_document())
    changed = replace(PLAIN, timestamps=None, tracks=(TrackSummary(kind="subtitle", codec="ass"),))
    tracks = [{"kind": "subtitle", "codec": "ass"}]
    assert changed.to_json() == canonical_json(plain_document(timestamps="TIME", tracks=tracks))


def test_unknown_keys_are_ignored() -> None:
    assert Header.from_json(canonical_json(plain_document(mood="blue"))) == PLAIN


WRONG: list[tuple[dict[str, object], str]] = [
    ({"width": 15}, "header field width: wanted an integer from 16 to 4096, got 15"),
    ({"width": True}, "header field width: wanted an integer from 16 to 4096, got True"),
    ({"height": "32"}, "header field height: wanted an integer from 16 to 4096, got '32'"),
    ({"height": 4097}, "header field height: wanted an integer from 16 to 4096, got 4097"),
    ({"frames": 0}, "header field frames: wanted an integer from 1 to 16777216, got 0"),
    ({"frames": 10**9}, "header field frames: wanted an integer from 1 to 16777216, got 1000000000"),
    ({"frames": 1.5}, "header field frames: wanted an integer from 1 to 16777216, got 1.5"),
    ({"time_base": [1]}, "header field time_base: wanted two integers, got (1,)"),
    ({"time_base": None}, "header field time_base: wanted two integers, got None"),
    ({"frame_rate": [25, 0]}, "header field frame_rate: wanted an integer from 1 to 2147483647, got 0"),
    (
        {"pixel_aspect": [2**31, 1]},
        "header field pixel_aspect: wanted an integer from 1 to 2147483647, got 2147483648",
    ),
    (
        {"timestamps": "EVEN"},
        "header field timestamps: wanted an object with start and step, or 'TIME', got 'EVEN'",
    ),
    ({"timestamps": {"start": 0}}, "header field timestamps.step: missing; encode the video again"),
    (
        {"timestamps": {"start": 0, "step": 0}},
        "header field timestamps.step: wanted an integer from 1 to 274877906944, got 0",
    ),
    ({"segments": 1}, "header field segments: wanted a list of integers, got 1"),
    ({"segments": []}, "header field segments: wanted counts that add up to 1 frames, got 0"),
    ({"segments": [2, -1]}, "header field segments[1]: wanted an integer from 1 to 16777216, got -1"),
    ({"segments": [1, 1]}, "header field segments: wanted counts that add up to 1 frames, got 2"),
    ({"color_range": 256}, "header field color_range: wanted an integer from 0 to 255, got 256"),
    ({"rotation": -361}, "header field rotation: wanted an integer from -360 to 360, got -361"),
    ({"bit_depth": 17}, "header field bit_depth: wanted an integer from 1 to 16, got 17"),
    ({"metadata": []}, "header field metadata: wanted an object with text keys, got []"),
    ({"metadata": {"title": 5}}, "header field metadata 'title': wanted text, got 5"),
    ({"tracks": {}}, "header field tracks: wanted a list of objects, got {}"),
    ({"tracks": ["aac"]}, "header field tracks: wanted a list of objects, got 'aac'"),
    ({"tracks": [{"kind": "audio"}]}, "header field track codec: missing; encode the video again"),
    ({"tracks": [{"kind": 1, "codec": "aac"}]}, "header field track kind: wanted text, got 1"),
    ({"provenance": None}, "header field provenance: wanted an object with text keys, got None"),
    ({"schema": 0}, "header field schema: wanted an integer from 1 to 2147483647, got 0"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_each_wrong_field_is_named_with_what_was_wanted_and_what_came(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(FormatError) as caught:
        Header.from_json(canonical_json(plain_document(**changes)))
    assert str(caught.value) == message


@pytest.mark.parametrize("name", sorted(plain_document()))
def test_each_missing_field_is_named(name: str) -> None:
    document = plain_document()
    del document[name]
    with pytest.raises(FormatError) as caught:
        Header.from_json(canonical_json(document))
    assert str(caught.value) == f"header field {name}: missing; encode the video again"


def test_a_newer_schema_asks_for_a_newer_nervid() -> None:
    with pytest.raises(UnsupportedVersionError) as caught:
        Header.from_json(canonical_json(plain_document(schema=3)))
    assert str(caught.value) == (
        "header schema 3 is newer than 2, the newest this nervid reads; update nervid"
    )


REFERENCE = {"name": "meta-hnerv", "sha256": "0123456789abcdef" * 4}


def test_a_reference_to_an_initialization_raises_the_schema_for_itself_alone() -> None:
    changed = replace(PLAIN, initialization=InitializationReference(**REFERENCE))
    assert changed.to_json() == canonical_json(plain_document(schema=2, initialization=REFERENCE))
    assert Header.from_json(changed.to_json()) == changed
    assert b"initialization" not in PLAIN.to_json()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 2}, "header field initialization: missing; encode the video again"),
        ({"initialization": REFERENCE}, "header field initialization: wanted schema 2 with it, got 1"),
        (
            {"schema": 2, "initialization": None},
            "header field initialization: wanted an object with name and sha256, got None",
        ),
        (
            {"schema": 2, "initialization": {"name": "a"}},
            "header field initialization.sha256: missing; encode the video again",
        ),
        (
            {"schema": 2, "initialization": REFERENCE | {"name": ""}},
            "header field initialization.name: wanted 1 to 200 printable characters, got ''",
        ),
        (
            {"schema": 2, "initialization": REFERENCE | {"name": "a\nb"}},
            "header field initialization.name: wanted 1 to 200 printable characters, got 'a\\nb'",
        ),
        (
            {"schema": 2, "initialization": REFERENCE | {"sha256": "0123456789ABCDEF" * 4}},
            "header field initialization.sha256: wanted 64 lower-case hexadecimal digits, "
            "got '0123456789AB...3456789ABCDEF'",
        ),
        (
            {"schema": 2, "initialization": REFERENCE | {"sha256": 7}},
            "header field initialization.sha256: wanted 64 lower-case hexadecimal digits, got 7",
        ),
    ],
)
def test_a_wrong_reference_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(FormatError) as caught:
        Header.from_json(canonical_json(plain_document(**changes)))
    assert str(caught.value) == message


PLAIN_JSON = PLAIN.to_json()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"{",
        PLAIN_JSON + b"\n",
        PLAIN_JSON.replace(b'"width":16', b'"width": 16'),
        PLAIN_JSON.replace(b'"width":16', b'"width":16.0'),
        PLAIN_JSON.replace(b'"width":16', b'"width":16,"width":16'),
        PLAIN_JSON.replace(b'"provenance":{}', b'"provenance":{"a":NaN}'),
        PLAIN_JSON.replace(b'"provenance":{}', b'"provenance":{"a":1e999}'),
        PLAIN_JSON.replace(b'"metadata":{}', b'"metadata":{"a":"\\ud800"}'),
        PLAIN_JSON.replace(b'"width":16', b'"width":' + b"9" * 5000),
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
    ],
)
def test_any_json_but_the_canonical_one_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        Header.from_json(data)
    assert str(caught.value) == "header: wanted canonical JSON, got something else; encode the video again"


def test_json_that_is_no_object_is_refused() -> None:
    with pytest.raises(FormatError) as caught:
        Header.from_json(b"[]")
    assert str(caught.value) == "header: wanted a JSON object, got []; encode the video again"


def test_fields_are_checked_on_construction_too() -> None:
    with pytest.raises(InputError, match="header field width: wanted an integer from 16 to 4096, got 8"):
        replace(PLAIN, width=8)
    with pytest.raises(InputError, match=r"timestamps\.start: wanted an integer from -4611686018427387904"):
        EvenTimestamps(start=2**62 + 1, step=1)
