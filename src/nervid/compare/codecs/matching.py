"""The quality setting at which a codec's stream has a wanted size."""

import math
from collections.abc import Callable

from nervid.compare.codecs.coding import Codec, CodedClip, encode
from nervid.compare.quality import ReferenceClip
from nervid.errors import InputError

SIZE_TOLERANCE = 0.01
"""A stream within this fraction of the wanted size is close enough to stop. Chosen, untuned."""

_MAX_ENCODES = 12
"""Bound on encodes per wanted size; halving 1..51 in steps of 0.1 needs 9."""


class CodecRuns:
    """Encodes of one clip by one codec, each quality setting at most once."""

    def __init__(
        self,
        clip: ReferenceClip,
        codec: Codec,
        *,
        preset: str,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self.codec = codec
        self.preset = preset
        self._clip = clip
        self._progress = progress
        self._done: dict[float, CodedClip] = {}

    def at(self, crf: float) -> CodedClip:
        """Encode at one quality setting, or return the stream if that was done before.

        Args:
            crf: Wanted setting; moved to the nearest one that the codec honours.

        Returns:
            The coded clip, whose ``crf`` is the setting used.

        Raises:
            InputError: If the encoder refuses the clip.
        """
        crf = self._on_grid(crf)
        if crf not in self._done:
            coded = encode(self._clip, self.codec, preset=self.preset, crf=crf)
            self._done[crf] = coded
            if self._progress is not None:
                label = f"{self.codec.name} {self.preset}, {self.codec.setting} {crf:g}"
                self._progress(f"{label}: {coded.size_bytes} bytes")
        return self._done[crf]

    def matching(self, size_bytes: int) -> CodedClip:
        """Find the stream nearest to a wanted size, by bisection on the quality setting.

        While the size is bracketed from one side only, the next setting is guessed from the codec's
        ``halving``; once bracketed, by the straight line between log sizes, which sizes follow closely.

        Args:
            size_bytes: Wanted bytes, above 0.

        Returns:
            The nearest stream tried, by ratio: within ``SIZE_TOLERANCE`` where the codec's settings are
            fine enough; the largest or smallest the codec can do where the size is out of its reach.

        Raises:
            InputError: If the size is below 1 or the encoder refuses the clip.
        """
        if size_bytes < 1:
            raise InputError(f"a codec can match a size of 1 byte or more, got {size_bytes}")

        def excess(coded: CodedClip) -> float:
            return math.log(coded.size_bytes / size_bytes)

        tried: list[CodedClip] = []
        start = [(abs(excess(coded)), crf) for crf, coded in self._done.items()]
        crf = min(start)[1] if start else self._on_grid((self.codec.finest + self.codec.coarsest) / 2)
        while len(tried) < _MAX_ENCODES and crf not in {coded.crf for coded in tried}:
            tried.append(self.at(crf))
            if abs(excess(tried[-1])) <= SIZE_TOLERANCE:
                break
            crf = self._next_setting([(coded.crf, excess(coded)) for coded in tried])
        return min(tried, key=lambda coded: abs(excess(coded)))

    def _next_setting(self, tried: list[tuple[float, float]]) -> float:
        """Guess where the excess, which falls as the setting rises, crosses zero."""
        large = max(((crf, excess) for crf, excess in tried if excess > 0), default=None)
        small = min(((crf, excess) for crf, excess in tried if excess <= 0), default=None)
        if large is None or small is None or large[0] >= small[0]:
            crf, excess = tried[-1]
            return self._on_grid(crf + self.codec.halving * excess / math.log(2))
        guess = large[0] + (small[0] - large[0]) * large[1] / (large[1] - small[1])
        # At least one step inside the bracket, or the search could stop short of its other end.
        step = self.codec.step
        if small[0] - large[0] < 1.5 * step:
            return large[0]
        return self._on_grid(min(max(guess, large[0] + step), small[0] - step))

    def _on_grid(self, crf: float) -> float:
        bounded = min(max(crf, self.codec.finest), self.codec.coarsest)
        return round(round(bounded / self.codec.step) * self.codec.step, 6)
