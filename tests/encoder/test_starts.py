"""Segments that start from the one before, or from whatever fits best."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nervid
from nervid.container import EMBD, MODL, WGHT
from nervid.decoder.network import load_network
from nervid.encoder.encode import Interrupted
from nervid.encoder.job import CodedSegment
from nervid.encoder.progress import EncodeProgress
from nervid.encoder.segment import plan_segment
from nervid.encoder.start import possible_starts
from nervid.encoder.task import PreviousSegment, SegmentTask
from nervid.fit.segment import Hooks, SegmentPlan
from nervid.fit.start import Start
from tests.encoder.learned import header_of


@pytest.fixture
def two(tiny_frames: np.ndarray) -> nervid.Clip:
    """Two segments of 4 frames that look alike."""
    return nervid.read(np.concatenate([tiny_frames[:4], tiny_frames[3::-1]]))


CHAIN = nervid.EncodeConfig(model="hnerv", size="6kB", epochs=2, max_segment_frames=4, init="previous")


@pytest.fixture(scope="module")
def chains() -> dict[str, nervid.Encoded]:
    """Files that one process made of the two segments in one go, by where they start; filled by `chain`."""
    return {}


@pytest.fixture
def chain(
    two: nervid.Clip, shipped: None, chains: dict[str, nervid.Encoded]
) -> Callable[[str], nervid.Encoded]:
    def made(init: str) -> nervid.Encoded:
        if init not in chains:
            chains[init] = nervid.encode(two, CHAIN, init=init)
        return chains[init]

    return made


def test_the_first_segment_starts_at_random_and_the_second_from_the_bytes_of_the_first(
    two: nervid.Clip, chain: Callable[[str], nervid.Encoded]
) -> None:
    plain, chained = chain("random"), chain("previous")
    with (
        nervid.NervFile.open(io.BytesIO(plain.data)) as one,
        nervid.NervFile.open(io.BytesIO(chained.data)) as other,
    ):
        # Its budget differs by the bytes of the header's option alone.
        assert one.read(MODL, 0) == other.read(MODL, 0)
        assert one.read(WGHT, 1) != other.read(WGHT, 1)
        modl, wght, embd = (other.read(tag, 0) for tag in (MODL, WGHT, EMBD))
    assert header_of(chained).provenance["options"]["init"] == "previous"
    coded = CodedSegment(modl=modl, wght=wght, embd=embd, psnr_db=0.0, parameters=0)
    task = SegmentTask(
        number=1,
        frames=4,
        height=32,
        width=48,
        config=CHAIN,
        budget_bytes=3000.0,
        previous=PreviousSegment(coded=coded, frames=4),
    )
    network = load_network(modl, wght, embd, frames=4)
    plan = replace(plan_segment(task, 3000.0, device="cpu"), model=network.config)
    (start,) = possible_starts(task, plan)
    assert start is not None
    assert start.base is None
    assert not start.encoder
    decoded = dict(network.named_weights())
    assert list(start.weights) == list(decoded)
    assert all(torch.equal(weight, decoded[name]) for name, weight in start.weights.items())
    assert possible_starts(replace(task, previous=None), plan) == [None]


@pytest.mark.parametrize(
    ("init", "segment", "steps"), [("previous", 0, 2), ("previous", 1, 4), ("auto", 1, 3)]
)
def test_a_chain_of_segments_goes_on_where_it_was_to_the_same_bytes(
    two: nervid.Clip,
    chain: Callable[[str], nervid.Encoded],
    tmp_path: Path,
    init: str,
    segment: int,
    steps: int,
) -> None:
    """Two steps in float weights and three of fine-tuning each."""
    taken: list[EncodeProgress] = []
    with pytest.raises(Interrupted):
        nervid.encode(
            two,
            CHAIN,
            init=init,
            workdir=tmp_path / "job",
            on_progress=taken.append,
            should_stop=lambda: sum(step.segment == segment for step in taken) == steps,
        )
    resumed: list[EncodeProgress] = []
    again = nervid.encode(two, CHAIN, init=init, workdir=tmp_path / "job", on_progress=resumed.append)
    assert again.data == chain(init).data
    assert {step.segment for step in resumed} == set(range(segment, 2))
    assert len(taken) + len(resumed) == 10


def test_segments_that_follow_each_other_take_one_device_and_say_so(
    two: nervid.Clip, chain: Callable[[str], nervid.Encoded]
) -> None:
    encoded = nervid.encode(two, CHAIN, device="cpu,cpu")
    assert encoded.report.device == "cpu"
    assert encoded.report.warnings == ("init previous fits segments one after the other: cpu alone was used",)
    assert encoded.data == chain("previous").data


@pytest.mark.slow
def test_learned_weights_go_to_every_device(two: nervid.Clip, files: dict[str, Path]) -> None:
    config = replace(CHAIN, init=str(files["hnerv"]), delta=True, epochs=1)
    assert nervid.encode(two, config, device="cpu,cpu").data == nervid.encode(two, config).data


def kind_of(start: Start | None) -> str:
    """What a fit starts from."""
    if start is None or not start.weights:
        return "random"
    return "previous" if "previous" in start.identity else "meta"


@pytest.mark.usefixtures("shipped")
@pytest.mark.parametrize("delta", [False, True])
def test_auto_takes_the_start_that_fits_best(
    two: nervid.Clip, monkeypatch: pytest.MonkeyPatch, delta: bool
) -> None:
    from nervid.encoder import start

    errors: list[dict[str, float]] = []
    measured = start._error_after_trial

    def watched(plan: SegmentPlan, frames: torch.Tensor, hooks: Hooks) -> float:
        error = measured(plan, frames, hooks)
        errors[-1][kind_of(plan.start)] = error
        return error

    chosen: list[str] = []
    choose = start.choose_start

    def choosing(task: Any, plan: SegmentPlan, *words: Any, **options: Any) -> Any:  # noqa: ANN401
        errors.append({})
        taken = choose(task, plan, *words, **options)
        chosen.append(kind_of(taken))
        return taken

    monkeypatch.setattr(start, "_error_after_trial", watched)
    monkeypatch.setattr("nervid.encoder.segment.choose_start", choosing)
    encoded = nervid.encode(two, CHAIN, init="auto", delta=delta)
    assert [set(trial) for trial in errors] == [
        {"meta", "random"},
        {"meta", "random", "previous"},
    ]
    assert chosen == [min(trial, key=trial.__getitem__) for trial in errors]
    assert chosen[0] == "meta"
    assert (header_of(encoded).initialization is not None) == delta
    assert nervid.open(io.BytesIO(encoded.data))[:].shape == (8, 3, 32, 48)
