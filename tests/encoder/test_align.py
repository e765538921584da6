"""Alignment from a teacher to a file and back: heads, cosines, caches, damage."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import nervid
from nervid.container import ALGN, EMBD, NervFile
from nervid.decoder.alignment import AlignmentHead, read_teacher, read_vectors
from nervid.encoder.align import aim, fit_head, teach
from nervid.errors import CorruptSectionError, InputError
from nervid.fit.alignment import Alignment
from nervid.fit.trainer import Interrupted
from nervid.teachers import TeacherRecord

DIMENSION = 12


class Fake:
    """Sees where a frame is bright; counts how often it is asked."""

    def __init__(self, spoil: float = 0.0) -> None:
        self.record = TeacherRecord(name="fake", revision="1", sha256="0" * 64, dimension=DIMENSION)
        self.asked = 0
        self._spoil = spoil
        self._axes = torch.randn(16 * 24 * 3, DIMENSION, generator=torch.Generator().manual_seed(0))

    def images(self, frames: Tensor) -> Tensor:
        self.asked += 1
        small = torch.nn.functional.adaptive_avg_pool2d(frames.float() / 255, (16, 24)).flatten(1)
        return torch.nn.functional.normalize(small @ self._axes + self._spoil, dim=1)

    def text(self, queries: Sequence[str]) -> Tensor:
        raise AssertionError("an encoding asks nothing")


@pytest.fixture
def teacher(monkeypatch: pytest.MonkeyPatch) -> Fake:
    fake = Fake()
    monkeypatch.setattr("nervid.encoder.encode.load_teacher", lambda name: fake)
    return fake


@pytest.fixture
def clip(tiny_frames: np.ndarray) -> nervid.Clip:
    return nervid.read(tiny_frames)


OPTIONS: dict[str, Any] = {"size": "8kB", "epochs": 40, "model": "latent-inr", "align": "fake"}


def test_vectors_out_of_the_file_are_the_teachers(clip: nervid.Clip, teacher: Fake) -> None:
    encoded = nervid.encode(clip, **OPTIONS)
    with NervFile.open(io.BytesIO(encoded.data)) as file:
        vectors = read_vectors(file)
        assert read_teacher(file) == teacher.record
        assert file.bytes_read < len(encoded.data) / 2
    wanted = teach(clip, teacher, None)
    cosines = (vectors * wanted).sum(axis=1)
    assert cosines.min() > 0.95
    assert encoded.report.alignment_cosine == pytest.approx(float(cosines.mean()), abs=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert len(encoded.data) <= 8000


def test_segments_share_one_head(clip: nervid.Clip, teacher: Fake) -> None:
    encoded = nervid.encode(clip, **(OPTIONS | {"size": "14kB"}), max_segment_frames=4)
    with NervFile.open(io.BytesIO(encoded.data)) as file:
        assert len(file.header.segments) == 2
        cosines = (read_vectors(file) * teach(clip, teacher, None)).sum(axis=1)
    assert cosines.min() > 0.95


def test_a_resumed_encoding_asks_the_teacher_once_and_ends_in_the_same_bytes(
    clip: nervid.Clip, teacher: Fake, tmp_path: Path
) -> None:
    steps: list[nervid.EncodeProgress] = []
    options = OPTIONS | {"epochs": 3}
    with pytest.raises(Interrupted):
        nervid.encode(
            clip,
            workdir=tmp_path / "job",
            on_progress=steps.append,
            should_stop=lambda: len(steps) == 4,
            **options,
        )
    asked = teacher.asked
    resumed = nervid.encode(clip, workdir=tmp_path / "job", **options)
    assert teacher.asked == asked == 1
    assert (steps[0].fit.phase, steps[0].fit.step, steps[0].fit.steps) == ("teach", 8, 8)
    assert steps[1].fit.phase == "fit"
    assert resumed.data == nervid.encode(clip, **options).data


def test_a_file_without_alignment_says_so(clip: nervid.Clip) -> None:
    encoded = nervid.encode(clip, size="6kB", epochs=1)
    with NervFile.open(io.BytesIO(encoded.data)) as file:
        assert read_teacher(file) is None
        with pytest.raises(InputError, match="no alignment with a teacher"):
            read_vectors(file)


def test_a_teacher_that_returns_nan_is_refused(clip: nervid.Clip) -> None:
    with pytest.raises(
        InputError, match=r"12 finite numbers for each of 8 frames, got NaN or infinity; check"
    ):
        teach(clip, Fake(spoil=float("nan")), None)


def test_alignment_needs_free_latents() -> None:
    with pytest.raises(InputError, match="use the model latent-inr"):
        nervid.EncodeConfig(model="hnerv", align="conse")


def test_a_head_of_few_directions_keeps_the_cosine() -> None:
    generator = np.random.default_rng(0)
    rows = 1 + generator.normal(size=(50, 3)) @ generator.normal(size=(3, DIMENSION))
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    head = fit_head(vectors, Fake(), most_inputs=8)
    assert 1 <= head.inputs <= 3
    aligned = aim(head, vectors)
    drawn = head(aligned.start())
    cosines = torch.nn.functional.cosine_similarity(drawn, torch.from_numpy(vectors))
    assert float(cosines.mean()) > 0.97
    again = AlignmentHead.from_bytes(head.to_bytes())
    assert torch.equal(again(aligned.start()), drawn)
    assert again.teacher == head.teacher


def test_a_clip_that_does_not_change_has_a_head_of_one_direction() -> None:
    vectors = np.full((4, DIMENSION), DIMENSION**-0.5, dtype=np.float32)
    head = fit_head(vectors, Fake(), most_inputs=8)
    assert head.inputs == 1
    drawn = head(torch.zeros(4, 8))
    assert float(torch.nn.functional.cosine_similarity(drawn, torch.from_numpy(vectors)).min()) > 0.9999


def test_the_loss_is_one_minus_the_cosine() -> None:
    aligned = Alignment(
        weight=np.eye(2, dtype=np.float32),
        bias=np.zeros(2, dtype=np.float32),
        targets=np.array([[1, 0], [0, 1]], dtype=np.float32),
        strength=0.5,
    )
    latents = torch.tensor([[3.0, 4.0, 99.0], [0.0, 2.0, 99.0]])
    # Cosines 3/5 and 1; half of the mean of 2/5 and 0.
    assert float(aligned.loss(latents, torch.tensor([0, 1]))) == pytest.approx(0.1)
    assert torch.equal(aligned.start(), torch.tensor([[1.0, 0.0], [0.0, 1.0]]))


def test_the_name_of_an_alignment_is_its_content() -> None:
    weight, bias, targets = np.eye(2, dtype=np.float32), np.zeros(2, dtype=np.float32), np.eye(2)
    one, same, other = (
        Alignment(weight=weight.copy(), bias=bias + shift, targets=targets.astype(np.float32), strength=0.1)
        for shift in (0, 0, 1)
    )
    assert repr(one) == repr(same) != repr(other)


@pytest.mark.parametrize("cut", [0, 3, 10, 60, -1])
def test_a_damaged_head_is_refused(cut: int) -> None:
    vectors = np.eye(DIMENSION, dtype=np.float32)
    payload = fit_head(vectors, Fake(), most_inputs=4).to_bytes()
    with pytest.raises(CorruptSectionError):
        AlignmentHead.from_bytes(payload[:cut])


@pytest.mark.parametrize("tag", [ALGN, EMBD])
def test_flipped_bits_are_found_before_search_sees_them(clip: nervid.Clip, teacher: Fake, tag: str) -> None:
    encoded = nervid.encode(clip, **(OPTIONS | {"epochs": 1}))
    with NervFile.open(io.BytesIO(encoded.data)) as file:
        payload = file.read(tag, *([0] if tag == EMBD else []))
    damaged = bytearray(encoded.data)
    damaged[encoded.data.index(payload) + len(payload) // 2] ^= 1
    with NervFile.open(io.BytesIO(bytes(damaged))) as file, pytest.raises(CorruptSectionError, match=tag):
        read_vectors(file)
