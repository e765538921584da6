"""The direction of the first steps from learned weights, as a name that configs and files share."""

from typing import Literal

InnerStep = Literal["muon", "gradient"]
"""muon: every kernel's gradient made orthogonal (``nervid.fit.optimizer.unit_step``); gradient: as it is."""
