import hashlib
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nervid.errors import InputError, OutputError
from nervid.initializations import Initialization
from nervid.models.config import LatentInrConfig, ModelConfig
from nervid.models.sizing import solve

from .samples import HNERV, NERV, initialization


def equal(one: Initialization, other: Initialization) -> bool:
    parts = ((one.weights, other.weights), (one.encoder, other.encoder))
    same = all(list(a) == list(b) and all(torch.equal(a[name], b[name]) for name in a) for a, b in parts)
    return same and (one.config, dict(one.rates), one.provenance) == (
        other.config,
        dict(other.rates),
        other.provenance,
    )


@pytest.mark.parametrize("config", [HNERV, NERV])
def test_a_saved_initialization_comes_back_bit_by_bit(config: ModelConfig, tmp_path: Path) -> None:
    made = initialization(config, rates={"network.blocks.0.conv.weight": (0.25, 0.5)})
    path = made.save(tmp_path / "a.safetensors")
    read = Initialization.load(path)
    assert equal(read, made)
    assert read.sha256 == made.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert bool(read.encoder) == (config == HNERV)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.safetensors"]


def test_numbers_are_rounded_to_those_of_float16() -> None:
    weights = {name: torch.full_like(tensor, 0.1) for name, tensor in initialization().weights.items()}
    made = initialization(weights=weights)
    assert made.weights["stem.weight"].dtype == torch.float32
    assert float(made.weights["stem.weight"][0, 0, 0, 0]) == 0.0999755859375


def test_a_file_takes_two_bytes_a_number() -> None:
    made = initialization()
    count = sum(tensor.numel() for tensor in (*made.weights.values(), *made.encoder.values()))
    assert 2 * count < len(made.to_bytes()) < 2 * count + 8000


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"weights": {}}, "it has no tensor 'network.blocks.0.conv.bias'"),
        ({"encoder": {}}, "it has no tensor 'encoder.stages.0.block.depthwise.bias'"),
        ({"config": NERV}, "it has"),
        ({"config": replace(HNERV, channels=9)}, r"shape \[9, 3, 1, 1\], got \[8, 3, 1, 1\]"),
        (
            {"rates": {"network.stem.weight": (0.5, float("nan"))}},
            r"cannot have the learning rates \(0.5, nan\)",
        ),
        ({"rates": {"stem.weight": (0.1,)}}, r"'stem.weight' cannot have the learning rates \(0.1,\)"),
    ],
)
def test_what_does_not_fit_the_network_is_refused_by_name(changes: dict[str, object], line: str) -> None:
    with pytest.raises(InputError, match=line):
        replace(initialization(), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 70_000.0])
def test_a_number_that_float16_has_not_is_refused(number: float) -> None:
    weights = dict(initialization().weights)
    weights["stem.bias"] = torch.full_like(weights["stem.bias"], number)
    with pytest.raises(InputError, match=r"network\.stem\.bias has a number that is not finite in float16"):
        initialization(weights=weights)


def test_latent_inr_has_no_initializations() -> None:
    config = solve("latent-inr", frames=2, height=32, width=48, parameters=12_000)
    assert isinstance(config, LatentInrConfig)
    with pytest.raises(InputError, match="hnerv, nerv or nervid, got latent-inr"):
        Initialization(config=config, weights={})


def test_it_goes_to_another_process_with_the_checksum_of_its_file() -> None:
    # Written by other hands: the same content in other bytes.
    data = initialization().to_bytes()
    read = Initialization.from_bytes(data)
    object.__setattr__(read, "_digest", "a" * 64)
    sent = pickle.loads(pickle.dumps(read))
    assert equal(sent, read)
    assert sent.sha256 == "a" * 64
    assert replace(sent, provenance={}).sha256 not in (sent.sha256, initialization().sha256)


def test_files_that_cannot_be_read_or_written_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read the initialization .*none"):
        Initialization.load(tmp_path / "none")
    with pytest.raises(OutputError, match=r"cannot write .*missing"):
        initialization().save(tmp_path / "missing" / "a.safetensors")
