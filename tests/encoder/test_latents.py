"""Latents of a file of feature grids: quantized no finer than search needs, within the size asked for."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nervid
from nervid.compress.feature_sections import split_latents
from nervid.compress.quantize import dequantize, quantize
from nervid.compress.streams import decode_tensors
from nervid.container import ALGN, EMBD, MODL, NervFile
from nervid.decoder.alignment import StoredAlignment, read_alignment, read_vectors
from nervid.decoder.network import model_to_json
from nervid.encoder.align import HEAD_BITS, KEPT_COSINE, LATENT_REACH, PrincipalDirections, aim, teach
from nervid.encoder.latents import MOST_LOSS, STEPS_PER_DOUBLING, code_latents, quantize_latents
from nervid.encoder.segment import plan_segment
from nervid.encoder.task import SegmentTask
from nervid.errors import InputError
from nervid.fit.trainer import Interrupted
from tests.encoder.teacher import DIMENSION, Fake, unit

OPTIONS: dict[str, Any] = {"size": "4kB", "epochs": 1, "model": "nervid", "align": "fake"}


def aligned(vectors: np.ndarray, inputs: int) -> StoredAlignment:
    head = PrincipalDirections(vectors).head(inputs, reach=LATENT_REACH)
    return StoredAlignment(replace(Fake().record, dimension=vectors.shape[1]), head)


def wandering(frames: int = 40, dimension: int = DIMENSION) -> np.ndarray:
    """Vectors that move a little from frame to frame, of length 1."""
    steps = np.random.default_rng(0).normal(size=(frames, dimension)) / 5
    return unit(1 + np.cumsum(steps, axis=0))


def mean_cosine(alignment: StoredAlignment, numbers: torch.Tensor, vectors: np.ndarray) -> float:
    drawn = alignment.vectors(numbers).double()
    return float(torch.nn.functional.cosine_similarity(drawn, torch.from_numpy(vectors).double()).mean())


def test_the_step_is_the_largest_that_keeps_the_cosine() -> None:
    vectors = wandering()
    alignment = aligned(vectors, 6)
    best = mean_cosine(alignment, aim(alignment, vectors).start(), vectors)
    latents = quantize_latents(alignment, vectors)
    assert latents.codes.shape == (40, 6)
    assert best - MOST_LOSS <= mean_cosine(alignment, latents.values(), vectors) < best
    coarser = replace(latents.grid, bits=8).coarsened(2 ** (1 / STEPS_PER_DOUBLING))
    numbers = dequantize(quantize(aim(alignment, vectors).start(), coarser), coarser)
    assert mean_cosine(alignment, numbers, vectors) < best - MOST_LOSS


def test_codes_have_no_bit_to_spare() -> None:
    vectors = wandering()
    latents = quantize_latents(aligned(vectors, 6), vectors)
    lowest, highest = latents.grid.lowest_code, latents.grid.highest_code
    assert lowest <= int(latents.codes.min()) <= int(latents.codes.max()) <= highest
    assert max(-int(latents.codes.min()), int(latents.codes.max()) + 1) > -lowest // 2


def test_a_clip_that_does_not_change_has_latents_of_zeros() -> None:
    vectors = np.full((50, DIMENSION), DIMENSION**-0.5, dtype=np.float32)
    alignment = aligned(vectors, 1)
    assert not quantize_latents(alignment, vectors).codes.any()
    (payload,) = code_latents(alignment, vectors, [range(50)])
    assert len(payload) <= 8


def test_segments_hold_their_own_frames() -> None:
    vectors = wandering()
    alignment = aligned(vectors, 3)
    ranges = [range(25), range(25, 40)]
    whole = quantize_latents(alignment, vectors)
    for frames, payload in zip(ranges, code_latents(alignment, vectors, ranges), strict=True):
        (part,) = decode_tensors(payload, [(len(frames), 3)])
        assert torch.equal(part.codes, whole.codes[frames.start : frames.stop])
        assert torch.equal(part.values(), whole.values()[frames.start : frames.stop])


@pytest.mark.parametrize("latents", [b"", b"x" * 200])
def test_a_fit_gets_what_latents_and_model_leave(latents: bytes) -> None:
    task = SegmentTask(
        number=0,
        frames=8,
        height=32,
        width=48,
        config=nervid.EncodeConfig(model="nervid", size="4kB"),
        budget_bytes=4000.0,
        latents=latents,
        least_numbers=5,
    )
    plan = plan_segment(task, 4000.0, device="cpu")
    modl = json.dumps(model_to_json(plan.model), separators=(",", ":"))
    assert plan.target_bytes == 4000 - len(modl) - (204 if latents else 0)
    assert ('"latents":5' in modl) == bool(latents)
    with pytest.raises(InputError, match="smallest nervid network, 999 are left"):
        plan_segment(task, 400 + 999.0 + (204 if latents else 0), device="cpu")


FRAMES = np.random.default_rng(0).integers(0, 256, (8, 3, 2, 3), dtype=np.uint8).repeat(8, 2).repeat(8, 3)
"""Patches of color that change with every frame, uint8 [8, 3, 16, 24]."""


@pytest.fixture
def teacher(monkeypatch: pytest.MonkeyPatch) -> Fake:
    fake = Fake()
    monkeypatch.setattr("nervid.encoder.encode.load_teacher", lambda name: fake)
    return fake


@pytest.fixture(scope="module")
def encoded() -> nervid.Encoded:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nervid.encoder.encode.load_teacher", lambda name: Fake())
        return nervid.encode(nervid.read(FRAMES), **OPTIONS)


def test_vectors_out_of_the_file_are_the_teachers(encoded: nervid.Encoded) -> None:
    with NervFile.open(io.BytesIO(encoded.data)) as file:
        alignment, vectors = read_alignment(file), read_vectors(file)
        assert alignment is not None
        assert json.loads(file.read(MODL, 0))["model"]["latents"] == alignment.inputs
    cosine = float((vectors * teach(nervid.read(FRAMES), Fake(), None)).sum(axis=1).mean())
    # What directions and quantization may cost, and rounding of the head.
    assert cosine > KEPT_COSINE - MOST_LOSS - 2.0 ** (1 - HEAD_BITS)
    assert encoded.report.alignment_cosine == pytest.approx(cosine, abs=1e-6)
    assert len(encoded.data) <= 4000


def test_a_file_is_drawn_as_if_it_had_no_latents(encoded: nervid.Encoded) -> None:
    frames = nervid.open(io.BytesIO(encoded.data))[:]
    assert frames.shape == (8, 3, 16, 24)
    errors = (frames.double() - torch.from_numpy(FRAMES).double()).square().mean(dim=(1, 2, 3))
    assert encoded.report.psnr_db == pytest.approx(float((10 * (65025 / errors).log10()).mean()), abs=0.05)


@pytest.fixture
def film(monkeypatch: pytest.MonkeyPatch) -> nervid.Clip:
    """Sixteen frames with nothing in common, and a teacher of 64 dimensions who tells them apart."""
    monkeypatch.setattr("nervid.encoder.encode.load_teacher", lambda name: Fake(dimension=64))
    noise = np.random.default_rng(0).integers(0, 256, (16, 3, 4, 6), dtype=np.uint8)
    return nervid.read(noise.repeat(8, axis=2).repeat(8, axis=3))


def test_latents_count_in_the_size_asked_for(film: nervid.Clip) -> None:
    encoded = nervid.encode(film, **OPTIONS)
    with NervFile.open(io.BytesIO(encoded.data)) as file:
        latents, grids = split_latents(file.read(EMBD, 0))
        assert len(file.read(ALGN)) > 300
    # Eight numbers or more for each of sixteen frames that have nothing in common.
    assert len(latents) > 50
    assert len(grids) > 0
    assert len(encoded.data) <= 4000


def test_a_size_too_small_for_latents_and_a_network_is_refused(film: nervid.Clip) -> None:
    with pytest.raises(
        InputError, match=r"at least 1000 bytes for the smallest nervid network, \d+ are left"
    ):
        nervid.encode(film, **(OPTIONS | {"size": "2200B"}))


def test_a_quality_is_searched_for_with_latents_in_every_size(teacher: Fake) -> None:
    options = {name: value for name, value in OPTIONS.items() if name != "size"}
    encoded = nervid.encode(nervid.read(FRAMES), **options, psnr=5.0)
    with NervFile.open(io.BytesIO(encoded.data)) as file:
        assert read_vectors(file).shape == (8, DIMENSION)
    assert encoded.report.psnr_db >= 5


def test_a_resumed_encoding_asks_the_teacher_once_and_ends_in_the_same_bytes(
    encoded: nervid.Encoded, teacher: Fake, tmp_path: Path
) -> None:
    clip, steps = nervid.read(FRAMES), list[nervid.EncodeProgress]()
    with pytest.raises(Interrupted):
        nervid.encode(
            clip,
            workdir=tmp_path / "job",
            on_progress=steps.append,
            should_stop=lambda: len(steps) == 3,
            **OPTIONS,
        )
    resumed = nervid.encode(clip, workdir=tmp_path / "job", **OPTIONS)
    assert teacher.asked == 1
    assert [step.fit.phase for step in steps] == ["teach", "fit", "fit"]
    assert resumed.data == encoded.data


def test_a_single_frame_is_aligned(teacher: Fake) -> None:
    encoded = nervid.encode(nervid.read(FRAMES[:1]), **OPTIONS)
    with NervFile.open(io.BytesIO(encoded.data)) as file:
        vectors = read_vectors(file)
    np.testing.assert_allclose(vectors, teacher.images(torch.from_numpy(FRAMES[:1])), atol=0.01)


def test_a_file_without_alignment_has_nothing_of_it() -> None:
    plain = nervid.encode(nervid.read(FRAMES[:2]), size="2kB", epochs=1, model="nervid")
    with NervFile.open(io.BytesIO(plain.data)) as file:
        assert not file.has(ALGN)
        assert b"latents" not in file.read(MODL, 0)
