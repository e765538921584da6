"""Search ranks the moments of files by their latents alone, and refuses in one line what it cannot answer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import nervid
from nervid.container import NervFile
from nervid.errors import CorruptSectionError, FormatError, InputError
from nervid.retrieval.query import Query
from nervid.retrieval.search import search_with_report
from nervid.teachers import TeacherRecord, load_recorded
from tests.retrieval.samples import JUNK, RECORD, ColorTeacher, vectors_of, write_aligned

pytestmark = pytest.mark.usefixtures("loaded")


def a_second_each(*words: str) -> np.ndarray:
    """Return ten frames, a second, of each word."""
    return np.repeat(vectors_of(words), 10, axis=0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that is red for a second, green for a second, red, and blue."""
    return write_aligned(tmp_path / "a.nerv", a_second_each("red", "green", "red", "blue"))


def test_words_find_the_moments_that_fit_them(path: Path) -> None:
    assert nervid.search(path, "green") == [
        nervid.Moment(path=str(path), start_seconds=1.0, end_seconds=2.0, best_seconds=1.1, score=1.0)
    ]
    reds = nervid.search([path], "red")
    assert [(moment.start_seconds, moment.end_seconds) for moment in reds] == [(0.0, 1.0), (2.0, 3.0)]
    assert nervid.search(path, "red", top=1) == reds[:1]


def test_only_the_head_and_the_alignment_are_read(path: Path, tmp_path: Path) -> None:
    uneven = write_aligned(tmp_path / "uneven.nerv", vectors_of(["red"] * 3), ticks=[0, 40, 200])
    report = search_with_report([path, uneven], Query(text="red"))
    for file, source, vectors in zip(report.files, (path, uneven), (40, 3), strict=True):
        with NervFile.open(source) as opened:
            head = opened.bytes_read
            others = sum(entry.length for entry in opened.entries if entry.tag in ("tchr", "rows", "TIME"))
        assert file.bytes_read == head + others
        assert file.size_bytes == source.stat().st_size > len(JUNK)
        assert file.bytes_read < 0.05 * file.size_bytes
        assert file.frames == vectors
    assert report.moments[0].best_seconds == 0.0


def test_several_files_are_ranked_together(path: Path, tmp_path: Path) -> None:
    between = np.array([[0.6, 0.8, 0.0]] * 20, dtype=np.float32)
    other = write_aligned(tmp_path / "b.nerv", between)
    found = nervid.search([path, other], "green")
    assert [(moment.path, moment.score) for moment in found] == [(str(path), 1.0), (str(other), 0.8)]
    assert [moment.path for moment in nervid.search([path, other], "green", threshold=0.9)] == [str(path)]


def test_times_are_the_files_own(tmp_path: Path) -> None:
    uneven = write_aligned(
        tmp_path / "a.nerv",
        vectors_of(["red", "red", "blue", "blue", "red"]),
        ticks=[5000, 5040, 7000, 7040, 9000],
        frame_rate=25,
    )
    (moment,) = nervid.search(uneven, "blue")
    assert (moment.start_seconds, moment.end_seconds, moment.best_seconds) == (7.0, 9.0, 7.0)
    assert nervid.search(uneven, "red")[1].end_seconds == pytest.approx(9.04)


def test_an_image_is_a_query(path: Path, tmp_path: Path) -> None:
    picture = torch.zeros((3, 8, 8), dtype=torch.uint8)
    picture[2] = 200
    (moment,) = nervid.search(path, image=picture)
    assert (moment.start_seconds, moment.end_seconds) == (3.0, 4.0)
    # PPM is its pixels after a line of text.
    (tmp_path / "blue.ppm").write_bytes(b"P6 5 4 255\n" + bytes([0, 0, 200]) * 20)
    assert nervid.search(path, image=tmp_path / "blue.ppm") == [moment]


def test_another_moment_is_a_query_and_needs_no_teacher(
    path: Path, tmp_path: Path, loaded: list[ColorTeacher]
) -> None:
    other = write_aligned(tmp_path / "b.nerv", a_second_each("blue", "green"))
    (moment,) = nervid.search(path, like=(other, 0.99))
    assert (moment.start_seconds, moment.end_seconds) == (3.0, 4.0)
    (moment,) = nervid.search(path, like=(other, 1.0))
    assert (moment.start_seconds, moment.end_seconds) == (1.0, 2.0)
    assert loaded == []
    for seconds in (-0.1, 2.0, float("nan")):
        with pytest.raises(InputError, match=r"b\.nerv: no frame at .* s; the file plays from 0 s to 2 s"):
            nervid.search(path, like=(other, seconds))


def test_the_teacher_is_the_files_own_or_the_one_that_is_given(
    path: Path, loaded: list[ColorTeacher]
) -> None:
    nervid.search(path, " red ", device="cuda:1")
    (own,) = loaded
    assert (own.device, own.asked) == ("cuda:1", ["red"])
    given = ColorTeacher()
    nervid.search(path, "blue", teacher=given)
    assert given.asked == ["blue"]
    nervid.search(path, "blue", teacher="colors")
    assert [teacher.asked for teacher in loaded] == [["red"], ["blue"]]
    with pytest.raises(InputError, match="no teacher shapes"):
        nervid.search(path, "blue", teacher="shapes")


def test_a_teacher_that_the_file_names_and_nobody_has_is_said_with_the_file(tmp_path: Path) -> None:
    mine = replace(RECORD, name="mine")
    path = write_aligned(tmp_path / "a.nerv", vectors_of(["red"]), record=mine)
    with pytest.raises(InputError, match=r"a\.nerv is aligned with mine: no teacher mine; choose colors$"):
        nervid.search(path, "red")


@pytest.mark.parametrize(
    ("record", "difference"),
    [
        (replace(RECORD, dimension=4), "dimension 3, but colors has 4"),
        (replace(RECORD, sha256="cd" * 32), f"weights {'ab' * 32}, but colors has {'cd' * 32}"),
        (replace(RECORD, revision="2"), "revision 1, but colors has 2"),
        (replace(RECORD, sha256="cd" * 32, revision="local"), f"but colors has {'cd' * 32}"),
    ],
)
def test_a_teacher_other_than_the_files_is_refused(
    path: Path, record: TeacherRecord, difference: str
) -> None:
    with pytest.raises(InputError, match=r"a\.nerv is aligned with colors, ") as refused:
        nervid.search(path, "red", teacher=ColorTeacher(record=record))
    assert difference in str(refused.value)


def test_the_same_weights_in_a_folder_are_the_same_teacher(path: Path) -> None:
    local = ColorTeacher(record=replace(RECORD, name="copy", revision="local"))
    assert nervid.search(path, "red", teacher=local) == nervid.search(path, "red")


@pytest.mark.parametrize(
    "record",
    [
        replace(RECORD, name="shapes"),
        replace(RECORD, revision="2"),
        replace(RECORD, sha256="cd" * 32),
    ],
)
def test_files_of_several_teachers_are_refused(path: Path, tmp_path: Path, record: TeacherRecord) -> None:
    other = write_aligned(tmp_path / "b.nerv", vectors_of(["red"]), record=record)
    line = r"b\.nerv is aligned with .*, but .*a\.nerv with .*one by one"
    with pytest.raises(InputError, match=line):
        nervid.search([path, other], "red")
    with pytest.raises(InputError, match=line):
        nervid.search(path, like=(other, 0))


def test_a_file_without_alignment_is_refused_by_name(path: Path, tmp_path: Path) -> None:
    plain = write_aligned(tmp_path / "plain.nerv", vectors_of(["red"]), record=None)
    for paths in ([plain], [path, plain]):
        with pytest.raises(InputError, match=r"plain\.nerv has no alignment .* encode it with --align"):
            nervid.search(paths, "red")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (torch.tensor([[float("nan"), 0, 0]]), "got NaN or infinity"),
        (torch.tensor([[float("inf"), 0, 0]]), "got NaN or infinity"),
        (torch.zeros((1, 3)), "got zeros"),
        (torch.ones((1, 4)), "wanted one vector of 3 numbers for the query, got [1, 4]"),
    ],
)
def test_a_teacher_that_gives_no_direction_is_refused(path: Path, answer: torch.Tensor, message: str) -> None:
    teacher = ColorTeacher(answer=answer)
    picture = torch.zeros((3, 8, 8), dtype=torch.uint8)
    for words in ({"query": "red"}, {"image": picture}):
        with pytest.raises(InputError, match="teacher colors") as refused:
            nervid.search(path, teacher=teacher, **words)
        assert message in str(refused.value)


def test_a_query_of_any_length_is_made_a_direction(path: Path) -> None:
    long = ColorTeacher(answer=torch.tensor([[0.0, 250.0, 0.0]]))
    assert nervid.search(path, "anything", teacher=long) == nervid.search(path, "green")


def test_what_makes_no_query_is_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="got none of them"):
        nervid.search(path)
    with pytest.raises(InputError, match="got text and image"):
        nervid.search(path, "red", image=tmp_path / "a.png")
    with pytest.raises(InputError, match="got image and like"):
        nervid.search(path, image=tmp_path / "a.png", like=(path, 0))
    with pytest.raises(InputError, match="must have words, got an empty text"):
        nervid.search(path, "  ")
    with pytest.raises(
        InputError, match=r"must be uint8 \[3, height, width\], got torch.float32 \[3, 4, 4\]"
    ):
        nervid.search(path, image=torch.zeros((3, 4, 4)))
    with pytest.raises(InputError, match=r"at least one \.nerv file"):
        nervid.search([], "red")
    with pytest.raises(InputError, match="top must be at least 1, got 0"):
        nervid.search(path, "red", top=0)
    for threshold in (1.5, float("nan")):
        with pytest.raises(InputError, match="threshold must be a cosine"):
            nervid.search(path, "red", threshold=threshold)


def test_damage_is_named_with_its_file(path: Path, tmp_path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    damaged = tmp_path / "damaged.nerv"
    damaged.write_bytes(data)
    with pytest.raises(FormatError, match=r"^[^:]*damaged\.nerv: section rows: checksum"):
        nervid.search(damaged, "red")
    short = write_aligned(
        tmp_path / "short.nerv", vectors_of(["red"] * 4), record=replace(RECORD, dimension=2)
    )
    with pytest.raises(
        CorruptSectionError, match=r"short\.nerv: wanted 4 vectors of 2 numbers, got \[6, 2\]"
    ):
        nervid.search(short, "red")
    infinite = write_aligned(tmp_path / "b.nerv", np.full((2, 3), np.inf, dtype=np.float32))
    with pytest.raises(CorruptSectionError, match=r"b\.nerv: wanted finite latents"):
        nervid.search(infinite, "red")
    with pytest.raises(CorruptSectionError, match=r"b\.nerv: wanted finite latents"):
        nervid.search(path, like=(infinite, 0))
    with pytest.raises(InputError, match=r"missing\.nerv"):
        nervid.search(tmp_path / "missing.nerv", "red")


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (
            replace(RECORD, name="someone/clip", revision="12" * 20),
            "teacher someone/clip 121212121212 is not on this machine, and files do not get to choose "
            "downloads; --teacher someone/clip loads it",
        ),
        (
            replace(RECORD, name="clip", revision="local"),
            "teacher clip was in a folder; give that folder as teacher (--teacher FOLDER)",
        ),
    ],
)
def test_a_files_own_word_neither_fetches_nor_opens_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: TeacherRecord, line: str
) -> None:
    pytest.importorskip("transformers")
    from huggingface_hub import constants

    # The real loader; a folder of that name lies where the search runs.
    monkeypatch.setattr("nervid.retrieval.search.load_recorded", load_recorded)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("nervid.teachers.hub.download", lambda name: pytest.fail("asked the hub"))
    monkeypatch.setattr("nervid.teachers.load.open_folder", lambda *_, **__: pytest.fail("opened a folder"))
    (tmp_path / record.name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    path = write_aligned(tmp_path / "a.nerv", vectors_of(["red"]), record=record)
    with pytest.raises(InputError) as refused:
        nervid.search(path, "red")
    assert str(refused.value) == f"{path} is aligned with {record.name}: {line}"
