import numpy as np
import pytest
import torch

from nervid.compress.feature_sections import (
    QuantizedFeatureGrid,
    decode_feature_grids,
    encode_feature_grids,
    estimate_feature_bytes,
    join_latents,
    split_latents,
)
from nervid.errors import CorruptSectionError

SHAPES = [(3, 2, 4, 5), (1, 1, 8, 10)]


def grids(seed: int = 1) -> list[QuantizedFeatureGrid]:
    random = np.random.default_rng(seed)
    return [
        QuantizedFeatureGrid(
            torch.from_numpy(np.round(random.laplace(0, 2, shape)).astype(np.int16)),
            torch.from_numpy(random.uniform(0.01, 1, shape[1]).astype(np.float16).astype(np.float32)),
        )
        for shape in SHAPES
    ]


def test_what_was_encoded_comes_back() -> None:
    written = grids()
    read = decode_feature_grids(encode_feature_grids(written), SHAPES)
    for one, other in zip(read, written, strict=True):
        assert torch.equal(one.codes, other.codes)
        assert torch.equal(one.steps, other.steps)


def test_values_are_codes_times_the_step_of_their_channel() -> None:
    grid = QuantizedFeatureGrid(torch.tensor([[[[3]], [[-2]]]], dtype=torch.int16), torch.tensor([0.5, 4.0]))
    assert grid.values().tolist() == [[[[1.5]], [[-8.0]]]]


def test_steps_lead_the_section_as_halves() -> None:
    grid = QuantizedFeatureGrid(torch.zeros(1, 2, 1, 1, dtype=torch.int16), torch.tensor([0.5, 4.0]))
    assert encode_feature_grids([grid])[:4].hex() == "00380044"


def test_the_estimate_is_the_size() -> None:
    written = grids()
    assert len(encode_feature_grids(written)) == pytest.approx(estimate_feature_bytes(written), abs=12)


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"\0", "ends early"), (bytes(6), "a step is not positive"), (b"\0\x7c" * 3, "a step is not positive")],
)
def test_damaged_steps_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(CorruptSectionError, match=message):
        decode_feature_grids(data, SHAPES)


def test_latents_stand_in_front_of_feature_grids_with_their_length() -> None:
    joined = join_latents(b"abc", b"grids")
    assert joined == b"\x03\0\0\0abcgrids"
    assert split_latents(joined) == (b"abc", b"grids")


def test_without_latents_a_section_is_its_feature_grids() -> None:
    section = encode_feature_grids(grids())
    assert join_latents(b"", section) == section


@pytest.mark.parametrize("data", [b"", b"\x03\0\0", b"\x03\0\0\0ab", b"\xff\xff\xff\xffabcdef"])
def test_latents_that_end_early_are_refused(data: bytes) -> None:
    with pytest.raises(CorruptSectionError, match=r"^latents: the section ends early; copy or encode"):
        split_latents(data)


def test_a_damaged_stream_is_refused() -> None:
    data = bytearray(encode_feature_grids(grids()))
    with pytest.raises(CorruptSectionError):
        decode_feature_grids(bytes(data[:-3]), SHAPES)
