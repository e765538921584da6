"""Files of initializations are untrusted: whatever they hold, only InputError comes out, in one line."""

import json
import pickle
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nervid.container import canonical_json
from nervid.errors import InputError
from nervid.initializations import Initialization, file

from .samples import initialization

WHOLE = initialization().to_bytes()


def described(**changes: Any) -> bytes:  # noqa: ANN401 (JSON)
    """The bytes of an initialization with some members of its description changed."""
    made = initialization()
    tensors = {f"network.{name}": tensor.half() for name, tensor in made.weights.items()}
    tensors |= {f"encoder.{name}": tensor.half() for name, tensor in made.encoder.items()}
    tensors |= changes.pop("tensors", {})
    (length,) = struct.unpack_from("<Q", WHOLE)
    document = json.loads(json.loads(WHOLE[8 : 8 + length])["__metadata__"]["nervid"])
    return safetensors.torch.save(
        {name: tensor for name, tensor in tensors.items() if tensor is not None},
        metadata={"nervid": canonical_json(document | changes).decode()},
    )


def refused(data: bytes) -> str:
    with pytest.raises(InputError) as caught:
        Initialization.from_bytes(data, source="a.safetensors")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@given(data=st.data())
@settings(max_examples=80)
def test_changed_bytes_are_refused_or_read(data: st.DataObject) -> None:
    changed = bytearray(WHOLE)
    # Two in three of the changes fall into the description in front.
    (length,) = struct.unpack_from("<Q", WHOLE)
    end = data.draw(st.sampled_from([8 + length, 8 + length, len(WHOLE)]))
    position = data.draw(st.integers(0, end - 1))
    changed[position] = data.draw(st.integers(0, 255))
    with suppress(InputError):
        Initialization.from_bytes(bytes(changed))


@given(st.integers(0, len(WHOLE) - 1))
@settings(max_examples=40)
def test_a_file_cut_short_is_refused(length: int) -> None:
    refused(WHOLE[:length])


@given(st.binary(max_size=64))
def test_other_bytes_are_no_initialization(data: bytes) -> None:
    assert refused(data) == "a.safetensors is not an initialization; name a file made for --init"


class Trap:
    """Unpickling it would be seen."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return pytest.fail, ("a pickle was executed",)


def test_other_files_are_no_initialization(tmp_path: Path) -> None:
    torch.save(torch.zeros(2), tmp_path / "a.pt")
    plain = safetensors.torch.save({"a": torch.zeros(2)}, metadata={"format": "pt"})
    for data in ((tmp_path / "a.pt").read_bytes(), plain, pickle.dumps(Trap())):
        assert refused(data) == "a.safetensors is not an initialization; name a file made for --init"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"format": 2}, "format 2 of initializations is newer than 1, the newest this nervid reads; update"),
        ({"format": True}, "its description cannot be read; the file is damaged"),
        ({"format": "1"}, "its description cannot be read; the file is damaged"),
        ({"model": None}, "model: expected an object"),
        ({"model": {"name": "vgg"}}, "model: expected name nerv or hnerv or latent-inr or nervid, got 'vgg'"),
        ({"rates": {"network.stem.weight": 0.5}}, "its learning rates cannot be read"),
        ({"rates": {"network.stem.weight": [10**400]}}, "its learning rates cannot be read"),
        ({"rates": {"network.stem.weight": [0.1, "fast"]}}, "its learning rates cannot be read"),
        ({"rates": {"network.stem.weight": [0.1] * 65}}, "its learning rates cannot be read"),
        ({"rates": []}, "its learning rates cannot be read"),
        ({"inner": "adam"}, "its kind of inner steps cannot be read"),
        ({"provenance": 1}, "its provenance cannot be read"),
        ({"tensors": {"network.stem.weight": None}}, "it has no tensor 'network.stem.weight'"),
        ({"tensors": {"network.more": torch.zeros(1).half()}}, "it has an unknown tensor 'network.more'"),
        ({"tensors": {"stem.weight": torch.zeros(1).half()}}, "it has a tensor of no known part"),
        ({"tensors": {"network.stem.bias": torch.zeros(8)}}, "wanted tensors in float16"),
        (
            {"tensors": {"network.stem.bias": torch.full((8,), float("nan")).half()}},
            "network.stem.bias has a number that is not finite",
        ),
    ],
)
def test_a_wrong_description_or_tensor_is_named(changes: dict[str, Any], line: str) -> None:
    assert line in refused(described(**changes))


def test_a_file_too_large_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = initialization().save(tmp_path / "a.safetensors")
    monkeypatch.setattr("nervid.initializations.initialization.LARGEST_FILE", 1000)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail("read"))
    with pytest.raises(InputError, match=f"at most 1000 bytes, got {path.stat().st_size}"):
        Initialization.load(path)
    monkeypatch.setattr(file, "LARGEST_FILE", 1000)
    assert "at most 1000 bytes" in refused(WHOLE)
