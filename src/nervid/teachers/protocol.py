"""What a teacher is: one space for pictures and text."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Float, UInt8
from torch import Tensor

from nervid.teachers.record import TeacherRecord


@runtime_checkable
class Teacher(Protocol):
    """A pretrained network that gives pictures and text vectors whose cosine says how well they fit.

    Both methods return float32 on the CPU, every row of length 1, in the order asked; nothing asked gives
    no rows. They raise `InputError` if the network yields a value that is not finite.
    """

    @property
    def record(self) -> TeacherRecord:
        """Which teacher this is."""
        ...

    def images(self, frames: UInt8[Tensor, "frames 3 height width"]) -> Float[Tensor, "frames dimension"]:
        """Return one vector per frame; frames are red, green, blue, 0 to 255, on any device."""
        ...

    def text(self, queries: Sequence[str]) -> Float[Tensor, "queries dimension"]:
        """Return one vector per query; what exceeds the network's length of text is cut off."""
        ...
