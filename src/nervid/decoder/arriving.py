"""ArrivingGrids: feature grids that are decoded only as far as the frames that are drawn need them."""

import threading
from math import prod

import torch
from torch import Tensor

from nervid.compress.feature_sections import read_feature_knots
from nervid.compress.knots import knots_by_need
from nervid.errors import CorruptSectionError
from nervid.models.config import NervidConfig
from nervid.models.nervid import GRIDS, Nervid


class ArrivingGrids:
    """Decodes the knots of a network's feature grids, in the order of the stream, when frames need them.

    The first frame needs one knot of each feature grid; a later one waits for all knots before its own, once.
    Several threads may draw at a time.

    Args:
        config: Of the network; its knots come in the order in which frames need them.
        stream: The section of the feature grids, latents left out.

    Raises:
        CorruptSectionError: If the quantization steps are damaged.
    """

    def __init__(self, config: NervidConfig, stream: bytes) -> None:
        self._grids = config.feature_grids
        order = [grid.first_frames for grid in self._grids]
        self._knots = read_feature_knots(stream, [grid.shape for grid in self._grids], order)
        # The first frame that needs each knot to come, the next one last.
        self._waited_for = [order[place.grid][place.knot] for place in knots_by_need(order)][::-1]
        self._lock = threading.Lock()
        self._error: CorruptSectionError | None = None
        self._network: Nervid | None = None

    def empty(self) -> dict[str, Tensor]:
        """Return feature grids of zeros, by the names of the network's parameters."""
        return {
            f"{GRIDS}.{number}": torch.zeros(grid.shape[0], prod(grid.shape[1:]))
            for number, grid in enumerate(self._grids)
        }

    def fill(self, network: Nervid) -> None:
        """From now on bring the knots into ``network``, wherever it is, before it reads them."""
        self._network = network
        network.before_reading = self._decode_up_to

    def _decode_up_to(self, last: int) -> None:
        """Decode all knots that frames 0 to ``last`` need.

        Raises:
            CorruptSectionError: If the stream is damaged there, or was before.
        """
        assert self._network is not None
        with self._lock, torch.no_grad():
            if self._error is not None:
                raise self._error
            try:
                while self._waited_for and self._waited_for[-1] <= last:
                    place, values = next(self._knots)
                    self._network.grids[str(place.grid)][place.knot] = values.flatten()
                    self._waited_for.pop()
                if not self._waited_for:
                    # Whether the bytes end here is told after the last knot.
                    next(self._knots, None)
                    self._network.before_reading = None
            except CorruptSectionError as error:
                self._error = error
                raise
