"""Files of released format versions decode forever: symbols exactly, pixels to 1 in 255."""

import hashlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nervid
from nervid.compress.streams import decode_tensors
from nervid.container import EMBD, MODL, WGHT, NervFile
from nervid.decoder.network import load_network
from nervid.errors import FormatError
from nervid.models.representation import EMBEDDINGS

GOLDEN = Path(__file__).parents[1] / "golden"
SYMBOLS = {
    "hnerv_v1": "59bb200fb952e3f39e587ebc3860bc33c4ac64953c5ee1cfc688ba08c76cc2db",
    "nerv_v1": "9f15eab4cce4e311b2f54b7b1ddcd28112c8d0acd0d93a3b1856659077aaad78",
    "latent-inr_v1": "397c84cca4c1c9e6b08663de1a6f1aea8fa5e78926fbfa85cd8c5127b5cf3a9d",
}
"""SHA-256 over all codes of all segments, int16 little-endian, in the order of the file."""


def digest_of_symbols(path: Path) -> str:
    digest = hashlib.sha256()
    with NervFile.open(path) as file:
        for segment, frames in enumerate(file.header.segments):
            embd = file.read(EMBD, segment) if file.has(EMBD, segment) else None
            network = load_network(file.read(MODL, segment), file.read(WGHT, segment), embd, frames=frames)
            shapes = {name: tuple(value.shape) for name, value in network.named_parameters()}
            weights = [shape for name, shape in shapes.items() if name != EMBEDDINGS]
            tensors = decode_tensors(file.read(WGHT, segment), weights)
            if embd is not None:
                tensors += decode_tensors(embd, [shapes[EMBEDDINGS]])
            for tensor in tensors:
                digest.update(tensor.codes.numpy().astype("<i2").tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("name", SYMBOLS)
def test_symbols_are_exactly_those_that_were_written(name: str) -> None:
    assert digest_of_symbols(GOLDEN / f"{name}.nerv") == SYMBOLS[name]


@pytest.mark.parametrize("name", SYMBOLS)
def test_frames_differ_by_at_most_one_from_those_first_drawn(name: str) -> None:
    with nervid.open(GOLDEN / f"{name}.nerv") as video:
        drawn = video[:].numpy().astype(int)
    assert np.abs(drawn - np.load(GOLDEN / f"{name}.npy").astype(int)).max() <= 1


@given(data=st.data())
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_golden_file_with_changed_bytes_is_refused(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray((GOLDEN / "hnerv_v1.nerv").read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    (tmp_path / "a.nerv").write_bytes(content)
    with pytest.raises(FormatError), nervid.open(tmp_path / "a.nerv") as video:
        _ = video[:]


@given(length=st.integers(0, 5000))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_golden_file_cut_short_is_refused(tmp_path: Path, length: int) -> None:
    (tmp_path / "a.nerv").write_bytes((GOLDEN / "hnerv_v1.nerv").read_bytes()[:length])
    with pytest.raises(FormatError), nervid.open(tmp_path / "a.nerv") as video:
        _ = video[:]


@given(garbage=st.binary(max_size=200))
def test_sections_of_garbage_never_crash(garbage: bytes) -> None:
    with suppress(FormatError):
        decode_tensors(garbage, [(3, 4), (5,)])
