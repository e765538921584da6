"""Fits that start from learned weights or from the segment before, and files that hold changes alone."""

import hashlib
import io
import json
import subprocess
import sys
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
from nervid.errors import InputError
from nervid.fit.recipe import RECIPES, Effort
from nervid.fit.segment import Hooks, SegmentPlan, fit_float
from nervid.fit.start import Start
from nervid.initializations import Initialization, base_for, library
from nervid.models.config import ModelConfig, from_json
from nervid.models.registry import build_encoder
from nervid.models.sizing import solve

FAMILIES = ["hnerv", "nerv"]


def learn(frames: np.ndarray, family: str) -> Initialization:
    """Fit a small network to the frames and call its weights an initialization."""
    config = solve(family, frames=8, height=32, width=48, parameters=8000)  # type: ignore[arg-type]
    plan = SegmentPlan(
        model=config,
        recipe=RECIPES["quick"],
        effort=Effort(epochs=20, minimum_steps=1),
        bits=6,
        sparsity=0.0,
        target_bytes=None,
        seed=1,
        precision="float32",
        device="cpu",
    )
    network = fit_float(torch.from_numpy(frames), plan, Hooks())
    encoder = dict(build_encoder(config).named_parameters()) if config.name == "hnerv" else {}  # type: ignore[arg-type]
    return Initialization(config=config, weights=dict(network.named_weights()), encoder=encoder)


@pytest.fixture(scope="module")
def learned() -> dict[str, Initialization]:
    """Initializations by family, filled by `files`."""
    return {}


@pytest.fixture
def files(
    learned: dict[str, Initialization],
    tiny_frames: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, Path]:
    """The initialization of each family in a file that decoding finds."""
    for family in FAMILIES:
        learned.setdefault(family, learn(tiny_frames, family))
    folder = tmp_path / "initializations"
    folder.mkdir()
    monkeypatch.setenv("NERVID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(library.FOLDERS_VARIABLE, str(folder))
    return {family: learned[family].save(folder / f"{family}.safetensors") for family in FAMILIES}


@pytest.fixture
def shipped(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The initializations as those that ship with nervid."""
    for module in ("nervid.initializations.library", "nervid.encoder.named"):
        monkeypatch.setattr(f"{module}.shipped_file", files.__getitem__)


def config_of(encoded: nervid.Encoded) -> ModelConfig:
    with nervid.NervFile.open(io.BytesIO(encoded.data)) as file:
        return from_json(json.loads(file.read(MODL, 0))["model"])


def header(encoded: nervid.Encoded) -> Any:  # noqa: ANN401
    with nervid.NervFile.open(io.BytesIO(encoded.data)) as file:
        return file.header


@pytest.mark.parametrize("family", FAMILIES)
def test_learned_weights_give_a_better_file_in_the_same_steps(
    tiny_clip: nervid.Clip, files: dict[str, Path], learned: dict[str, Initialization], family: str
) -> None:
    options: dict[str, Any] = {"size": "6kB", "epochs": 1, "model": family}
    plain = nervid.encode(tiny_clip, **options)
    started = nervid.encode(tiny_clip, **options, init=str(files[family]))
    assert started.report.psnr_db > plain.report.psnr_db + 0.3
    assert 0.97 * 6000 <= len(started.data) <= 6000
    config = config_of(started)
    assert config.strides == learned[family].config.strides
    assert header(started).initialization is None
    provenance = header(started).provenance
    assert provenance["options"]["init"] == family
    assert provenance["initialization"] == {"name": family, "sha256": learned[family].sha256}
    assert str(files[family].parent).encode() not in started.data


@pytest.mark.parametrize("family", FAMILIES)
def test_changes_are_stored_and_kept_to_the_size(
    tiny_clip: nervid.Clip, files: dict[str, Path], family: str
) -> None:
    encoded = nervid.encode(
        tiny_clip, size="6kB", epochs=1, model=family, init=str(files[family]), delta=True
    )
    assert 0.97 * 6000 <= len(encoded.data) <= 6000
    reference = header(encoded).initialization
    assert (reference.name, reference.sha256) == (
        family,
        hashlib.sha256(files[family].read_bytes()).hexdigest(),
    )
    original = torch.from_numpy(tiny_clip.load()).permute(0, 3, 1, 2)
    measured = float(nervid.psnr(original, nervid.open(io.BytesIO(encoded.data))[:]).mean())
    assert encoded.report.psnr_db == pytest.approx(measured, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_changes_are_decoded_by_another_process(
    tiny_clip: nervid.Clip, files: dict[str, Path], family: str, tmp_path: Path
) -> None:
    encoded = nervid.encode(
        tiny_clip, size="6kB", epochs=1, model=family, init=str(files[family]), delta=True
    )
    encoded.save(tmp_path / "a.nerv")
    code = "import sys, numpy, nervid; numpy.save(sys.argv[2], nervid.open(sys.argv[1])[:].numpy())"
    words = [sys.executable, "-c", code, str(tmp_path / "a.nerv"), str(tmp_path / "a.npy")]
    subprocess.run(words, check=True, capture_output=True)
    here = nervid.open(io.BytesIO(encoded.data))[:]
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), here.numpy())


def test_pruned_changes_leave_the_learned_weights(
    tiny_clip: nervid.Clip, files: dict[str, Path], learned: dict[str, Initialization]
) -> None:
    start = learned["nerv"]
    encoded = nervid.encode(
        tiny_clip, size="6kB", epochs=1, model="nerv", init=str(files["nerv"]), delta=True, sparsity=0.75
    )
    with nervid.NervFile.open(io.BytesIO(encoded.data)) as file:
        network = load_network(file.read(MODL, 0), file.read(WGHT, 0), None, frames=8, initialization=start)
    base = base_for(start, network.config)
    kernels = {name: weight for name, weight in network.named_weights() if weight.dim() > 1}
    unchanged = sum(int((weight == base[name]).sum()) for name, weight in kernels.items())
    assert unchanged >= 0.75 * sum(weight.numel() for weight in kernels.values()) - 1


def test_a_file_of_changes_says_what_it_needs_where_that_is_missing(
    tiny_clip: nervid.Clip, files: dict[str, Path], tmp_path: Path
) -> None:
    encoded = nervid.encode(tiny_clip, size="6kB", epochs=1, init=str(files["hnerv"]), delta=True)
    path = encoded.save(tmp_path / "a.nerv")
    sha256 = hashlib.sha256(files["hnerv"].read_bytes()).hexdigest()
    files["hnerv"].unlink()
    for open_file in (nervid.open, nervid.Dataset):
        with pytest.raises(InputError) as caught:
            open_file(path)
        assert str(caught.value) == (
            f"the file needs the initialization hnerv with SHA-256 {sha256}, which is not here; put its "
            f".safetensors file into {tmp_path}/cache/initializations, or name its path in "
            "NERVID_INITIALIZATIONS"
        )


def test_another_network_than_the_initializations_is_damage(
    tiny_clip: nervid.Clip, learned: dict[str, Initialization], files: dict[str, Path]
) -> None:
    plain = nervid.encode(tiny_clip, size="6kB", epochs=1)
    with nervid.NervFile.open(io.BytesIO(plain.data)) as file:
        payloads = file.read(MODL, 0), file.read(WGHT, 0), file.read(EMBD, 0)
    with pytest.raises(
        nervid.FormatError, match="section MODL: the initialization has model nerv, wanted hn"
    ):
        load_network(*payloads, frames=8, initialization=learned["nerv"])


@pytest.fixture
def two(tiny_frames: np.ndarray) -> nervid.Clip:
    """Two segments of 4 frames that look alike."""
    return nervid.read(np.concatenate([tiny_frames[:4], tiny_frames[3::-1]]))


CHAIN = nervid.EncodeConfig(size="6kB", epochs=2, max_segment_frames=4, init="previous")


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
    assert header(chained).provenance["options"]["init"] == "previous"
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
    assert (header(encoded).initialization is not None) == delta
    assert nervid.open(io.BytesIO(encoded.data))[:].shape == (8, 3, 32, 48)


def test_auto_goes_without_an_initialization_where_none_ships_but_not_for_changes(
    tiny_clip: nervid.Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("nervid.initializations.library", "nervid.encoder.named"):
        monkeypatch.setattr(f"{module}.shipped_file", lambda family: tmp_path / "none")
    encoded = nervid.encode(tiny_clip, size="4kB", init="auto", epochs=1)
    assert "initialization" not in header(encoded).provenance
    for options in ({"init": "auto", "delta": True}, {"init": "meta"}):
        with pytest.raises(InputError, match="no initialization of hnerv ships with this nervid"):
            nervid.encode(tiny_clip, size="4kB", **options)


def test_another_file_under_the_same_path_starts_the_work_afresh(
    tiny_clip: nervid.Clip, files: dict[str, Path], learned: dict[str, Initialization], tmp_path: Path
) -> None:
    config = nervid.EncodeConfig(size="6kB", epochs=1, init=str(files["hnerv"]))
    first = nervid.encode(tiny_clip, config, workdir=tmp_path / "job")
    resumed: list[EncodeProgress] = []
    nervid.encode(tiny_clip, config, workdir=tmp_path / "job", on_progress=resumed.append)
    assert resumed == []
    halved = {name: weight / 2 for name, weight in learned["hnerv"].weights.items()}
    replace(learned["hnerv"], weights=halved).save(files["hnerv"])
    second = nervid.encode(tiny_clip, config, workdir=tmp_path / "job", on_progress=resumed.append)
    assert len(resumed) == 5
    assert second.data != first.data


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"init": "perfect"}, "init must be random, meta, previous, auto or a file, got 'perfect': no such"),
        (
            {"init": "NERV"},
            "an initialization of nerv, wanted one of hnerv; name another file, or --model nerv",
        ),
        ({"init": "BROKEN"}, "the file is damaged, copy it again"),
        ({"init": "OTHER"}, "is not an initialization; name a file made for --init"),
        ({"init": "previous", "model": "latent-inr"}, "is for the models hnerv and nerv, got latent-inr"),
        ({"delta": True}, "delta stores changes from an initialization, got init random; use init meta"),
        ({"delta": True, "init": "previous"}, "got init previous; use init meta, auto or a file"),
    ],
)
def test_a_start_that_is_none_is_one_line_before_any_fitting(
    options: dict[str, Any], line: str, tiny_clip: nervid.Clip, files: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "other").write_bytes(b"words")
    (tmp_path / "broken").write_bytes(files["hnerv"].read_bytes()[:-1])
    paths = {"NERV": files["nerv"], "BROKEN": tmp_path / "broken", "OTHER": tmp_path / "other"}
    options = {
        name: str(paths[value]) if name == "init" and value in paths else value
        for name, value in options.items()
    }
    with pytest.raises(InputError) as caught:
        nervid.encode(tiny_clip, size="6kB", on_progress=lambda progress: pytest.fail("fitted"), **options)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_start_whose_smallest_network_is_too_large_says_what_it_needs(
    tiny_clip: nervid.Clip, files: dict[str, Path]
) -> None:
    with pytest.raises(InputError, match=r"need at least \d+ bytes for the smallest hnerv network"):
        nervid.encode(tiny_clip, size="900B", init=str(files["hnerv"]))


def test_a_quality_can_be_asked_for(tiny_clip: nervid.Clip, files: dict[str, Path]) -> None:
    encoded = nervid.encode(tiny_clip, psnr=10.0, epochs=1, init=str(files["hnerv"]), delta=True)
    assert encoded.report.psnr_db >= 10.0
    assert header(encoded).initialization is not None
