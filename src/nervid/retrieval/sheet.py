"""The contact sheet: one self-contained HTML page with a thumbnail of every moment that was found."""

import base64
import os
from collections.abc import Iterable
from html import escape
from pathlib import Path

from nervid.container import save
from nervid.decoder import Decoder
from nervid.errors import OutputError
from nervid.retrieval.moment import Moment
from nervid.retrieval.picture import thumbnail
from nervid.retrieval.search import SearchReport

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }}
body {{ margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }}
h1 {{ font-size: 1.3rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }}
h1 img {{ max-height: 6rem; vertical-align: middle; border-radius: 4px; }}
.facts {{ margin: 0 0 1.5rem; opacity: .7; overflow-wrap: anywhere; }}
ol {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1.25rem;
  list-style: none; margin: 0; padding: 0; }}
li img {{ display: block; width: 100%; height: 13rem; object-fit: contain; background: #8882;
  border-radius: 4px; }}
.time {{ font-variant-numeric: tabular-nums; margin: .4rem 0 0; }}
.time b {{ float: right; }}
.file {{ margin: 0; opacity: .7; overflow-wrap: anywhere; }}
</style>
<h1>{heading}</h1>
<p class="facts">{facts}</p>
<ol>
{moments}
</ol>
</html>
"""

_MOMENT = """<li>
<img src="{source}" alt="{alt}">
<p class="time">{start:.2f} s to {end:.2f} s <b>{score:.3f}</b></p>
<p class="file">{file}</p>
</li>"""


def check_target(path: str | os.PathLike[str]) -> None:
    """Find out before a teacher is loaded, not after, that a contact sheet has no place.

    Raises:
        OutputError: If the path is a folder or lies in none.
    """
    target = Path(path)
    if target.is_dir():
        raise OutputError(f"{target} is a folder; name a file such as {target / 'moments.html'}")
    if not target.parent.is_dir():
        raise OutputError(f"cannot write {target}: no folder {target.parent}; create it first")


def write_sheet(report: SearchReport, path: str | os.PathLike[str], *, device: str = "cpu") -> None:
    """Write what was found as one HTML page that needs no other file, no network and no script.

    Of every moment its best frame is decoded, and no other frame.

    Args:
        report: What a search found.
        path: The page to write; it appears whole or not at all.
        device: Where frames are drawn: "cpu", "cuda", "cuda:1".

    Raises:
        OutputError: If the page cannot be written.
        FormatError: If a frame cannot be decoded.
    """
    pictures = _thumbnails(report.moments, device)
    heading = escape(report.query)
    if report.picture is not None:
        heading = f'<img src="{_data_url(thumbnail(report.picture))}" alt=""> {heading}'
    count = len(report.moments)
    frames = sum(file.frames for file in report.files)
    page = _PAGE.format(
        title=escape(f"{report.query} - nervid search"),
        heading=heading,
        facts=escape(
            f"{count} {'moment' if count == 1 else 'moments'} in {frames} frames of "
            f"{len(report.files)} {'file' if len(report.files) == 1 else 'files'}, "
            f"found with {report.teacher.name} {report.teacher.revision}"
        ),
        moments="\n".join(
            _MOMENT.format(
                source=_data_url(pictures[moment]),
                alt=escape(f"{moment.path} at {moment.best_seconds:.2f} s"),
                start=moment.start_seconds,
                end=moment.end_seconds,
                score=moment.score,
                file=escape(moment.path),
            )
            for moment in report.moments
        ),
    )
    # A file name that is no text in any encoding shows a question mark in its place.
    save(page.encode("utf-8", errors="replace"), path)


def _thumbnails(moments: Iterable[Moment], device: str) -> dict[Moment, bytes]:
    """Draw the best frame of every moment, file by file, so that each file is opened once."""
    by_file: dict[str, list[Moment]] = {}
    for moment in moments:
        by_file.setdefault(moment.path, []).append(moment)
    pictures = {}
    for path, of_file in by_file.items():
        with Decoder(path, device=device) as decoder:
            info = decoder.info
            for moment in sorted(of_file, key=lambda moment: moment.start_seconds):
                frame = decoder.frame_at(moment.best_seconds)
                pictures[moment] = thumbnail(frame, pixel_aspect=info.pixel_aspect, rotation=info.rotation)
    return pictures


def _data_url(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
