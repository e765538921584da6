"""Each network learns a small clip, keeps what it learned when quantized, and codes to its size."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nervid.compress.streams import encode_tensors
from nervid.fit.alignment import Alignment
from nervid.fit.precision import autocast_dtype
from nervid.fit.recipe import RECIPES, Effort, RecipeName
from nervid.fit.segment import FittedSegment, Hooks, SegmentPlan, _key, fit_float, fit_segment
from nervid.metrics.distortion import psnr
from nervid.models.config import NervConfig
from nervid.models.registry import build
from nervid.models.representation import EMBEDDINGS
from nervid.models.sizing import solve


def plan(model: str, recipe: RecipeName, *, epochs: int = 60, target_bytes: int | None = None) -> SegmentPlan:
    return SegmentPlan(
        model=solve(model, frames=8, height=32, width=48, parameters=12_000),  # type: ignore[arg-type]
        recipe=RECIPES[recipe],
        effort=Effort(epochs=epochs, minimum_steps=1),
        bits=6,
        sparsity=0.0,
        target_bytes=target_bytes,
        seed=1,
        precision="float32",
        device="cpu",
    )


def quality(fitted: FittedSegment, frames: torch.Tensor) -> float:
    network = build(fitted.config)
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        for name, tensor in zip([n for n in parameters if n != EMBEDDINGS], fitted.weights, strict=True):
            parameters[name].copy_(tensor.values())
        for tensor in fitted.embeddings:
            parameters[EMBEDDINGS].copy_(tensor.values())
        drawn = (network(torch.arange(8)) * 255).round().to(torch.uint8)
    return float(psnr(frames, drawn).mean())


@pytest.mark.parametrize(
    ("model", "recipe", "epochs", "least_db"),
    [
        ("hnerv", "quick", 60, 27.0),
        ("hnerv", "hnerv", 60, 18.0),
        ("nerv", "quick", 120, 22.0),
        ("nerv", "nerv", 60, 13.0),
        ("latent-inr", "quick", 60, 22.0),
        ("latent-inr-pixel", "quick", 60, 22.0),
    ],
)
def test_each_network_learns_a_small_clip(
    model: str, recipe: RecipeName, epochs: int, least_db: float, tiny_frames: np.ndarray
) -> None:
    """300 steps in 60 epochs, fine-tuning included, to 6 bits."""
    frames = torch.from_numpy(tiny_frames)
    assert quality(fit_segment(frames, plan(model, recipe, epochs=epochs), Hooks()), frames) >= least_db


def test_six_bits_cost_little_against_float(tiny_frames: np.ndarray) -> None:
    """All epochs in float weights, then a quarter as many of fine-tuning on six bits."""
    frames = torch.from_numpy(tiny_frames)
    quick = plan("hnerv", "quick")
    apart = replace(quick, recipe=replace(quick.recipe, float_share=1.0, finetune_rate=0.3))
    network = fit_float(frames, apart, Hooks())
    with torch.no_grad():
        drawn = network(torch.arange(8))
    before = float(psnr(frames, (drawn * 255).round().to(torch.uint8)).mean())
    assert quality(fit_segment(frames, apart, Hooks()), frames) >= before - 0.3


def test_weights_and_embeddings_code_to_their_size(tiny_frames: np.ndarray) -> None:
    frames = torch.from_numpy(tiny_frames)
    fitted = fit_segment(frames, plan("hnerv", "quick", epochs=5, target_bytes=6000), Hooks())
    size = len(encode_tensors(fitted.weights)) + len(encode_tensors(fitted.embeddings))
    assert 0.97 * 6000 <= size <= 6000


def test_the_numbers_that_an_alignment_reads_are_free_and_the_encoder_makes_the_others(
    tiny_frames: np.ndarray,
) -> None:
    frames = torch.from_numpy(tiny_frames)
    targets = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    alignment = Alignment(
        weight=np.eye(3, dtype=np.float32),
        bias=np.zeros(3, dtype=np.float32),
        targets=np.ascontiguousarray(targets),
        strength=0.01,
    )
    aligned = replace(plan("hnerv", "quick", epochs=10), alignment=alignment)
    rows = dict(fit_float(frames, aligned, Hooks()).named_parameters())[EMBEDDINGS].detach().flatten(1)
    plain = dict(fit_float(frames, replace(aligned, alignment=None), Hooks()).named_parameters())
    assert float(alignment.loss(rows, torch.arange(8))) < 0.01 * 0.1
    assert not torch.equal(rows[:, :3], alignment.start())
    assert float(rows[:, 3:].std()) > 0.1 * float(plain[EMBEDDINGS].detach().flatten(1)[:, 3:].std())
    # Again after quantization, on the numbers that a file has.
    (stored,) = fit_segment(frames, aligned, Hooks()).embeddings
    assert float(alignment.loss(stored.values(), torch.arange(8))) < 0.01 * 0.1


def test_a_checkpoint_fits_every_device_of_a_kind(tiny_frames: np.ndarray) -> None:
    frames = torch.from_numpy(tiny_frames)
    chosen = plan("hnerv", "quick")
    first, second = (_key(frames, replace(chosen, device=device)) for device in ("cuda:0", "cuda:1"))
    assert first == second != _key(frames, chosen)


def test_multi_resolution_heads_are_fitted_too(tiny_frames: np.ndarray) -> None:
    chosen = plan("nerv", "nerv", epochs=4)
    assert isinstance(chosen.model, NervConfig)
    many = replace(chosen, model=replace(chosen.model, multi_resolution=True))
    network = fit_float(torch.from_numpy(tiny_frames), many, Hooks())
    assert len(network.draw_resolutions(network.embed(torch.arange(1)))) == len(chosen.model.strides)


def test_bfloat16_learns_as_float32_does(tiny_frames: np.ndarray) -> None:
    frames = torch.from_numpy(tiny_frames)
    full = quality(fit_segment(frames, plan("hnerv", "quick"), Hooks()), frames)
    half = quality(
        fit_segment(frames, replace(plan("hnerv", "quick"), precision="bfloat16"), Hooks()), frames
    )
    assert half >= full - 1.0


def test_the_precision_asked_for_is_taken() -> None:
    cpu = torch.device("cpu")
    assert autocast_dtype("float32", cpu) is None
    assert autocast_dtype("bfloat16", cpu) == torch.bfloat16
    assert autocast_dtype("auto", cpu) in (None, torch.bfloat16)


COMPILED = """
import json, sys
import numpy as np, torch
import nervid

compiler, traced = torch.compile, []
torch.compile = lambda function, *, dynamic: (
    traced.append(1) or compiler(function, dynamic=dynamic, backend="eager")
)
clip = nervid.read(np.load(sys.argv[1]))
results = {}
for model in ("hnerv", "latent-inr"):
    options = dict(size="6kB", epochs=2, model=model, precision="float32")
    eager = nervid.encode(clip, **options).report.psnr_db
    assert not traced
    results[model] = [eager, nervid.encode(clip, compile=True, **options).report.psnr_db, len(traced)]
    traced.clear()
print(json.dumps(results))
"""


def test_a_compiled_fit_takes_the_same_steps(tiny_frames: np.ndarray, tmp_path: Path) -> None:
    """Traced as for the compiler, but run by PyTorch's own kernels, which is quick.

    In a process of its own: the run-time type checks of these tests cannot be traced.
    """
    np.save(tmp_path / "frames.npy", tiny_frames)
    done = subprocess.run(
        [sys.executable, "-c", COMPILED, str(tmp_path / "frames.npy")],
        check=True,
        capture_output=True,
        text=True,
    )
    results = json.loads(done.stdout)
    assert {model: traced for model, (_, _, traced) in results.items()} == {
        "hnerv": 3,  # network, encoder, and the network with quantized weights
        "latent-inr": 2,
    }
    for eager, compiled, _ in results.values():
        assert compiled == pytest.approx(eager, abs=0.1)
