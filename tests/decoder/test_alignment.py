"""Section ALGN and what is read through it: two layouts there and back, and damage in one line."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch

from nervid.compress.quantize import fit_grid, quantize
from nervid.compress.streams import QuantizedTensor, encode_tensors
from nervid.container import (
    ALGN,
    EMBD,
    MODL,
    WGHT,
    WHOLE_FILE,
    EvenTimestamps,
    Header,
    NervFile,
    Section,
    canonical_json,
    pack,
)
from nervid.decoder.alignment import AlignmentHead, StoredAlignment, read_alignment, read_vectors
from nervid.decoder.network import model_to_json
from nervid.errors import CorruptSectionError
from nervid.models.config import ModelConfig
from nervid.models.sizing import smallest
from nervid.teachers import TeacherRecord

RECORD = TeacherRecord(name="numbers", revision="1", sha256="cd" * 32, dimension=6)
FRAMES = 4


def quantized(values: torch.Tensor) -> QuantizedTensor:
    grid = fit_grid(values, bits=8)
    return QuantizedTensor(quantize(values, grid), grid)


def mapped(inputs: int = 3) -> StoredAlignment:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(RECORD.dimension, inputs, generator=generator)
    bias = torch.randn(RECORD.dimension, generator=generator)
    return StoredAlignment(RECORD, AlignmentHead(quantized(weight), quantized(bias)))


DIRECT = StoredAlignment(RECORD, None)
LATENTS = torch.arange(32, dtype=torch.float32).reshape(FRAMES, 8) / 16 - 0.3


def written(
    alignment: StoredAlignment, latents: torch.Tensor = LATENTS, model: ModelConfig | None = None
) -> NervFile:
    """A file of one segment whose embeddings are these; its weights are no network's."""
    model = model or smallest("latent-inr", frames=FRAMES, height=32, width=48)
    sections = [
        Section(MODL, 0, canonical_json(model_to_json(model))),
        Section(WGHT, 0, b"none"),
        Section(EMBD, 0, encode_tensors([quantized(latents)])),
        Section(ALGN, WHOLE_FILE, alignment.to_bytes()),
    ]
    header = Header(
        width=48,
        height=32,
        frames=FRAMES,
        time_base=(1, 10),
        frame_rate=(10, 1),
        timestamps=EvenTimestamps(start=0, step=1),
        segments=(FRAMES,),
    )
    return NervFile.open(io.BytesIO(pack(header, sections)))


@pytest.mark.parametrize("alignment", [mapped(), DIRECT])
def test_an_alignment_is_read_as_it_was_written(alignment: StoredAlignment) -> None:
    with written(alignment) as file:
        read = read_alignment(file)
        assert read is not None
        assert (read.teacher, read.inputs) == (RECORD, alignment.inputs)
        assert (read.head is None) == (alignment.head is None)
        # The latents as they were quantized, to half a step.
        wanted = alignment.vectors(LATENTS).numpy()
        wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
        np.testing.assert_allclose(read_vectors(file), wanted, atol=0.02)


def test_the_direct_layout_holds_no_tensors() -> None:
    teacher = b'"teacher":{"dimension":6,"name":"numbers","revision":"1","sha256":"' + b"cd" * 32 + b'"}'
    description = b'{"layout":"direct",' + teacher + b"}"
    assert DIRECT.to_bytes() == len(description).to_bytes(4, "little") + description
    assert mapped().to_bytes()[4:].startswith(b'{"inputs":3,' + teacher + b"}")


@pytest.mark.parametrize("cut", [0, 3, 10, 60, -1])
def test_a_section_cut_short_is_refused(cut: int) -> None:
    for alignment in (mapped(), DIRECT):
        with pytest.raises(CorruptSectionError):
            StoredAlignment.from_bytes(alignment.to_bytes()[:cut])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"direct"', b'"folded"', "layout must be 'direct', got 'folded'"),
        (b'"direct"', b"[[[[[]]]]]"[:8], "not JSON"),
        (b'"layout"', b'"inputs"', "inputs must be 1 to 4096, got 'direct'"),
        (b'"layout"', b'"nature"', "wanted teacher and either inputs or layout"),
        (b'"name"', b'"nome"', "teacher record: wanted an object with name"),
        (b'"dimension":6', b'"dimension":0', "teacher record: dimension must be a whole number"),
    ],
)
def test_a_description_that_makes_no_sense_is_one_line(old: bytes, new: bytes, message: str) -> None:
    with pytest.raises(CorruptSectionError) as refused:
        StoredAlignment.from_bytes(DIRECT.to_bytes().replace(old, new))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_bytes_after_the_end_are_refused() -> None:
    with pytest.raises(CorruptSectionError, match="section ALGN: 2 bytes too many"):
        StoredAlignment.from_bytes(DIRECT.to_bytes() + b"ab")
    with pytest.raises(CorruptSectionError, match="coded symbols: expected exactly"):
        StoredAlignment.from_bytes(mapped().to_bytes() + b"ab")


def test_a_head_that_reads_more_numbers_than_there_are_is_refused() -> None:
    wide = StoredAlignment(replace(RECORD, dimension=9), None)
    for alignment in (mapped(inputs=9), wide):
        with (
            written(alignment) as file,
            pytest.raises(CorruptSectionError, match="ALGN: reads 9 numbers of embeddings that have 8"),
        ):
            read_vectors(file)


def test_embeddings_without_a_direction_are_refused() -> None:
    with (
        written(DIRECT, torch.zeros(FRAMES, 8)) as file,
        pytest.raises(CorruptSectionError, match="section EMBD: an embedding has no direction in the"),
    ):
        read_vectors(file)


def test_a_network_that_stores_no_embeddings_has_no_vectors() -> None:
    model = smallest("nerv", frames=FRAMES, height=32, width=48)
    with (
        written(DIRECT, model=model) as file,
        pytest.raises(CorruptSectionError, match="wanted a network with an embedding for each frame"),
    ):
        read_vectors(file)
