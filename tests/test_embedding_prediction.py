"""The benchmark of predictions in time: candidates of known outcome, a table of the real sizes."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.embedding_prediction import from_both_sides, main, row, second_differences
from nervid.container import EMBD, NervFile

GOLDEN = Path(__file__).parent / "golden"


def test_frames_are_predicted_from_both_sides() -> None:
    codes = np.array([[0], [3], [4], [5], [8], [7]], dtype=np.int16)
    first, rest = from_both_sides(codes, 5)
    assert first.tolist() == [[0]]
    # Frame 4 from frame 0 alone, 2 from 0 and 4, then 1 from 0 and 2, 3 from 2 and 4, 5 from 4 alone.
    assert rest.ravel().tolist() == [8, 0, 1, -1, -1]


def test_second_differences_of_a_ramp_are_zero() -> None:
    first, second, rest = second_differences(np.arange(5, dtype=np.int16)[:, None] * 3 - 6, 5)
    assert (first.tolist(), second.tolist(), rest.ravel().tolist()) == ([[-6]], [[3]], [0, 0, 0])


def test_the_kept_prediction_is_what_a_file_holds(capsys: pytest.CaptureFixture[str]) -> None:
    path = GOLDEN / "hnerv_v1.nerv"
    main([str(path)])
    lines = capsys.readouterr().out.splitlines()
    with NervFile.open(path) as file:
        sizes = [entry.length for entry in file.entries if entry.tag == EMBD]
    assert len(lines) == 2 + len(sizes)
    columns = lines[0].split(" | ")
    for line, size in zip(lines[2:], sizes, strict=True):
        # A grid with an offset is five bytes: flags, step and offset.
        assert int(line.split(" | ")[columns.index("differences")]) == size - 5


def test_every_candidate_is_counted() -> None:
    codes = np.cumsum(np.ones((40, 6), dtype=np.int16), axis=0).astype(np.int16) - 20
    sizes = row(codes, 6)
    assert sizes["differences"] < 20 < sizes["as they are"]
    assert list(sizes)[-2:] == ["lzma", "zlib"]


def test_files_without_embeddings_are_no_table() -> None:
    with pytest.raises(SystemExit, match="no file of these stores embeddings"):
        main([str(GOLDEN / "nerv_v1.nerv")])
