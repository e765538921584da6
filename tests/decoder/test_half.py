"""Playing in bfloat16: only where it moves hardly a byte by more than one."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import nervid
from nervid.container import EMBD, MODL, WGHT, NervFile, canonical_json
from nervid.decoder import half as half_module
from nervid.decoder.half import LARGEST_DIFFERENCE, RARE, find_half_from, first_half_block, run_in_half
from nervid.decoder.network import NEVER_HALF, draw_frame, half_from, load_network, model_to_json
from nervid.errors import CorruptSectionError
from nervid.hardware import has_bfloat16
from nervid.models.representation import Representation

CPU = torch.device("cpu")
needs_bfloat16 = pytest.mark.skipif(not has_bfloat16(CPU), reason="this CPU has no native bfloat16")


@pytest.fixture
def network(path: Path) -> Representation[Any]:
    with NervFile.open(path) as file:
        sections = file.read(MODL, 0), file.read(WGHT, 0), file.read(EMBD, 0)
        return load_network(*sections, frames=file.header.segments[0])


def types(network: Representation[Any]) -> list[torch.dtype]:
    blocks = [next(block.parameters()).dtype for block in network.get_submodule("blocks").children()]
    return [network.stem.weight.dtype, *blocks, network.head.weight.dtype]  # type: ignore[union-attr,list-item]


def test_only_the_blocks_from_the_named_one_on_and_the_head_change_type(network: Representation[Any]) -> None:
    count = len(network.config.strides)
    for first in range(count):
        half = run_in_half(copy.deepcopy(network), first)
        expected = [torch.float32] * (1 + first) + [torch.bfloat16] * (count - first + 1)
        assert types(half) == expected
        assert draw_frame(half, 0).dtype == torch.uint8
    assert set(types(run_in_half(network, NEVER_HALF))) == {torch.float32}


def is_kept(drawn: Tensor, exact: Tensor) -> bool:
    """The promise, frame by frame, said another way."""
    differences = (drawn.int() - exact.int()).abs().flatten(1)
    often = (differences > 1).double().mean(dim=1).max()
    return int(differences.max()) <= 2 and float(often) <= 1 / 1000


@needs_bfloat16
def test_what_was_found_keeps_the_promise(network: Representation[Any]) -> None:
    frames = range(network.config.frames)
    exact = torch.stack([draw_frame(network, index) for index in frames])
    first = find_half_from(network, frames)
    assert first < NEVER_HALF
    half = run_in_half(copy.deepcopy(network), first)
    drawn = torch.stack([draw_frame(half, index) for index in frames])
    assert not drawn.equal(exact)
    assert is_kept(drawn, exact)
    if first > 0:
        earlier = run_in_half(copy.deepcopy(network), first - 1)
        assert not is_kept(torch.stack([draw_frame(earlier, index) for index in frames]), exact)


@pytest.mark.parametrize(
    ("count", "by", "found"),
    [(3000, 1, 0), (3, 2, 0), (3, -2, 0), (4, 2, NEVER_HALF), (4, -2, NEVER_HALF), (1, 3, NEVER_HALF)],
)
def test_three_bytes_of_three_thousand_may_move_by_two(
    count: int, by: int, found: int, network: Representation[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (LARGEST_DIFFERENCE, RARE) == (2, 1000)
    exact = torch.full((3, 25, 40), 100, dtype=torch.uint8)
    moved = exact.clone()
    moved.view(-1)[:count] += by
    monkeypatch.setattr(half_module, "has_bfloat16", lambda _: True)
    monkeypatch.setattr(half_module, "draw_frame", lambda drawer, _: exact if drawer is network else moved)
    assert find_half_from(network, [0, 1]) == found


@needs_bfloat16
def test_a_network_of_huge_weights_is_never_run_in_half(network: Representation[Any]) -> None:
    with torch.no_grad():
        network.head.weight.mul_(300)  # type: ignore[union-attr,operator]
        network.head.bias.zero_()  # type: ignore[union-attr,operator]
    assert find_half_from(network, range(network.config.frames)) == NEVER_HALF


def test_the_users_choice_and_the_hardware_decide() -> None:
    assert first_half_block("float32", 0, CPU) == NEVER_HALF
    assert first_half_block("bfloat16", NEVER_HALF, CPU) == 0
    assert first_half_block("auto", 3, CPU) == (3 if has_bfloat16(CPU) else NEVER_HALF)


def test_a_file_played_in_float32_differs_as_little_as_promised(path: Path) -> None:
    with nervid.open(path) as auto, nervid.open(path, precision="float32") as exact:
        assert is_kept(auto[:], exact[:])


def test_modl_keeps_its_length_whatever_is_found(network: Representation[Any]) -> None:
    lengths = {len(canonical_json(model_to_json(network.config, first))) for first in range(NEVER_HALF + 1)}
    assert len(lengths) == 1
    assert half_from(canonical_json(model_to_json(network.config, 4))) == 4
    assert half_from(b'{"model":{}}') == NEVER_HALF


@pytest.mark.parametrize("damaged", ["-1", "10", "1.0", "true", '"2"', "null"])
def test_a_damaged_half_from_is_refused(damaged: str) -> None:
    with pytest.raises(CorruptSectionError, match="half_from must be 0 to 9"):
        half_from(f'{{"half_from":{damaged},"model":{{}}}}'.encode())
