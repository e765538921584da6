"""Search in a real file: its own latents through a real head, and nothing else of it."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

import nervid
from nervid.compress.quantize import fit_grid, quantize
from nervid.compress.streams import QuantizedTensor
from nervid.container import ALGN, EMBD, MODL, WGHT, WHOLE_FILE, NervFile, Section, pack
from nervid.decoder.alignment import AlignmentHead, FrameVectors, StoredAlignment, read_vectors
from nervid.errors import FormatError
from nervid.retrieval.aligned import AlignedFile, read_aligned
from nervid.retrieval.moment import smooth
from nervid.retrieval.query import Query
from nervid.retrieval.search import search_with_report
from nervid.teachers import TeacherRecord
from tests.retrieval.samples import ColorTeacher

RECORD = TeacherRecord(name="numbers", revision="1", sha256="cd" * 32, dimension=24)


def quantized(values: torch.Tensor) -> QuantizedTensor:
    grid = fit_grid(values, bits=8)
    return QuantizedTensor(quantize(values, grid), grid)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames in three segments, encoded, then given a head of random numbers."""
    frames = np.random.default_rng(0).integers(0, 256, (12, 3, 32, 48), dtype=np.uint8)
    folder = tmp_path_factory.mktemp("aligned")
    plain = nervid.encode(
        nervid.read(frames, frame_rate=2), model="hnerv", size="9kB", epochs=1, max_segment_frames=5
    ).save(folder / "plain.nerv")
    torch.manual_seed(0)
    head = AlignmentHead(quantized(torch.randn(24, 12)), quantized(torch.randn(24) / 10))
    alignment = StoredAlignment(RECORD, head)
    with NervFile.open(plain) as file:
        sections = [Section(row.tag, row.segment, file.read(row.tag, row.segment)) for row in file.entries]
        data = pack(file.header, [*sections, Section(ALGN, WHOLE_FILE, alignment.to_bytes())])
    (folder / "aligned.nerv").write_bytes(data)
    return folder / "aligned.nerv"


def test_scores_are_those_of_the_files_vectors(path: Path) -> None:
    with NervFile.open(path) as file:
        vectors = read_vectors(file)
    teacher = ColorTeacher(record=RECORD, answer=torch.from_numpy(vectors[7:8]))
    cosines = vectors.astype(np.float64) @ vectors[7].astype(np.float64)
    assert cosines.argmax() == 7
    # Two frames a second: none has a neighbor in its window, so that scores are cosines.
    scores = smooth(cosines, read_aligned(path).times)
    np.testing.assert_allclose(scores, cosines, atol=1e-6)
    for found in (nervid.search(path, "frame 7", teacher=teacher), nervid.search(path, like=(path, 3.7))):
        assert (found[0].best_seconds, found[0].score) == (3.5, 1.0)
        assert found[0].start_seconds <= 3.5 < found[0].end_seconds
    assert [moment.score for moment in nervid.search(path, like=(path, 3.5), threshold=-1)] == [1.0]


def test_times_are_those_of_the_decoder(path: Path) -> None:
    times = read_aligned(path).times
    with nervid.open(path) as video:
        assert times.starts.tolist() == [video.seconds_of(index) for index in range(12)]
    assert times.end_seconds == 6.0


def test_a_time_is_rounded_once_as_the_decoder_does() -> None:
    base, ticks = Fraction(1001, 30000), np.arange(5, 20_000, 7)
    file = AlignedFile(
        path="a.nerv",
        teacher=RECORD,
        frames=FrameVectors(np.zeros((len(ticks), 24), dtype=np.float32)),
        ticks=ticks,
        time_base=base,
        frame_rate=1 / base,
        size_bytes=1,
        bytes_read=1,
    )
    assert file.times.starts.tolist() == [float(int(tick) * base) for tick in ticks]


def test_the_weights_are_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    plain_read = NervFile.read

    def noting(self: NervFile, tag: str, segment: int = WHOLE_FILE) -> bytes:
        read.append(tag)
        return plain_read(self, tag, segment)

    monkeypatch.setattr(NervFile, "read", noting)
    (file,) = search_with_report(path, Query(like=(path, 0))).files
    assert set(read) == {ALGN, MODL, EMBD}
    with NervFile.open(path) as opened:
        weights = sum(entry.length for entry in opened.entries if entry.tag == WGHT)
    assert file.bytes_read == path.stat().st_size - weights


def test_a_damaged_alignment_is_named_with_its_file(path: Path, tmp_path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    (tmp_path / "damaged.nerv").write_bytes(data)
    with pytest.raises(FormatError, match=r"^[^:]*damaged\.nerv: section ALGN: checksum"):
        nervid.search(tmp_path / "damaged.nerv", "anything")


@pytest.mark.parametrize("has_map", [True, False])
def test_cosines_and_lengths_are_those_of_the_vectors(has_map: bool) -> None:
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=(9, 5)).astype(np.float32)
    weight, bias = (generator.normal(size=size).astype(np.float32) for size in ((7, 5), (7,)))
    frames = FrameVectors(numbers, weight, bias) if has_map else FrameVectors(numbers)
    wanted = (numbers @ weight.T + bias if has_map else numbers).astype(np.float64)
    lengths = np.linalg.norm(wanted, axis=1)
    assert frames.shape == wanted.shape
    np.testing.assert_allclose(frames.lengths, lengths, rtol=1e-6)
    np.testing.assert_allclose(frames.rows(), wanted / lengths[:, None], atol=1e-6)
    np.testing.assert_array_equal(frames.rows(slice(3, 5)), frames.rows()[3:5])
    query = np.eye(wanted.shape[1], dtype=np.float32)[2]
    np.testing.assert_allclose(frames.cosines(query), wanted[:, 2] / lengths, atol=1e-6)
