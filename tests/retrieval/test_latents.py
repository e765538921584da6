"""Search in a file of feature grids: the right frames are found, and none of its feature grids is decoded."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nervid
from nervid.cli.main import main
from nervid.compress.feature_sections import read_feature_knots
from nervid.container import ALGN, EMBD, MODL, WGHT, WHOLE_FILE, NervFile
from nervid.decoder import arriving, network
from nervid.errors import FormatError
from nervid.retrieval.aligned import read_aligned
from nervid.retrieval.query import Query
from nervid.retrieval.search import search_with_report
from tests.retrieval.samples import COLORS, ColorTeacher

WORDS = ["red"] * 4 + ["blue"] * 3 + ["green"] * 5


def pictures(words: list[str]) -> np.ndarray:
    """Frames of one color each, with some noise, uint8 [frames, 3, 16, 24]."""
    means = np.array([COLORS[word] for word in words])[:, :, None, None] * 200
    noise = np.random.default_rng(0).integers(0, 30, (len(words), 3, 16, 24))
    return (means + noise).astype(np.uint8)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames, two a second: red, then blue, then green; in segments of six frames at most."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nervid.encoder.encode.load_teacher", lambda name: ColorTeacher())
        clip = nervid.read(pictures(WORDS), frame_rate=2)
        encoded = nervid.encode(
            clip, model="nervid", align="colors", size="9kB", epochs=1, max_segment_frames=6
        )
    return encoded.save(tmp_path_factory.mktemp("latents") / "a.nerv")


@pytest.mark.parametrize(("word", "start", "end"), [("red", 0, 2), ("blue", 2, 3.5), ("green", 3.5, 6)])
def test_words_find_the_frames_that_show_them(path: Path, word: str, start: float, end: float) -> None:
    (found,) = nervid.search(path, word, teacher=ColorTeacher())
    assert (found.start_seconds, found.end_seconds) == (start, end)
    assert found.score > 0.97


def test_a_picture_and_another_moment_find_what_is_like_them(path: Path) -> None:
    blue = torch.from_numpy(pictures(["blue"])[0])
    (by_picture,) = nervid.search(path, image=blue, teacher=ColorTeacher())
    (by_moment,) = nervid.search(path, like=(path, 2.6))
    for found in (by_picture, by_moment):
        assert (found.start_seconds, found.end_seconds) == (2, 3.5)
        assert found.score > 0.99


def test_vectors_are_the_teachers(path: Path) -> None:
    wanted = ColorTeacher().images(torch.from_numpy(pictures(WORDS))).numpy()
    assert (read_aligned(path).vectors * wanted).sum(axis=1).min() > 0.99


def test_no_feature_grid_is_decoded_and_no_weight_is_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded, read = list[int](), list[str]()
    plain_read = NervFile.read

    def read_knots(data: bytes, *order: Any) -> Iterator[Any]:  # noqa: ANN401
        decoded.append(len(data))
        return read_feature_knots(data, *order)

    def noting(self: NervFile, tag: str, segment: int = WHOLE_FILE) -> bytes:
        read.append(tag)
        return plain_read(self, tag, segment)

    monkeypatch.setattr(arriving, "read_feature_knots", read_knots)
    monkeypatch.setattr(NervFile, "read", noting)
    search_with_report(path, Query(text="red"), teacher=ColorTeacher())
    assert set(read) == {ALGN, MODL, EMBD}
    assert not decoded
    nervid.open(path)[0]
    assert len(decoded) == 1


def test_damaged_latents_are_refused_or_lead_elsewhere(path: Path) -> None:
    """Every byte in front of the feature grids, changed behind the checksum's back."""
    with NervFile.open(path) as file:
        modl, embd, frames = file.read(MODL, 0), file.read(EMBD, 0), file.header.segments[0]
    end = 4 + int.from_bytes(embd[:4], "little")
    refusals = []
    for position in range(end):
        damaged = bytearray(embd)
        damaged[position] ^= 0x55
        try:
            vectors = network.read_embeddings(modl, bytes(damaged), frames=frames)
        except FormatError as error:
            refusals.append(str(error))
        else:
            assert vectors.shape[0] == frames
            assert bool(torch.isfinite(vectors).all())
    assert len(refusals) >= 8  # the length in front, and much of what follows it
    assert not any("\n" in refusal for refusal in refusals)


@pytest.mark.parametrize("length", [0, 3, 4, 9])
def test_a_section_cut_short_is_refused_in_one_line(path: Path, length: int) -> None:
    with NervFile.open(path) as file:
        modl, wght, embd = file.read(MODL, 0), file.read(WGHT, 0), file.read(EMBD, 0)
        frames = file.header.segments[0]
    with pytest.raises(
        FormatError, match=r"^latents: the section ends early; copy or encode the file again$"
    ):
        network.read_embeddings(modl, embd[:length], frames=frames)
    with pytest.raises(
        FormatError, match=r"^latents: the section ends early; copy or encode the file again$"
    ):
        network.load_network(modl, wght, embd[:length], frames=frames)


def test_flipped_bits_are_found_before_search_sees_them(path: Path) -> None:
    with NervFile.open(path) as file:
        payload = file.read(EMBD, 0)
    data = bytearray(path.read_bytes())
    data[bytes(data).index(payload) + 5] ^= 1
    with NervFile.open(io.BytesIO(bytes(data))) as file, pytest.raises(FormatError, match="section EMBD"):
        file.read(EMBD, 0)


def test_info_describes_an_aligned_file(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(path), "--verify"]) == 0
    printed = capsys.readouterr().out
    assert "frames, nervid" in printed
    assert "ALGN" in printed
    assert "all sections are intact" in printed
