"""A record says exactly which teacher it was, and refuses anything else."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervid.errors import CorruptSectionError, InputError
from nervid.teachers import TeacherRecord

FIELDS: dict[str, Any] = {"name": "a/b", "revision": "local", "sha256": "0f" * 32, "dimension": 512}
NAMES = st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=200)


@given(NAMES, NAMES, st.binary(min_size=32, max_size=32), st.integers(1, 4096))
def test_json_and_back_gives_the_same_record(name: str, revision: str, digest: bytes, dimension: int) -> None:
    record = TeacherRecord(name=name, revision=revision, sha256=digest.hex(), dimension=dimension)
    assert TeacherRecord.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_the_json_has_the_four_fields() -> None:
    assert TeacherRecord(**FIELDS).to_json() == FIELDS


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("name", "", "name must be 1 to 200 printable characters, got ''"),
        ("name", "n" * 201, "name must be 1 to 200 printable characters, got 'nnn"),
        ("name", "two\nlines", r"name must be 1 to 200 printable characters, got 'two\nlines'"),
        ("name", None, "name must be 1 to 200 printable characters, got None"),
        ("revision", 3, "revision must be 1 to 200 printable characters, got 3"),
        ("sha256", "0F" * 32, "sha256 must be 64 lower-case hexadecimal digits, got '0F0F"),
        ("sha256", "0f" * 31, "sha256 must be 64 lower-case hexadecimal digits, got '0f0f"),
        ("sha256", "0f" * 32 + "\n", "sha256 must be 64 lower-case hexadecimal digits, got '0f0f"),
        ("dimension", 0, "dimension must be a whole number, 1 to 4096, got 0"),
        ("dimension", 4097, "dimension must be a whole number, 1 to 4096, got 4097"),
        ("dimension", True, "dimension must be a whole number, 1 to 4096, got True"),
        ("dimension", 384.0, "dimension must be a whole number, 1 to 4096, got 384.0"),
    ],
)
def test_a_field_out_of_range_is_named(field: str, value: object, wanted: str) -> None:
    with pytest.raises(CorruptSectionError, match=r"^teacher record: " + re.escape(wanted)) as caught:
        TeacherRecord.from_json({**FIELDS, field: value})
    assert str(caught.value).endswith("; the file is damaged, re-download or re-encode it")
    assert "\n" not in str(caught.value)


def test_a_record_made_by_hand_is_checked_as_well() -> None:
    with pytest.raises(InputError, match="dimension must be a whole number, 1 to 4096, got -1"):
        TeacherRecord(**{**FIELDS, "dimension": -1})


@pytest.mark.parametrize(
    "value", [None, 7, [], "x", {}, {**FIELDS, "more": 1}, {k: v for k, v in FIELDS.items() if k != "name"}]
)
def test_anything_but_the_four_fields_is_damage(value: object) -> None:
    with pytest.raises(CorruptSectionError, match="wanted an object with name, revision, sha256, dimension"):
        TeacherRecord.from_json(value)


def test_a_long_value_is_quoted_in_short() -> None:
    with pytest.raises(CorruptSectionError) as caught:
        TeacherRecord.from_json("y" * 100_000)
    assert len(str(caught.value)) < 200
