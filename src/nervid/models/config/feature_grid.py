"""Feature grids: numbers at knots in time, and which knots a frame reads."""

from abc import ABC, abstractmethod
from bisect import bisect_right
from dataclasses import dataclass
from typing import ClassVar

Places = tuple[tuple[int, float], ...]
"""Knots, with their shares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureGrid(ABC):
    """Learned numbers on a plane, a plane for each knot in time."""

    reads: ClassVar[int] = 1
    """Planes that one frame reads, each mixed from knots."""

    stage: int
    """The stage whose map has the grid's rows and columns, from 0."""
    shape: tuple[int, int, int, int]
    """Knots, channels, rows, columns."""

    @abstractmethod
    def places(self, index: int, interval: int | None = None) -> tuple[Places, ...]:
        """Return the knots that each plane of frame ``index`` is mixed from, with their shares.

        Args:
            index: The frame.
            interval: The interval between anchors, from 0, that the frame is counted to, one of the two that
                an anchor ends and begins; None for :meth:`Anchors.interval`. Grids without anchors ignore it.

        Returns:
            For each of the ``reads`` planes its knots, at least one, with shares in [0, 1].
        """

    @property
    @abstractmethod
    def first_frames(self) -> tuple[int, ...]:
        """For each knot the first frame that is drawn with it; never falling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedGrid(FeatureGrid):
    """A feature grid that a stage reads; a frame's numbers are mixed from its neighboring knots."""

    span: int
    """Frames from one knot to the next."""

    def places(self, index: int, interval: int | None = None) -> tuple[Places, ...]:
        """Return the one or two knots around the frame, with shares that add up to 1."""
        if self.shape[0] == 1:
            return (((0, 1.0),),)
        knot, past = divmod(index, self.span)
        if not past:
            return (((knot, 1.0),),)
        share = past / self.span
        return (((knot, 1 - share), (knot + 1, share)),)

    @property
    def first_frames(self) -> tuple[int, ...]:
        """0, then the first frame after each knot but the last."""
        return tuple((knot - 1) * self.span + 1 if knot else 0 for knot in range(self.shape[0]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchors:
    """Frames of a clip, evenly spaced, that textures stand for; first and last frame are anchors."""

    frames: int
    """Of the clip, at least 3."""
    span: int
    """Most frames from one anchor to the next, at least 2."""

    @property
    def intervals(self) -> int:
        """How many there are between anchors; one less than anchors."""
        return -(-(self.frames - 1) // self.span)

    def frame(self, anchor: int) -> int:
        """Return which frame an anchor is.

        Example:
            >>> [Anchors(frames=12, span=4).frame(anchor) for anchor in range(4)]
            [0, 3, 7, 11]
        """
        return anchor * (self.frames - 1) // self.intervals

    def interval(self, index: int) -> int:
        """Return the interval, from 0, of a frame; for an anchor that which begins with it, if one does."""
        return bisect_right(range(1, self.intervals), index, key=self.frame)

    def steps(self, span: int) -> int:
        """Return how many steps of ``span`` frames lead past all frames between two anchors."""
        longest = -(-(self.frames - 1) // self.intervals)
        return -(-(longest - 1) // span)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextureGrid(FeatureGrid):
    """What a clip shows at each anchor. A frame reads that before it and that after it, to warp both."""

    reads: ClassVar[int] = 2

    anchors: Anchors

    def places(self, index: int, interval: int | None = None) -> tuple[Places, ...]:
        """Return the anchor before and the anchor after, with shares by nearness that add up to 1."""
        number = self.anchors.interval(index) if interval is None else interval
        first, last = self.anchors.frame(number), self.anchors.frame(number + 1)
        share = (index - first) / (last - first)
        return (((number, 1 - share),), ((number + 1, share),))

    @property
    def first_frames(self) -> tuple[int, ...]:
        """0, then the first frame after each anchor but the last."""
        return tuple(self.anchors.frame(knot - 1) + 1 if knot else 0 for knot in range(self.shape[0]))


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionGrid(FeatureGrid):
    """Where frames find themselves on an anchor: columns and rows to go, in ``MOTION_UNIT`` pixels.

    Every interval has the same number of knots, one every ``span`` frames from the anchor on, where motion is
    0 and needs none. Knots stand in the order of time.
    """

    anchors: Anchors
    span: int
    """Frames from one knot to the next."""
    is_forward: bool
    """Whether to the anchor after a frame; else to that before it."""

    @property
    def knots_each(self) -> int:
        """Knots of an interval."""
        return self.anchors.steps(self.span)

    def places(self, index: int, interval: int | None = None) -> tuple[Places, ...]:
        """Return the one or two knots around the frame; next to the anchor shares add up to less than 1."""
        number = self.anchors.interval(index) if interval is None else interval
        first, last = self.anchors.frame(number), self.anchors.frame(number + 1)
        distance = last - index if self.is_forward else index - first
        step, past = divmod(min(distance, self.knots_each * self.span), self.span)
        share = past / self.span
        near = ((step, 1 - share), (step + 1, share))
        found = tuple((self._knot(number, step), part) for step, part in near if step and part)
        # An anchor has no motion to itself; a knot has to be named all the same.
        return (found or ((self._knot(number, 1), 0.0),),)

    @property
    def first_frames(self) -> tuple[int, ...]:
        """The first frame between the two anchors that lies less than ``span`` before the knot's own."""
        found = []
        for knot in range(self.shape[0]):
            interval, place = divmod(knot, self.knots_each)
            first, last = self.anchors.frame(interval), self.anchors.frame(interval + 1)
            begin = (
                last - (self.knots_each - place + 1) * self.span
                if self.is_forward
                else first + place * self.span
            )
            found.append(min(max(begin, first) + 1, last))
        return tuple(found)

    def frame_of(self, knot: int) -> tuple[int, int]:
        """Return the frame whose motion a knot is, and the anchor that it leads to.

        A knot that would lie beyond the interval is that of the other anchor.
        """
        interval, place = divmod(knot, self.knots_each)
        first, last = self.anchors.frame(interval), self.anchors.frame(interval + 1)
        if self.is_forward:
            return max(first, last - (self.knots_each - place) * self.span), interval + 1
        return min(last, first + (place + 1) * self.span), interval

    def _knot(self, interval: int, step: int) -> int:
        """Return the knot that is so many steps, from 1 on, away from the anchor."""
        place = self.knots_each - step if self.is_forward else step - 1
        return interval * self.knots_each + place
