"""Files of released format versions decode forever: symbols exactly, pixels to 1 in 255."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

import nervid
from nervid.compress.feature_sections import decode_feature_grids, split_latents
from nervid.compress.streams import decode_tensors
from nervid.container import EMBD, MODL, WGHT, NervFile
from nervid.decoder.alignment import read_alignment, read_vectors
from nervid.decoder.network import load_network
from nervid.errors import FormatError
from nervid.models.config import ModelConfig, NervidConfig

GOLDEN = Path(__file__).parents[1] / "golden"
SYMBOLS = {
    "hnerv_v1": "59bb200fb952e3f39e587ebc3860bc33c4ac64953c5ee1cfc688ba08c76cc2db",
    "nerv_v1": "9f15eab4cce4e311b2f54b7b1ddcd28112c8d0acd0d93a3b1856659077aaad78",
    "latent-inr_v1": "397c84cca4c1c9e6b08663de1a6f1aea8fa5e78926fbfa85cd8c5127b5cf3a9d",
    "nervid_v1": "8f5c104ae5caf2961fa444e8cec30d08d9841fa9e25575da07eeff0f5fe18ede",
    # The same codes, their knots in the order in which frames need them.
    "nervid_interleaved_v1": "8f5c104ae5caf2961fa444e8cec30d08d9841fa9e25575da07eeff0f5fe18ede",
    "nervid_textured_v1": "e317ca58f1b8b627ff4d691812d0f9a965a80ff20fd9307aaa4c1503ffae18fa",
}
"""SHA-256 over all codes of all segments, int16 little-endian, in the order of the file."""
HEAD = "9dae5c92283c820e958491a33bad6835a120bd11100ae9651b2cf11906649f21"
"""The same of the alignment's weight and bias in nervid_v1."""
SMALLER = {"half": (13, 21), "quarter": (7, 11)}
"""Rows and columns of the smaller frames beside nervid_v1, whose own are 26 and 42."""


def embedding_codes(config: ModelConfig, embd: bytes) -> Iterator[Tensor]:
    """Codes of all that section EMBD holds, in its order."""
    if not isinstance(config, NervidConfig):
        yield decode_tensors(embd, [(config.frames, *config.embedding_shape)])[0].codes
        return
    grids = embd
    if config.latents:
        latents, grids = split_latents(embd)
        yield decode_tensors(latents, [(config.frames, config.latents)])[0].codes
    shapes = [grid.shape for grid in config.feature_grids]
    for grid in decode_feature_grids(grids, shapes, config.knot_order):
        yield grid.codes


def digest_of(codes: Iterable[Tensor]) -> str:
    digest = hashlib.sha256()
    for each in codes:
        digest.update(each.numpy().astype("<i2").tobytes())
    return digest.hexdigest()


def codes_of(path: Path) -> Iterator[Tensor]:
    """Codes of all weights and embeddings of a file."""
    with NervFile.open(path) as file:
        for segment, frames in enumerate(file.header.segments):
            embd = file.read(EMBD, segment) if file.has(EMBD, segment) else None
            network = load_network(file.read(MODL, segment), file.read(WGHT, segment), embd, frames=frames)
            shapes = [tuple(weight.shape) for _, weight in network.named_weights()]
            yield from (tensor.codes for tensor in decode_tensors(file.read(WGHT, segment), shapes))
            if embd is not None:
                yield from embedding_codes(network.config, embd)


@pytest.mark.parametrize("name", SYMBOLS)
def test_symbols_are_exactly_those_that_were_written(name: str) -> None:
    assert digest_of(codes_of(GOLDEN / f"{name}.nerv")) == SYMBOLS[name]


@pytest.mark.parametrize("name", SYMBOLS)
def test_frames_differ_by_at_most_one_from_those_first_drawn(name: str) -> None:
    with nervid.open(GOLDEN / f"{name}.nerv") as video:
        drawn = video[:].numpy().astype(int)
    assert np.abs(drawn - np.load(GOLDEN / f"{name.replace('_interleaved', '')}.npy").astype(int)).max() <= 1


@pytest.mark.parametrize("name", SMALLER)
def test_smaller_frames_differ_by_at_most_one_from_those_first_drawn(name: str) -> None:
    with nervid.open(GOLDEN / "nervid_v1.nerv", precision="float32") as video:
        drawn = [video.frame_at(video.seconds_of(i), size=SMALLER[name]) for i in range(len(video))]
    first = np.load(GOLDEN / f"nervid_v1_{name}.npy").astype(int)
    assert np.abs(np.stack([frame.numpy() for frame in drawn]).astype(int) - first).max() <= 1


def test_vectors_are_those_first_read() -> None:
    with NervFile.open(GOLDEN / "nervid_v1.nerv") as file:
        alignment, vectors = read_alignment(file), read_vectors(file)
    assert alignment is not None
    assert alignment.head is not None
    assert digest_of([alignment.head.weight.codes, alignment.head.bias.codes]) == HEAD
    np.testing.assert_allclose(vectors, np.load(GOLDEN / "nervid_v1_vectors.npy"), rtol=0, atol=1e-6)


def read_all(path: Path) -> None:
    """Draw all frames, and read the alignment, which none of them needs."""
    with nervid.open(path) as video:
        _ = video[:]
    with NervFile.open(path) as file:
        read_alignment(file)


@pytest.mark.parametrize("name", ["hnerv_v1", "nervid_v1", "nervid_interleaved_v1", "nervid_textured_v1"])
@given(data=st.data())
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_golden_file_with_changed_bytes_is_refused(tmp_path: Path, name: str, data: st.DataObject) -> None:
    content = bytearray((GOLDEN / f"{name}.nerv").read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    (tmp_path / "a.nerv").write_bytes(content)
    with pytest.raises(FormatError):
        read_all(tmp_path / "a.nerv")


@pytest.mark.parametrize("name", ["hnerv_v1", "nervid_v1", "nervid_interleaved_v1", "nervid_textured_v1"])
@given(length=st.integers(0, 4200))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_golden_file_cut_short_is_refused(tmp_path: Path, name: str, length: int) -> None:
    (tmp_path / "a.nerv").write_bytes((GOLDEN / f"{name}.nerv").read_bytes()[:length])
    with pytest.raises(FormatError):
        read_all(tmp_path / "a.nerv")


@given(garbage=st.binary(max_size=200))
def test_sections_of_garbage_never_crash(garbage: bytes) -> None:
    with suppress(FormatError):
        decode_tensors(garbage, [(3, 4), (5,)])
