"""Shots: consecutive frames from random places of a corpus, each a function of its number alone."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import av
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from nervid.errors import InputError
from nervid.meta.corpus import Corpus, CorpusFile
from nervid.meta.cuts import longest_run
from nervid.meta.photographs import film, load_photograph
from nervid.meta.picture import LARGEST_ASPECT, shrunk, trimmed
from nervid.meta.recording import Recording, open_recording
from nervid.video.scaler import Scaler

SHOT_FRAMES: Final = 48
"""Frames that a shot has at most: two seconds of a film."""
LONGEST_GAP: Final = 0.5
"""Seconds between frames beyond which something is missing and the shot ends."""
_ORDER, _PLACE = 1, 2
"""Keep the draws that choose files from those that choose places in them."""
_PLACES: Final = 3
"""Places of one video that are tried before another one is."""
_DRAWS: Final = 16
"""Files drawn at random before all are gone through."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shot:
    """Frames that follow one another, without a hard cut."""

    name: str
    """Of the file that they come from."""
    frames: UInt8[Tensor, "frames 3 height width"]
    """RGB, 0 to 255; in memory channels are last."""


class Shots:
    """Draws shots; the same number gives the same bytes, whatever was drawn before. Threads may share it.

    A video is drawn in proportion to the bytes of its file, so that a film is seen more often than a clip
    of some seconds; photographs are drawn alike. Files that cannot serve are skipped and remembered in
    ``corpus.skipped``; the number decides which others take their place.

    Args:
        corpus: Where they come from.
        short_side: Pixels of the shorter side at most, 1 or more; smaller videos keep their size.
        needed: Frames that a shot has at least, 1 or more.
        frames: Frames that a shot has at most, ``needed`` or more.
        seed: 0 or more.
        photographs: Share of shots made from photographs, 0 to 1, if the corpus has both kinds.

    Raises:
        InputError: If an argument is out of its range.
    """

    def __init__(
        self,
        corpus: Corpus,
        *,
        short_side: int,
        needed: int,
        frames: int = SHOT_FRAMES,
        seed: int = 0,
        photographs: float = 0.25,
    ) -> None:
        if short_side < 1 or not 1 <= needed <= frames or seed < 0 or not 0 <= photographs <= 1:
            raise InputError(
                "shots: wanted short_side of 1 or more, needed of 1 to frames, seed of 0 or more and "
                f"photographs of 0 to 1; got {short_side}, {needed} of {frames}, {seed}, {photographs}"
            )
        self._corpus = corpus
        self._short_side, self._needed, self._frames = short_side, needed, frames
        self._seed, self._share = seed, photographs
        self._video_ends = np.cumsum([max(1, file.bytes) for file in corpus.videos], dtype=np.int64)

    @property
    def largest_bytes(self) -> int:
        """Memory that the frames of one shot take at most."""
        return self._frames * 3 * LARGEST_ASPECT * self._short_side**2

    def shot(self, number: int) -> Shot:
        """Decode or make one shot.

        Args:
            number: 0 or more.

        Raises:
            InputError: If no file of the corpus has the frames that are needed.
        """
        longest = 0
        for attempt, file in enumerate(self._candidates(np.random.default_rng([self._seed, _ORDER, number]))):
            flaw = self._corpus.flaw(file)
            if flaw is not None and flaw.is_final and flaw.frames < self._needed:
                longest = max(longest, flaw.frames)
                continue
            # Of its own, so that nothing depends on whether a flaw was known or has just been found.
            generator = np.random.default_rng([self._seed, _PLACE, number, attempt])
            take = self._from_video if file.kind == "video" else self._from_photograph
            try:
                frames = take(file, generator)
            except InputError as error:
                self._corpus.skip(file, str(error).removeprefix(f"{file.name}: "))
                continue
            if len(frames) >= self._needed:
                return Shot(name=file.name, frames=frames)
            longest = max(longest, len(frames))
        raise InputError(
            f"no clip has the {self._needed} frames without a cut that the schedule needs; the longest found "
            f"has {longest}; name longer videos or ask for fewer frames"
        )

    def _candidates(self, generator: np.random.Generator) -> Iterator[CorpusFile]:
        """Go through files in random order, those of the kind that was drawn first; none is left out."""
        videos, photographs = self._corpus.videos, self._corpus.photographs
        kinds = [kind for kind in (videos, photographs) if kind]
        if generator.random() < self._share:
            kinds.reverse()
        for files in kinds:
            index = 0
            for _ in range(_DRAWS):
                if files is videos:
                    place = generator.integers(self._video_ends[-1])
                    index = int(np.searchsorted(self._video_ends, place, side="right"))
                else:
                    index = int(generator.integers(len(files)))
                yield files[index]
            stride = 1 + int(generator.integers(len(files)))
            while math.gcd(stride, len(files)) != 1:
                stride += 1
            for step in range(1, len(files) + 1):
                yield files[(index + step * stride) % len(files)]

    def _from_video(
        self, file: CorpusFile, generator: np.random.Generator
    ) -> UInt8[Tensor, "frames 3 height width"]:
        """Take the longest run without a cut at a random place, the best of a few places if they are short.

        Raises:
            InputError: If the file does not open.
        """
        crop = float(generator.random())
        best = torch.empty((0, 3, 1, 1), dtype=torch.uint8)
        with open_recording(file) as recording:
            spare = max(0.0, recording.seconds - self._frames / recording.frame_rate)
            places = [spare * float(generator.random()) for _ in range(_PLACES if spare else 1)]
            while places:
                seconds = places.pop(0)
                frames = self._decode(recording, seconds, crop)
                run = longest_run(frames) if len(frames) else range(0)
                if len(run) > len(best):
                    best = frames[run.start : run.stop]
                if len(best) >= self._needed:
                    break
                if len(frames) < self._needed:
                    # The header promised too much, or the file is damaged here.
                    places = [0.0] if seconds > 0 else []
                    if not places:
                        self._blame(file, recording, len(frames))
        return best

    def _blame(self, file: CorpusFile, recording: Recording, frames: int) -> None:
        """Remember a video that gives too few frames from its start, for good if its header says the same."""
        promised = round(recording.seconds * recording.frame_rate)
        if promised <= frames + 1:
            reason = f"it has {frames} frames, {self._needed} were wanted"
            self._corpus.skip(file, reason, frames=frames)
        else:
            # Other places of it may do: to pass it over for good would make shots depend on their order.
            said = f"{frames} of {promised} frames follow one another from its start"
            reason = f"{said}; it is cut short or damaged"
            self._corpus.skip(file, reason, frames=frames, is_final=False)

    def _decode(
        self, recording: Recording, seconds: float, crop: float
    ) -> UInt8[Tensor, "frames 3 height width"]:
        """Decode the frames from a place on, made small and ``trimmed`` with the share ``crop``."""
        frames, count, stored = np.empty((0, 1, 1, 3), dtype=np.uint8), 0, (0, 0)
        before: float | None = None
        for picture in recording.pictures(seconds):
            if not count:
                stored = (picture.width, picture.height)
                scaler = Scaler(*shrunk(*stored, self._short_side))
                first = trimmed(scaler.rgb(picture), crop)
                frames = np.empty((self._frames, *first.shape), dtype=np.uint8)
            if (picture.width, picture.height) != stored or has_gap(before, picture):
                break
            before = picture.time
            frames[count] = first if not count else trimmed(scaler.rgb(picture), crop)
            count += 1
            if count == self._frames:
                break
        return torch.from_numpy(frames[:count]).permute(0, 3, 1, 2)

    def _from_photograph(
        self, file: CorpusFile, generator: np.random.Generator
    ) -> UInt8[Tensor, "frames 3 height width"]:
        """Make a shot by moving over a photograph, sometimes with a piece of another one on it.

        Raises:
            InputError: If the file does not open.
        """
        photograph = load_photograph(file, self._short_side)
        other = self._corpus.photographs[generator.integers(len(self._corpus.photographs))]
        try:
            piece = photograph if other == file else load_photograph(other, self._short_side)
        except InputError:
            piece = photograph
        return film(photograph, piece, frames=self._frames, short_side=self._short_side, generator=generator)


def has_gap(before: float | None, picture: av.VideoFrame) -> bool:
    """Tell whether so many seconds lie between ``before`` and a picture that some are missing."""
    return before is not None and picture.time is not None and picture.time - before > LONGEST_GAP
