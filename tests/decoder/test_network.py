"""A segment's sections are untrusted: whatever they hold, only FormatError comes out, and soon."""

import json
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nervid.container import EMBD, MODL, WGHT, NervFile, canonical_json
from nervid.decoder.network import load_network
from nervid.errors import FormatError


@pytest.fixture
def sections(path: Path) -> tuple[bytes, bytes, bytes, int]:
    with NervFile.open(path) as file:
        return file.read(MODL, 0), file.read(WGHT, 0), file.read(EMBD, 0), file.header.segments[0]


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_changed_bytes_are_refused_or_load(
    sections: tuple[bytes, bytes, bytes, int], data: st.DataObject
) -> None:
    payloads = [bytearray(payload) for payload in sections[:3]]
    target = payloads[data.draw(st.integers(0, 2))]
    position = data.draw(st.integers(0, len(target) - 1))
    target[position] = data.draw(st.integers(0, 255))
    with suppress(FormatError):
        load_network(bytes(payloads[0]), bytes(payloads[1]), bytes(payloads[2]), frames=sections[3])


@given(garbage=st.binary(max_size=64))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_garbage_in_place_of_a_configuration_is_refused(
    sections: tuple[bytes, bytes, bytes, int], garbage: bytes
) -> None:
    with pytest.raises(FormatError):
        load_network(garbage, sections[1], sections[2], frames=sections[3])


def test_a_network_larger_than_its_bytes_can_hold_is_refused_before_allocating(
    sections: tuple[bytes, bytes, bytes, int],
) -> None:
    modl = json.loads(sections[0])
    modl["model"] |= {"channels": 500, "lower_width": 500}
    tracemalloc.start()
    with pytest.raises(FormatError, match="cannot hold"):
        load_network(canonical_json(modl), sections[1], sections[2], frames=sections[3])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_another_number_of_frames_than_the_header_says_is_refused(
    sections: tuple[bytes, bytes, bytes, int],
) -> None:
    with pytest.raises(FormatError, match="as the header says"):
        load_network(sections[0], sections[1], sections[2], frames=sections[3] + 1)


def test_missing_embeddings_are_refused(sections: tuple[bytes, bytes, bytes, int]) -> None:
    with pytest.raises(FormatError, match="EMBD"):
        load_network(sections[0], sections[1], None, frames=sections[3])
