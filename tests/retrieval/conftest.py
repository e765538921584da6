"""Search reads the files of ``samples`` and loads its teacher."""

import pytest

from tests.retrieval.samples import ColorTeacher, install


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[ColorTeacher]:
    """The teachers that search has loaded so far."""
    return install(monkeypatch)
