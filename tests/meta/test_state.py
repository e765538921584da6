"""A state comes back as it was, or not at all."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nervid.errors import OutputError
from nervid.meta.curve import CurvePoint
from nervid.meta.progress import Averages
from nervid.meta.state import MetaState

TENSORS = {
    "weight.network.stem.0.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3) / 7,
    "weights.mean.kernel": torch.randn((4, 3, 2, 2)).to(memory_format=torch.channels_last),
    "weights.step.kernel": torch.tensor(12.0),
}


def state() -> MetaState:
    return MetaState(
        step=12,
        seconds=3.25,
        skipped=1,
        tensors=TENSORS,
        points=[CurvePoint(step=10, frames=2, start_db=11.5, adapted_db=None, seconds=2.5)],
        averages=Averages(start_db=11.0, start_sum=0.1, counted=2),
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("state") / "a.partial"
    state().save(path, key="corpus and choices")
    return path.read_bytes()


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.partial"
    state().save(path, key="mine")
    back = MetaState.read(path, key="mine")
    assert back is not None
    assert (back.step, back.seconds, back.skipped, back.points) == (12, 3.25, 1, state().points)
    assert back.averages.start_sum == 0.1
    assert back.averages.adapted_db != back.averages.adapted_db  # NaN, as before the first finite step
    assert back.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert torch.equal(back.tensors[name], tensor)
    assert [path.name for path in tmp_path.iterdir()] == ["a.partial"]


def test_a_state_of_another_key_is_none(saved: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.partial"
    path.write_bytes(saved)
    assert MetaState.read(path, key="corpus and choices") is not None
    assert MetaState.read(path, key="other corpus") is None
    assert MetaState.read(tmp_path / "none", key="corpus and choices") is None


@given(st.data())
def test_a_damaged_state_is_none(
    saved: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.partial"
    damaged = bytearray(saved)
    place = data.draw(st.integers(0, len(saved) - 1))
    damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(damaged)
    assert MetaState.read(path, key="corpus and choices") is None
    path.write_bytes(saved[:place])
    assert MetaState.read(path, key="corpus and choices") is None


def test_a_state_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write the state .*a\.partial: .*; free space"):
        state().save(tmp_path / "none" / "a.partial", key="mine")
