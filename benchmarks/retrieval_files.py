"""The .nerv files of the retrieval benchmark: kept from one run to the next, never mixed up."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import nervid
from benchmarks.bars import ROOT
from benchmarks.retrieval_teacher import encoder_asks
from nervid.teachers import Teacher
from nervid.video import Clip

NOT_IN_FILES: Final = frozenset({"cli", "compare", "retrieval", "__pycache__"})
"""Folders of the package that no byte of a file depends on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignedVideo:
    """A file and what its encoding reported."""

    path: Path
    facts: Mapping[str, Any]
    """``size_bytes``, ``bits_per_pixel``, ``psnr_db``, ``frames``, ``width``, ``height``, ``segments``,
    ``seconds`` and ``cosine``, the mean over frames between the file's vectors and the teacher's."""


@cache
def code_version(package: Path = ROOT / "src" / "nervid") -> str:
    """Return a hash over the library's code that decides what is in a file, committed or not."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package)
        if name.parts[0] not in NOT_IN_FILES:
            digest.update(f"{name.as_posix()} {path.stat().st_size} ".encode() + path.read_bytes())
    return digest.hexdigest()


def aligned_video(
    clip: Clip, name: str, teacher: Teacher, folder: Path, options: Mapping[str, Any]
) -> AlignedVideo:
    """Encode a clip, or find the file that the same code made of it with the same options.

    A stopped encoding goes on where it was.

    Args:
        clip: The clip.
        name: Begins the names of its files.
        teacher: Whose vectors the file is aligned with.
        folder: Keeps files; created when missing.
        options: For :func:`nervid.encode`.
    """
    words = json.dumps(
        [code_version(), clip.fingerprint, teacher.record.to_json(), dict(options)], sort_keys=True
    )
    stem = f"{name}-{hashlib.sha256(words.encode()).hexdigest()[:16]}"
    path, facts_path = folder / f"{stem}.nerv", folder / f"{stem}.json"
    if not facts_path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with encoder_asks(teacher):
            encoded = nervid.encode(
                clip,
                workdir=folder / f"{stem}.work",
                model="latent-inr",
                align=teacher.record.name,
                **options,
            )
        encoded.save(path)
        report = encoded.report
        facts = {
            "size_bytes": path.stat().st_size,
            "bits_per_pixel": report.bits_per_pixel,
            "psnr_db": report.psnr_db,
            "frames": report.frames,
            "width": report.width,
            "height": report.height,
            "segments": report.segments,
            "seconds": report.seconds,
            "cosine": report.alignment_cosine,
        }
        # Written last: its presence says that the file is complete.
        beside = facts_path.with_suffix(".new")
        beside.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        os.replace(beside, facts_path)
    return AlignedVideo(path=path, facts=json.loads(facts_path.read_text(encoding="utf-8")))
