"""A benchmark that writes beside nothing of the repository's."""

from pathlib import Path

import pytest

from benchmarks.codec_bench import Bench, Choice
from benchmarks.meta_runs import Runs


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(
        runs=Runs(None, workers=0),
        choice=Choice(),
        part="curves",
        work=tmp_path,
        results=tmp_path,
        bars=tmp_path / "bars.json",
    )
