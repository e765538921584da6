"""Constants, checksums and canonical JSON."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervid.container import canonical_json
from nervid.container.format import PREAMBLE_BYTES, SIGNATURE, TABLE_ROW, crc32c, section_label
from nervid.errors import InputError

from .samples import json_values, slow_crc32c


def test_fixed_layouts_have_the_sizes_of_the_specification() -> None:
    assert (PREAMBLE_BYTES, TABLE_ROW.size, len(SIGNATURE)) == (24, 28, 8)


def test_checksum_of_rfc_3720_vectors() -> None:
    assert crc32c(bytes(32)) == 0x8A91_36AA
    assert crc32c(b"\xff" * 32) == 0x62A8_AB43
    assert crc32c(b"123456789") == 0xE306_9283


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_checksum_equals_the_bitwise_one_and_continues(first: bytes, second: bytes) -> None:
    assert crc32c(first) == slow_crc32c(first)
    assert crc32c(second, crc32c(first)) == slow_crc32c(first + second)


@given(json_values)
def test_canonical_json_reads_back_and_is_its_own_canonical_form(value: Any) -> None:  # noqa: ANN401 (JSON)
    data = canonical_json(value)
    assert json.loads(data) == value
    assert canonical_json(json.loads(data)) == data


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers(), max_size=5))
def test_canonical_json_does_not_depend_on_the_order_of_keys(value: dict[str, int]) -> None:
    assert canonical_json(value) == canonical_json(dict(reversed(value.items())))


def test_canonical_json_literal_bytes() -> None:
    value = {"ö": [1.0, -0.0, 0.1, 1e300, True, None], "a": {"z": (), "y": 'q"\n'}}
    assert canonical_json(value) == (b'{"a":{"y":"q\\"\\n","z":[]},"\xc3\xb6":[1,0,0.1,1e+300,true,null]}')


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "JSON wanted a finite number, got nan; leave it out"),
        ([float("-inf")], "JSON wanted a finite number, got -inf; leave it out"),
        ({1: 2}, "JSON wanted text keys, got 1; convert it"),
        ({"a": b"x"}, "JSON wanted text, numbers, lists or mappings, got bytes; convert it"),
        ("\ud800", "JSON text wanted Unicode characters, got a lone surrogate; remove it"),
    ],
)
def test_canonical_json_refuses_what_json_cannot_hold(value: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        canonical_json(value)
    assert str(caught.value) == message


def test_canonical_json_refuses_bottomless_nesting() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(InputError, match="nested too deeply"):
        canonical_json(value)


def test_labels_name_segment_track_or_neither() -> None:
    assert section_label("WGHT", 3) == "section WGHT of segment 3"
    assert section_label("TRAK", 0) == "section TRAK of track 0"
    assert section_label("TIME", 0xFFFF_FFFF) == "section TIME"
