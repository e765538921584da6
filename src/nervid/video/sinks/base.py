"""What every sink of frames offers."""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8


@runtime_checkable
class Sink(Protocol):
    """Takes frames one by one; the writer around it checks them and moves the result into place."""

    def write(self, frame: UInt8[np.ndarray, "height width 3"], timestamp: int) -> None:
        """Take the next frame; ``timestamp`` is in ticks of the clip's time base."""
        ...

    def finish(self) -> None:
        """Write what is still missing and close."""
        ...

    def abort(self) -> None:
        """Close without finishing; never fails."""
        ...
