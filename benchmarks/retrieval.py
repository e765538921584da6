"""Search by latents: does a file find what its teacher would find, and how fast is one file of ten minutes?

python -m benchmarks.retrieval             # goes on where it was stopped; keeps files under out/retrieval
python -m benchmarks.retrieval film        # one part: fidelity or film
python -m benchmarks.retrieval --smallest  # seconds: toy frames and a toy teacher, nothing is kept
python -m benchmarks.retrieval --shots 6 --film-seconds 30  # a part of it; nothing is recorded

Fetch clips and weights first: ``make clips``, ``python -m nervid.teachers.fetch``. Small frames and the
teacher's vectors of them stay in ``$NERVID_CACHE/retrieval``, or else ``~/.cache/nervid/retrieval``
(``--teach SECONDS`` fills it, call by call). Files are fitted so shortly that their pictures say nothing:
what is measured is the vectors that they store, quantized and coded. Writes
benchmarks/results/retrieval.json and rows of benchmarks/bars.json.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

import nervid
from benchmarks.bars import ROOT, commit, hardware, record
from benchmarks.retrieval_files import aligned_video
from benchmarks.retrieval_items import (
    QUERIES,
    Item,
    film,
    film_items,
    label_queries,
    natural_items,
    phrases,
)
from benchmarks.retrieval_ranking import compare, scores
from benchmarks.retrieval_search import measured_apart
from benchmarks.retrieval_teacher import Labeler, RememberingTeacher, first_labels
from benchmarks.retrieval_toy import PHRASES, ToyTeacher, toy_items, toy_labels
from nervid.errors import NervidError
from nervid.retrieval.aligned import read_aligned
from nervid.teachers import load_teacher
from nervid.teachers.weights import cache_folder
from nervid.video import Clip

COMMAND: Final = "python -m benchmarks.retrieval"
RESULTS: Final = ROOT / "benchmarks" / "results" / "retrieval.json"
WORK: Final = ROOT / "out" / "retrieval"
"""Files and unfinished encodings; git ignores it."""
TEACHER: Final = "conse"
AT_ONCE: Final = 64
"""Frames that the teacher is shown together."""
OUT_OF_TIME: Final = 75
"""Exit code that asks for another call: EX_TEMPFAIL of sysexits.h."""
PARTS: Final = ("fidelity", "film")
SHOTS: Final = 100
TEXTS: Final = 200
ITEM_OPTIONS: Final = {"epochs": 2, "bpp": 1.4}
"""Bits per pixel of these small frames: as many bytes a frame as 0.1 bpp has at 640x360."""
FILM_OPTIONS: Final = {"epochs": 1, "bpp": 0.6}
"""As many bytes a frame as 0.1 bpp has at 424x240."""
TIMED: Final = (
    "a rabbit in a meadow",
    "a bird on a branch",
    "a butterfly",
    "an apple falling from a tree",
    "flowers in the grass",
)
"""Texts that are timed on the film; whether their answers are right is not asked."""


def fidelity(
    items: Sequence[Item],
    teacher: RememberingTeacher,
    label: Labeler,
    work: Path,
    *,
    queries: Path = QUERIES,
    texts: int = TEXTS,
    options: Mapping[str, Any] = ITEM_OPTIONS,
) -> dict[str, Any]:
    """Encode every item, and compare the rankings by its vectors with those by the teacher's.

    Args:
        items: What is ranked.
        teacher: Whose vectors the files are aligned with.
        label: Names the labels that become queries beside the phrases.
        work: Keeps the files.
        queries: TOML of the phrases.
        texts: Queries wanted, phrases and labels together.
        options: For :func:`nervid.encode`.

    Returns:
        What ``benchmarks.retrieval_ranking.compare`` does; ``files``, a row per item; ``cosine`` and
        ``worst_cosine``, the mean over all frames and the lowest mean of an item.
    """
    names = [item.name for item in items]
    files, own, rows = [], [], []
    for number, item in enumerate(items, 1):
        video = aligned_video(item.clip(), item.name, teacher, work, options)
        aligned = read_aligned(video.path)
        vectors = teacher.images(torch.from_numpy(item.frames.copy()).permute(0, 3, 1, 2)).numpy()
        files.append(aligned)
        own.append(vectors)
        row = {
            "item": item.name,
            "frames": len(item.frames),
            "bytes": aligned.size_bytes,
            "psnr_db": round(video.facts["psnr_db"], 2),
            "encode_seconds": round(video.facts["seconds"], 1),
            "cosine": round(float((aligned.vectors * vectors).sum(axis=1).mean()), 4),
        }
        rows.append(row)
        print(f"{number} of {len(items)}: {row}", flush=True)
    teacher.save()
    written = phrases(queries, names)
    labels = dict(zip(names, label([item.middle for item in items]), strict=True))
    asked = [*written, *label_queries(labels, max(texts - len(written), 0))]
    vectors = teacher.text([query.text for query in asked]).numpy()
    by_file = scores(files, [file.vectors for file in files], vectors)
    facts = compare(names, asked, by_file, scores(files, own, vectors))
    cosines, counts = [row["cosine"] for row in rows], [row["frames"] for row in rows]
    return facts | {
        "items": len(items),
        "texts": len(asked),
        "frames": sum(counts),
        "cosine": round(float(np.average(cosines, weights=counts)), 4),
        "worst_cosine": min(cosines),
        "files": rows,
    }


def one_film(
    clip: Clip, teacher: RememberingTeacher, work: Path, *, options: Mapping[str, Any] = FILM_OPTIONS
) -> dict[str, Any]:
    """Encode a clip as one file; time queries on it in a fresh process and count the bytes they read."""
    video = aligned_video(clip, "film", teacher, work, options)
    teacher.save()
    found = measured_apart(teacher.record.name, video.path, TIMED)
    return {
        "seconds": round(len(clip) / float(clip.info.frame_rate), 1),
        "frames": len(clip),
        "width": clip.info.width,
        "height": clip.info.height,
        "segments": video.facts["segments"],
        "bytes": video.facts["size_bytes"],
        "bits_per_pixel": round(video.facts["bits_per_pixel"], 4),
        "psnr_db": round(video.facts["psnr_db"], 2),
        "epochs": options["epochs"],
        "encode_seconds": round(video.facts["seconds"], 1),
        "cosine": round(video.facts["cosine"], 4),
        "query_milliseconds": found["milliseconds"],
        "median_milliseconds": found["median_milliseconds"],
        "bytes_read": found["bytes_read"],
        "share_read_percent": round(100 * found["bytes_read"] / found["size_bytes"], 2),
    }


def record_fidelity(facts: Mapping[str, Any]) -> None:
    """Print and record what was promised of rankings."""
    (every, *_) = facts["recall"]
    for k in (1, 10):
        by_file, by_teacher = every[f"r_at_{k}_file_percent"], every[f"r_at_{k}_teacher_percent"]
        apart = round(abs(by_file - by_teacher), 2)
        keep(f"R@{k} by files' vectors and by the teacher's, difference", apart, "points", "<= 1", apart <= 1)
    tau, worst = facts["kendall_tau_items"], facts["worst_cosine"]
    keep("Kendall's tau of both rankings of items, mean over queries", tau, "", ">= 0.9", tau >= 0.9)
    keep("Cosine of a file's vectors with the teacher's, worst item", worst, "", ">= 0.95", worst >= 0.95)


def record_film(facts: Mapping[str, Any]) -> None:
    """Print and record what was promised of one long file."""
    speed, share = facts["median_milliseconds"], facts["share_read_percent"]
    keep("One file of ten minutes: a query, open and search", speed, "ms", "< 100", speed < 100)
    keep("One file of ten minutes: share read by a query", share, "%", "< 5", share < 5)


def write(part: str, facts: Mapping[str, Any]) -> None:
    """Put a part's facts, with the commit that was measured, beside the other's."""
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    known |= {"command": COMMAND, "hardware": asdict(hardware()), part: {**facts, "commit": commit()}}
    RESULTS.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")


def keep(row: str, value: float, unit: str, target: str, met: bool) -> None:
    """Print and record one bar."""
    print(f"{row}: {value:g} {unit} ({target}{'' if met else ', missed'})")
    record("latent-inr", row, round(value, 4), unit, target, met, COMMAND)


def smallest() -> dict[str, Any]:
    """Try every measurement on toys, in a folder that goes again."""
    items = toy_items()
    whole = nervid.read(np.concatenate([item.frames for item in items]), frame_rate=12)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        queries = folder / "queries.toml"
        queries.write_text(PHRASES, encoding="utf-8")
        teacher = RememberingTeacher(ToyTeacher(), folder)
        small = {"epochs": 2, "size": "12kB"}
        found = fidelity(items, teacher, toy_labels, folder, queries=queries, texts=3, options=small)
        return {
            "fidelity": found,
            "film": one_film(whole, teacher, folder, options=small | {"size": "20kB"}),
        }


def teach(teacher: RememberingTeacher, frames: Sequence[np.ndarray], seconds: float) -> int:
    """Have the teacher remember frames for so long; return exit code 0 when it knows all, else 75."""
    stop = time.monotonic() + seconds
    for array in frames:
        for start in range(0, len(array), AT_ONCE):
            if time.monotonic() > stop:
                teacher.save()
                print(f"{len(teacher)} frames are known, not all yet")
                return OUT_OF_TIME
            teacher.images(torch.from_numpy(array[start : start + AT_ONCE].copy()).permute(0, 3, 1, 2))
    teacher.save()
    print(f"all {len(teacher)} frames are known")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure search by the vectors that files store.")
    add = parser.add_argument
    add("parts", nargs="*", default=list(PARTS), help=f"of {' and '.join(PARTS)}; both if none is named")
    add("--smallest", action="store_true", help="only try that every measurement runs")
    add("--shots", type=int, default=SHOTS, help=f"of the film, default {SHOTS}; others are not recorded")
    add("--film-seconds", type=float, help="only that much of the film in one file; not recorded")
    add("--teach", type=float, metavar="SECONDS", help="only show the teacher frames, no longer than that")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"wanted {' or '.join(PARTS)}, got {' '.join(sorted(unknown))}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure everything; record it unless only a part was asked for. Returns the exit code."""
    options = parse(arguments)
    try:
        if options.smallest:
            print(json.dumps(smallest()))
            return 0
        started = time.monotonic()
        cache = cache_folder() / "retrieval"
        teacher = RememberingTeacher(load_teacher(TEACHER), cache)
        whole, frames = film(cache)
        items = natural_items(cache) + film_items(whole, frames, options.shots)
        if options.teach is not None:
            return teach(teacher, [*(item.frames for item in items), frames], options.teach)
        if "fidelity" in options.parts:
            found = fidelity(items, teacher, first_labels, WORK)
            print({key: value for key, value in found.items() if key not in ("queries", "files")})
            if options.shots == SHOTS:
                write("fidelity", found)
                record_fidelity(found)
        if "film" in options.parts:
            if options.film_seconds is not None:
                whole = nervid.read(frames[: round(24 * options.film_seconds)], frame_rate=24)
            print(f"one file of {len(whole)} frames:", flush=True)
            found = one_film(whole, teacher, WORK)
            print(found)
            if options.film_seconds is None:
                write("film", found)
                record_film(found)
        print(f"{time.monotonic() - started:.0f} seconds")
    except NervidError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
