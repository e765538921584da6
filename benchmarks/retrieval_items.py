"""What the retrieval benchmark ranks: the packaged natural clips and shots of the film, as small frames."""

import os
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

import nervid
from benchmarks.clips import FOLDER, PackagedClip, load_table
from nervid.errors import InputError
from nervid.video import Clip

FILM: Final = "bbb-film"
CARTOON: Final = re.compile("bbb.*")
"""Ids of the clips of Big Buck Bunny, which are no natural ones."""
QUERIES: Final = Path(__file__).parent / "retrieval_queries.toml"
SHORT_SIDE: Final = 96
EVERY: Final = 2
"""Which frames an item has: every second one."""
LEAST_FRAMES: Final = 24
"""Frames of the film that a shot has at least, one second."""
MOST_FRAMES: Final = 96
"""Frames of the film that are taken of a shot, its first ones."""
_MULTIPLE: Final = 16

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Item:
    """One of the things that are ranked."""

    name: str
    """Id of a clip, or ``shot`` and the number of its first frame in the film."""
    frames: UInt8[np.ndarray, "frames height width 3"]
    frame_rate: Fraction
    """Frames per second of ``frames``."""

    def clip(self) -> Clip:
        """Return it as what is encoded."""
        return nervid.read(self.frames, frame_rate=self.frame_rate)

    @property
    def middle(self) -> UInt8[Tensor, "3 height width"]:
        """The frame that its label is taken from."""
        return torch.from_numpy(self.frames[len(self.frames) // 2].copy()).permute(2, 0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextQuery:
    """A text and the items that it fits."""

    text: str
    kind: str
    """``phrase``, written by a person, or ``label``, given by the classifier."""
    items: frozenset[str]
    """Names of the items that it fits, at least one."""


def small_size(width: int, height: int) -> tuple[int, int]:
    """Return the width and height that frames are made: the shorter side 96, the other a multiple of 16."""
    longer = round(SHORT_SIDE * max(width, height) / min(width, height) / _MULTIPLE) * _MULTIPLE
    return (longer, SHORT_SIDE) if width >= height else (SHORT_SIDE, longer)


def small_frames(clip: PackagedClip, cache: Path) -> UInt8[np.ndarray, "frames height width 3"]:
    """Return all frames of a packaged clip, made small; they are decoded once and stay on disk.

    Raises:
        InputError: If the clip was not fetched.
    """
    file = FOLDER / clip.filename
    if not file.is_file():
        raise InputError(f"{file} is not there; fetch it: make clips CLIPS={clip.id}")
    width, height = small_size(clip.width, clip.height)
    kept = cache / f"{clip.id}-{clip.sha256[:12]}-{width}x{height}.npy"
    if not kept.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        beside = kept.with_suffix(".new.npy")
        np.save(beside, nervid.read(file, size=(width, height), tracks=False).load())
        os.replace(beside, kept)
    frames: np.ndarray = np.load(kept, mmap_mode="r")
    return frames


def natural_items(cache: Path) -> list[Item]:
    """Return all packaged clips but those of Big Buck Bunny."""
    clips = [clip for clip in load_table().values() if not CARTOON.fullmatch(clip.id)]
    return [
        Item(
            name=clip.id,
            frames=small_frames(clip, cache)[::EVERY],
            frame_rate=Fraction(str(clip.fps)) / EVERY,
        )
        for clip in clips
    ]


def film(cache: Path) -> tuple[Clip, UInt8[np.ndarray, "frames height width 3"]]:
    """Return the whole film with small frames, all 14,315 of them, as a clip and as an array."""
    clip = load_table()[FILM]
    frames = small_frames(clip, cache)
    return nervid.read(frames, frame_rate=clip.fps), frames


def film_items(clip: Clip, frames: UInt8[np.ndarray, "frames height width 3"], count: int) -> list[Item]:
    """Return ``count`` shots of the film, evenly spread over those that are long enough.

    Args:
        clip: The film; its shots are found here, by the library's own search for cuts.
        frames: All its frames.
        count: Shots wanted; all that are long enough if there are fewer.
    """
    scenes = clip.segments(len(clip))
    chosen = spread([scene for scene in scenes if len(scene) >= LEAST_FRAMES], count)
    return [
        Item(
            name=f"shot-{scene.start:05d}",
            frames=frames[scene.start : min(scene.stop, scene.start + MOST_FRAMES) : EVERY],
            frame_rate=clip.info.frame_rate / EVERY,
        )
        for scene in chosen
    ]


def spread(values: Sequence[T], count: int) -> list[T]:
    """Return ``count`` of some values, evenly spread and in their order; all where there are no more."""
    if count >= len(values):
        return list(values)
    return [values[(2 * index + 1) * len(values) // (2 * count)] for index in range(count)]


def phrases(path: Path, names: Iterable[str]) -> list[TextQuery]:
    """Read the phrases that fit at least one item of these names.

    Raises:
        InputError: If a text stands there twice.
    """
    known = frozenset(names)
    groups = tomllib.loads(path.read_text(encoding="utf-8"))["group"]
    found = [
        TextQuery(text=text, kind="phrase", items=fits)
        for group in groups
        if (fits := known.intersection(group["items"]))
        for text in group["phrases"]
    ]
    if len({query.text for query in found}) < len(found):
        raise InputError(f"{path}: a phrase stands there twice; every query must have its own words")
    return found


def label_queries(labels: dict[str, str], count: int) -> list[TextQuery]:
    """Make queries of items' labels: one per label, fitting every item that has it.

    Args:
        labels: The label of each item, by its name.
        count: Queries wanted, evenly spread over the labels in alphabetical order; all if there are fewer.
    """
    names = spread(sorted(set(labels.values())), count)
    return [
        TextQuery(text=name, kind="label", items=frozenset(i for i, label in labels.items() if label == name))
        for name in names
    ]
