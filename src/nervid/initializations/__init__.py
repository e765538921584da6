"""Initializations: starting weights learned over many clips, kept as files that any size of network reads."""

from nervid.initializations.initialization import Initialization
from nervid.initializations.transfer import base_for, encoder_for, weights_for

__all__ = ["Initialization", "base_for", "encoder_for", "weights_for"]
