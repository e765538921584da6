"""``nervid search`` as a user meets it: lines, JSON, the page, and one line for what is wrong."""

import base64
import json
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import torch

import nervid
from nervid.cli.main import FAILED, WRONG_USAGE, main
from nervid.retrieval.picture import read_picture, thumbnail
from tests.retrieval.samples import COLORS, ColorTeacher, align, install, vectors_of, write_aligned

QUERY = '"blue" <script>alert(1)</script> & more'
SHOWN = vectors_of(["red"] * 3 + ["blue"] * 3 + ["green"] * 4)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[ColorTeacher]:
    return install(monkeypatch)


@pytest.fixture
def aligned(tmp_path: Path, loaded: list[ColorTeacher]) -> Path:
    """Ten frames of a second whose weights cannot be decoded: whoever draws a frame fails."""
    return write_aligned(tmp_path / "a.nerv", SHOWN)


@pytest.fixture
def playable(nerv_path: Path, tmp_path: Path, loaded: list[ColorTeacher]) -> Path:
    """A file that plays, with a name that HTML must escape."""
    return align(nerv_path, tmp_path / "<b> & [red].nerv", SHOWN)


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1, printed.err
    return printed.err


def test_moments_are_printed_one_a_line_best_first(
    aligned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_aligned(tmp_path / "b.nerv", np.array([[0.8, 0.6, 0.0]] * 20, dtype=np.float32))
    assert main(["search", str(aligned), str(other), "red"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        f"1.000  0.00 to 0.30 s  best at 0.00 s  {aligned}",
        f"0.800  0.00 to 2.00 s  best at 0.00 s  {other}",
    ]
    assert printed.err == ""
    assert main(["search", str(aligned), str(other), "red", "--top", "1", "--threshold", "0.5"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"1.000  0.00 to 0.30 s  best at 0.00 s  {aligned}"]


def test_verbose_says_what_was_read(aligned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "--verbose", str(aligned), "blue"]) == 0
    read, teacher, took = capsys.readouterr().err.splitlines()
    match = re.fullmatch(r".*a\.nerv: read (\d+) B of 10\d kB \((0\.\d|1\.\d) %\) for 10 frames", read)
    assert match is not None, read
    assert int(match[1]) < 0.05 * aligned.stat().st_size
    assert teacher == "teacher: colors 1, 3 numbers a frame"
    assert re.fullmatch(r"read and ranked in \d+\.\d ms", took)


def test_json_holds_moments_teacher_and_bytes(aligned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", str(aligned), "blue", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["query"] == "blue"
    assert document["moments"] == [
        {"path": str(aligned), "start_seconds": 0.3, "end_seconds": 0.6, "best_seconds": 0.4, "score": 1.0}
    ]
    assert document["teacher"]["name"] == "colors"
    (file,) = document["files"]
    assert (file["path"], file["frames"], file["best_score"]) == (str(aligned), 10, 1.0)
    assert 0 < file["bytes_read"] < file["size_bytes"] == aligned.stat().st_size
    assert document["seconds"] > 0


def test_no_moment_is_one_line_that_names_the_best(
    aligned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gray = tmp_path / "gray.ppm"
    gray.write_bytes(b"P6 5 4 255\n" + bytes([90] * 60))
    assert main(["search", str(aligned), "--image", str(gray), "--threshold", "0.6"]) == 0
    assert capsys.readouterr().out == f"no moment scores 0.6; the best is 0.577 in {aligned}\n"


def test_an_image_and_another_moment_are_queries(
    aligned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], loaded: list[ColorTeacher]
) -> None:
    (tmp_path / "q.ppm").write_bytes(b"P6 5 4 255\n" + bytes([0, 0, 200]) * 20)
    assert main(["search", str(aligned), "--image", str(tmp_path / "q.ppm")]) == 0
    assert capsys.readouterr().out.startswith("1.000  0.30 to 0.60 s")
    assert main(["search", str(aligned), str(aligned), "--like", f"{aligned}@0.2", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["query"] == f"{aligned}@0.2"
    assert [moment["start_seconds"] for moment in document["moments"]] == [0.0, 0.0]
    assert len(loaded) == 1


def test_the_page_shows_the_decoded_frames_of_the_hits_alone(
    playable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = []
    draw = nervid.Decoder.frame_at

    def noting(self: nervid.Decoder, seconds: float) -> torch.Tensor:
        drawn.append(seconds)
        return draw(self, seconds)

    monkeypatch.setattr(nervid.Decoder, "frame_at", noting)
    page = tmp_path / "out.html"
    monkeypatch.setitem(COLORS, QUERY, COLORS["blue"])
    assert main(["search", str(playable), QUERY, "--html", str(page)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"page: {page}"
    text = page.read_text(encoding="utf-8")
    assert drawn == [0.4]
    (jpeg,) = re.findall(r'<img src="data:image/jpeg;base64,([^"]*)" alt="[^"]*">', text)
    with nervid.open(playable) as video:
        assert base64.b64decode(jpeg) == thumbnail(video[4]) != thumbnail(video[5])
    assert "0.30 s to 0.60 s <b>1.000</b>" in text
    # Nothing of the query or the file's name became markup, and nothing is fetched from elsewhere.
    assert not re.search("<script|<b> |http", text)
    assert f"<h1>{QUERY}</h1>" in unescape(text)
    assert f'<p class="file">{playable}</p>' in unescape(text)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([playable.name, "out.html"])


def test_the_page_of_an_image_query_shows_the_image(playable: Path, tmp_path: Path) -> None:
    (tmp_path / "q.ppm").write_bytes(b"P6 5 4 255\n" + bytes([200, 0, 0]) * 20)
    page = tmp_path / "out.html"
    words = ["search", str(playable), "--image", str(tmp_path / "q.ppm"), "--html", str(page)]
    assert main(words) == 0
    images = re.findall(r'<img src="data:image/jpeg;base64,([^"]*)"', page.read_text(encoding="utf-8"))
    assert len(images) == 2
    (tmp_path / "query.jpg").write_bytes(base64.b64decode(images[0]))
    shown = read_picture(tmp_path / "query.jpg").float().mean(dim=(1, 2))
    assert shown.tolist() == pytest.approx([200, 0, 0], abs=3)


def test_a_page_without_a_place_is_said_before_the_teacher_is_loaded(
    aligned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], loaded: list[ColorTeacher]
) -> None:
    assert main(["search", str(aligned), "red", "--html", str(tmp_path / "no" / "a.html")]) == FAILED
    assert "no folder" in one_line(capsys)
    assert main(["search", str(aligned), "red", "--html", str(tmp_path)]) == FAILED
    assert "is a folder" in one_line(capsys)
    assert loaded == []


def test_a_frame_that_does_not_decode_leaves_the_old_page(
    aligned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "out.html"
    page.write_text("before")
    assert main(["search", str(aligned), "red", "--html", str(page)]) == FAILED
    assert "CorruptSectionError" in one_line(capsys)
    assert page.read_text() == "before"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "wanted one or more .nerv files and a query"),
        (["A"], "no query: "),
        (["A", "A"], "no query: "),
        (["red"], "wanted one or more .nerv files before the query"),
        (["A", ""], "must have words, got an empty text"),
        (["A", "red", "--image", "q.png"], "a query must be words or --image, got --image and 'red'"),
        (["A", "red", "--like", "A@1"], "a query must be words or --like, got --like and 'red'"),
        (["A", "--like", "A@1", "--image", "q.png"], "one of words, --image and --like"),
        (["A", "--image", "q.png"], "q.png: no such image"),
        (["A", "--like", "A"], "like must be FILE@SECONDS"),
        (["A", "--like", "A@noon"], "like must be FILE@SECONDS"),
        (["A", "--like", "@1"], "like must be FILE@SECONDS"),
        (["A", "--like", "A@1"], "no frame at 1 s; the file plays from 0 s to 1 s"),
        (["A", "red", "--top", "0"], "top must be at least 1"),
        (["A", "red", "--threshold", "2"], "threshold must be a cosine from -1 to 1, got 2"),
        (["A", "red", "--teacher", "shapes"], "no teacher shapes"),
        (["missing.nerv", "red"], "missing.nerv"),
    ],
)
def test_a_search_that_makes_no_sense_is_one_line(
    words: list[str], message: str, aligned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = [str(aligned) + word[1:] if re.fullmatch("A(@.*)?", word) else word for word in words]
    assert main(["search", *named]) == WRONG_USAGE
    assert message in one_line(capsys)


def test_a_file_without_alignment_or_of_another_kind_is_one_line(
    nerv_path: Path, clip_path: Path, loaded: list[ColorTeacher], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["search", str(nerv_path), "red"]) == WRONG_USAGE
    assert "clip.nerv has no alignment with a teacher" in one_line(capsys)
    assert main(["search", str(clip_path), "red"]) == FAILED
    assert re.match(r"NotNervError: .*clip\.mp4", one_line(capsys))


def test_the_commands_module_loads_nothing_heavy() -> None:
    code = (
        "import sys, nervid.cli.search\n"
        "assert not {'torch', 'numpy', 'av', 'transformers'} & set(sys.modules), 'loaded'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
