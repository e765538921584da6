"""Alignment from a teacher to a file and back, in both layouts, whatever the size."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nervid
from nervid.cli.main import WRONG_USAGE, main
from nervid.container import ALGN, EMBD, MODL, NervFile
from nervid.decoder.alignment import read_alignment, read_vectors
from nervid.decoder.network import read_embeddings
from nervid.encoder.align import teach
from nervid.errors import CorruptSectionError, InputError
from nervid.fit.trainer import Interrupted
from tests.encoder.teacher import DIMENSION, Fake, unit

OPTIONS: dict[str, Any] = {"size": "8kB", "epochs": 15, "model": "latent-inr", "align": "fake"}


@pytest.fixture
def teacher(monkeypatch: pytest.MonkeyPatch) -> Fake:
    fake = Fake()
    monkeypatch.setattr("nervid.encoder.encode.load_teacher", lambda name: fake)
    return fake


@pytest.fixture
def clip(tiny_frames: np.ndarray) -> nervid.Clip:
    return nervid.read(tiny_frames)


def test_vectors_out_of_the_file_are_the_teachers(clip: nervid.Clip, teacher: Fake) -> None:
    encoded = nervid.encode(clip, **OPTIONS)
    with NervFile.open(io.BytesIO(encoded.data)) as file:
        vectors = read_vectors(file)
        alignment = read_alignment(file)
        assert alignment is not None
        assert alignment.teacher == teacher.record
        assert file.bytes_read < len(encoded.data) / 2
    wanted = teach(clip, teacher, None)
    cosines = (vectors * wanted).sum(axis=1)
    assert cosines.min() > 0.95
    assert encoded.report.alignment_cosine == pytest.approx(float(cosines.mean()), abs=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert len(encoded.data) <= 8000


def test_hnerv_is_aligned_through_its_first_numbers(clip: nervid.Clip, teacher: Fake) -> None:
    encoded = nervid.encode(clip, **(OPTIONS | {"model": "hnerv"}))
    with NervFile.open(io.BytesIO(encoded.data)) as file:
        cosines = (read_vectors(file) * teach(clip, teacher, None)).sum(axis=1)
    assert cosines.min() > 0.95
    assert len(encoded.data) <= 8000


def test_in_the_direct_layout_latents_are_the_vectors(clip: nervid.Clip, teacher: Fake) -> None:
    encoded = nervid.encode(clip, **OPTIONS, align_layout="direct")
    with NervFile.open(io.BytesIO(encoded.data)) as file:
        alignment = read_alignment(file)
        assert alignment is not None
        assert alignment.head is None
        assert alignment.inputs == DIMENSION
        vectors = read_vectors(file)
        latents = read_embeddings(file.read(MODL, 0), file.read(EMBD, 0), frames=8)[:, :DIMENSION].numpy()
        assert file.header.provenance["options"]["align_layout"] == "direct"
    np.testing.assert_allclose(vectors, unit(latents), atol=1e-6)
    assert (vectors * teach(clip, teacher, None)).sum(axis=1).min() > 0.95
    assert len(encoded.data) <= 8000


def test_a_size_too_small_for_the_direct_layout_is_said_before_the_teacher_is_asked(
    clip: nervid.Clip, teacher: Fake
) -> None:
    wide = Fake(dimension=4096)
    teacher.record = wide.record
    with pytest.raises(
        InputError,
        match=r"smallest latent-inr network with 4096 numbers a frame, \d+ are left for it; ask for more, or "
        r"align by a head \(--align-layout head\)$",
    ):
        nervid.encode(clip, **OPTIONS, align_layout="direct")
    assert teacher.asked == 0


@pytest.fixture
def film(monkeypatch: pytest.MonkeyPatch) -> nervid.Clip:
    """Sixteen frames with nothing in common, and a teacher of 64 dimensions who tells them apart."""
    monkeypatch.setattr("nervid.encoder.encode.load_teacher", lambda name: Fake(dimension=64))
    noise = np.random.default_rng(0).integers(0, 256, (16, 3, 4, 6), dtype=np.uint8)
    return nervid.read(noise.repeat(8, axis=2).repeat(8, axis=3))


@pytest.mark.parametrize("model", ["latent-inr", "hnerv"])
def test_embeddings_have_as_many_numbers_as_the_head_reads(film: nervid.Clip, model: str) -> None:
    options = OPTIONS | {"size": "30kB", "epochs": 1, "model": model}
    encoded = nervid.encode(film, **options, max_segment_frames=8)
    with NervFile.open(io.BytesIO(encoded.data)) as file:
        alignment = read_alignment(file)
        assert alignment is not None
        assert 8 < alignment.inputs <= 15
        assert len(file.header.segments) >= 2
        for segment, frames in enumerate(file.header.segments):
            numbers = read_embeddings(file.read(MODL, segment), file.read(EMBD, segment), frames=frames)
            assert numbers.shape[1] >= alignment.inputs
        assert len(file.read(ALGN)) < 0.05 * len(encoded.data)
    assert len(encoded.data) <= 30_000


def test_a_head_is_a_small_share_of_the_file_or_has_few_inputs(film: nervid.Clip) -> None:
    encoded = nervid.encode(film, **(OPTIONS | {"size": "8kB", "epochs": 1}))
    with NervFile.open(io.BytesIO(encoded.data)) as file:
        alignment = read_alignment(file)
    assert alignment is not None
    assert alignment.inputs == 8
    assert len(encoded.data) <= 8000


def test_no_size_is_refused_for_a_head_of_many_inputs(
    film: nervid.Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nervid.encoder.budget.HEAD_SHARE", 1.0)
    monkeypatch.setattr("nervid.encoder.budget.NUMBERS_SHARE", 1.0)

    def inputs(size: int) -> int:
        encoded = nervid.encode(film, **(OPTIONS | {"size": f"{size}B", "epochs": 1}))
        with NervFile.open(io.BytesIO(encoded.data)) as file:
            alignment = read_alignment(file)
        assert alignment is not None
        return alignment.inputs

    found = []
    for size in range(2600, 500, -600):
        try:
            found.append(inputs(size))
        except InputError:
            break
    assert min(found) >= 8
    assert found[-1] < inputs(8000)
    # What was refused at last is refused as well when nothing but the fewest inputs is tried.
    monkeypatch.setattr("nervid.encoder.budget.HEAD_SHARE", 0.0)
    with pytest.raises(
        InputError, match=r"need at least \d+ bytes for the smallest latent-inr network|alone take"
    ):
        inputs(size)


def test_vectors_far_from_the_teachers_are_warned_of(
    clip: nervid.Clip, teacher: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nervid.encoder.report.LEAST_COSINE", 1.1)
    report = nervid.encode(clip, **(OPTIONS | {"epochs": 1})).report
    assert any("a search may miss much; ask for more bytes" in warning for warning in report.warnings)


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
        assert read_alignment(file) is None
        with pytest.raises(InputError, match="no alignment with a teacher"):
            read_vectors(file)


def test_what_cannot_be_aligned_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="of each frame in the file, which model nerv has not; use"):
        nervid.EncodeConfig(model="nerv", align="conse")
    with pytest.raises(InputError, match="align_layout direct is for the model latent-inr, got hnerv; use"):
        nervid.EncodeConfig(model="hnerv", align="conse", align_layout="direct")
    with pytest.raises(InputError, match="align_layout direct needs a teacher, got none"):
        nervid.EncodeConfig(model="latent-inr", align_layout="direct")


def test_a_teacher_that_nobody_knows_is_refused_before_anything_is_fitted(clip: nervid.Clip) -> None:
    with pytest.raises(InputError, match=r"^no teacher named 'fake': wanted conse, a folder"):
        nervid.encode(clip, **OPTIONS)


@pytest.mark.parametrize("tag", [ALGN, EMBD])
def test_flipped_bits_are_found_before_search_sees_them(clip: nervid.Clip, teacher: Fake, tag: str) -> None:
    encoded = nervid.encode(clip, **(OPTIONS | {"epochs": 1}))
    with NervFile.open(io.BytesIO(encoded.data)) as file:
        payload = file.read(tag, *([0] if tag == EMBD else []))
    damaged = bytearray(encoded.data)
    damaged[encoded.data.index(payload) + len(payload) // 2] ^= 1
    with NervFile.open(io.BytesIO(bytes(damaged))) as file, pytest.raises(CorruptSectionError, match=tag):
        read_vectors(file)


def test_the_command_says_how_near_the_vectors_are(
    tiny_frames: np.ndarray, teacher: Fake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "clip.npy", tiny_frames)
    words = ["encode", str(tmp_path / "clip.npy"), str(tmp_path / "clip.nerv"), "--align", "fake"]
    assert main([*words, "--size", "8kB", "--epochs", "1", "--model", "latent-inr"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r" 8 frames 48x32, vectors at a cosine of (0\.9\d\d|1\.000) with fake, \d", printed)
    assert main([*words, "--model", "nerv"]) == WRONG_USAGE
    assert "align needs an embedding or a latent of each frame" in capsys.readouterr().err
