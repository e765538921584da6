"""Networks that learn in fractions of a second."""

import pytest

from .toys import small_network


@pytest.fixture
def small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let learners have small networks in the place of those that are learned, and try few rates first."""
    monkeypatch.setattr("nervid.meta.learner.learned_config", small_network)
    monkeypatch.setattr("nervid.meta.learner.FIRST_RATES", (0.03, 0.1))
    monkeypatch.setattr("nervid.meta.train.RATE_WINDOWS", 2)
