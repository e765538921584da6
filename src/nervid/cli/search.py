"""``nervid search``: moments of aligned .nerv files that fit words, an image or another moment."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from nervid.cli.screen import bytes_text, print_json, print_note, stdout
from nervid.errors import InputError

if TYPE_CHECKING:
    from nervid.retrieval.search import SearchReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Find moments in .nerv files that were encoded with --align; no frame is decoded for it.

    The files come first, the words to search for last: nervid search a.nerv b.nerv "a hand holding a cup".
    With --image or --like there are no words. Scores are cosines in the space of the files' teacher, which
    must be one for all of them.
    """

    words: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FILE... [QUERY]")] = ()
    """One or more aligned .nerv files, then what to search for, in quotes."""
    image: Path | None = None
    """Search for what an image shows, in place of words."""
    like: Annotated[str | None, tyro.conf.arg(metavar="FILE@SECONDS")] = None
    """Search for what a moment of an aligned file shows, in place of words; other.nerv@12.5."""
    top: Annotated[int, tyro.conf.arg(metavar="N")] = 5
    """Most moments to show."""
    threshold: Annotated[float | None, tyro.conf.arg(metavar="SCORE")] = None
    """Lowest score of a frame that counts; by default halfway from a file's background to its best."""
    teacher: str | None = None
    """Name or folder of the teacher, when the one that the file names is not on this machine."""
    device: str = "cpu"
    """Where the teacher runs, and the networks that draw thumbnails: cpu, cuda, cuda:1."""
    html: Annotated[Path | None, tyro.conf.arg(metavar="PAGE")] = None
    """Also write a page with a decoded thumbnail of every moment that is shown."""
    verbose: bool = False
    """Say how much of each file was read, and how long it took."""
    json: bool = False
    """Print the moments as JSON."""

    def run(self) -> int:
        """Search, and return the exit code."""
        files, text = self._files_and_text()
        like = None if self.like is None else _parse_like(self.like)
        # Imported here: torch takes seconds that help and other commands need not wait for.
        from nervid.retrieval.query import Query
        from nervid.retrieval.search import search_with_report
        from nervid.retrieval.sheet import check_target, write_sheet

        query = Query(text=text, image=self.image, like=like)
        if self.html is not None:
            check_target(self.html)
        report = search_with_report(
            files,
            query,
            top=self.top,
            threshold=self.threshold,
            teacher=self.teacher,
            device=self.device,
        )
        if self.html is not None:
            write_sheet(report, self.html, device=self.device)
        if self.verbose:
            _print_cost(report)
        if self.json:
            print_json(_document(report) | ({} if self.html is None else {"html": str(self.html)}))
        else:
            _print_moments(report, self.threshold)
            if self.html is not None:
                _print_line(f"page: {self.html}")
        return 0

    def _files_and_text(self) -> tuple[tuple[str, ...], str | None]:
        """Tell the files from the words that follow them, and refuse what cannot be meant."""
        example = 'such as: nervid search clip.nerv "a hand holding a cup"'
        if not self.words:
            raise InputError(f"wanted one or more .nerv files and a query, {example}")
        *files, last = self.words
        is_nerv = last.lower().endswith(".nerv")
        if self.image is not None or self.like is not None:
            option = "--image" if self.image is not None else "--like"
            if self.image is not None and self.like is not None:
                raise InputError("a query must be one of words, --image and --like, got --image and --like")
            if not is_nerv and not os.path.isfile(last):
                raise InputError(f"a query must be words or {option}, got {option} and {last!r}")
            return self.words, None
        if is_nerv:
            raise InputError(f"no query: {last} is a file; put words after it, or give --image or --like")
        if not files:
            raise InputError(f"wanted one or more .nerv files before the query, {example}")
        return tuple(files), last


def _parse_like(text: str) -> tuple[str, float]:
    path, _, seconds = text.rpartition("@")
    try:
        if path:
            return path, float(seconds)
    except ValueError:
        pass
    raise InputError(f"like must be FILE@SECONDS, such as other.nerv@12.5, got {text!r}")


def _print_moments(report: "SearchReport", threshold: float | None) -> None:
    """Print one line per moment, best first."""
    for moment in report.moments:
        span = f"{moment.start_seconds:.2f} to {moment.end_seconds:.2f} s"
        _print_line(f"{moment.score:.3f}  {span}  best at {moment.best_seconds:.2f} s  {moment.path}")
    if not report.moments:
        best = max(report.files, key=lambda file: file.best_score)
        _print_line(f"no moment scores {threshold:g}; the best is {best.best_score:.3f} in {best.path}")


def _print_cost(report: "SearchReport") -> None:
    """Say on stderr what was read, and how long reading and ranking took."""
    for file in report.files:
        share = 100 * file.bytes_read / file.size_bytes
        print_note(
            f"{file.path}: read {bytes_text(file.bytes_read)} of {bytes_text(file.size_bytes)} "
            f"({share:.1f} %) for {file.frames} frames"
        )
    teacher = report.teacher
    print_note(f"teacher: {teacher.name} {teacher.revision}, {teacher.dimension} numbers a frame")
    print_note(f"read and ranked in {1000 * report.seconds:.1f} ms")


def _document(report: "SearchReport") -> dict[str, object]:
    """Return everything about a search as plain values."""
    return {
        "query": report.query,
        "moments": [asdict(moment) for moment in report.moments],
        "teacher": asdict(report.teacher),
        "files": [asdict(file) for file in report.files],
        "seconds": report.seconds,
    }


def _print_line(line: str) -> None:
    stdout().print(line, soft_wrap=True, markup=False)
