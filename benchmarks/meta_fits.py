"""Fits of the meta-learning benchmark: one clip from random or learned weights in so many steps."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from typing import Final, Literal

import numpy as np
import torch
from jaxtyping import UInt8

from benchmarks.meta_clips import Frames
from benchmarks.meta_runs import Facts, Run, Runs, code_version, key_of
from nervid.decoder.network import draw_frame
from nervid.errors import InputError
from nervid.fit.plan import Hooks, SegmentPlan
from nervid.fit.recipe import RECIPES, Effort, RecipeName
from nervid.fit.segment import fit_float
from nervid.fit.start import Start
from nervid.initializations import Initialization, encoder_for, weights_for
from nervid.initializations.initialization import ENCODER, NETWORK, shapes_of
from nervid.metrics.distortion import psnr
from nervid.models.config import ModelConfig

TrialKind = Literal["orthogonal", "gradient", "muon", "adam"]
"""orthogonal and gradient: steps of one rate in the directions that learned first steps may have; muon and
adam: the optimizers of the recipes quick and hnerv."""
TRIAL_RECIPES: Final[Mapping[TrialKind, RecipeName]] = {"muon": "quick", "adam": "hnerv"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A way to take a few steps from random weights, all frames in every step and no warm-up."""

    kind: TrialKind
    rate: float

    def __str__(self) -> str:
        return f"{self.kind} {self.rate:.3g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """One fit: all that decides its outcome, beside the frames of its clip and the code."""

    initialization: str
    """File; a fit from random weights has its network and nothing else."""
    clip: str
    size: int
    """Pixels a side."""
    start: Literal["random", "learned"]
    steps: int
    """Steps in all, the learned first ones included; their schedule ends with them."""
    seed: int
    """Seeds random weights and the order of frames."""
    recipe: RecipeName = "quick"
    trial: Trial | None = None
    """How steps are taken instead of by the recipe; for random weights."""


def measure(runs: Runs, fits: Sequence[Fit], clips: Mapping[str, Frames]) -> list[tuple[float, float]]:
    """Run fits and return PSNR in dB, the mean over the frames, and seconds of each."""
    outcomes = runs.outcomes(
        outcome,
        [
            Run(
                key=key_of(_decides(fit), clips[fit.clip].numpy().tobytes(), code_version()),
                arguments=(fit, clips[fit.clip].numpy()),
            )
            for fit in fits
        ],
    )
    return [(facts["psnr_db"], facts["seconds"]) for facts in outcomes]


def outcome(fit: Fit, frames: UInt8[np.ndarray, "frames 3 size size"]) -> Facts:
    """Run one fit and measure what it draws; one that diverges has drawn nothing, 0 dB."""
    started = time.perf_counter()
    truth = torch.from_numpy(frames)
    try:
        drawn = draw_fit(fit, truth)
    except InputError:
        return {"psnr_db": 0.0, "seconds": round(time.perf_counter() - started, 3)}
    seconds = time.perf_counter() - started
    return {"psnr_db": round(float(psnr(truth, drawn).mean()), 4), "seconds": round(seconds, 3)}


def draw_fit(fit: Fit, frames: Frames) -> Frames:
    """Run one fit and return the frames that its float network draws, rounded.

    Raises:
        InputError: If the fit diverges, or the initialization cannot be read or carried over.
    """
    network = fit_float(frames, plan_of(fit, len(frames)), Hooks(), steps=fit.steps).eval()
    return torch.stack([draw_frame(network, index) for index in range(len(frames))])


def plan_of(fit: Fit, frames: int) -> SegmentPlan:
    """Return the plan of a fit as the codec makes it for ``--init``."""
    initialization = load(fit.initialization)
    model = network_at(initialization.config, fit.size, frames)
    recipe, start = RECIPES[fit.recipe], None
    if fit.start == "learned":
        start = Start(
            identity=initialization.sha256,
            weights=weights_for(initialization, model, seed=fit.seed),
            encoder=encoder_for(initialization, model, seed=fit.seed),
            rates=initialization.rates,
            inner=initialization.inner,
        )
    elif fit.trial is not None and (named := TRIAL_RECIPES.get(fit.trial.kind)):
        recipe = replace(
            RECIPES[named], learning_rate=fit.trial.rate, warmup=0.0, batch_size=frames, float_share=1.0
        )
    elif fit.trial is not None:
        network, encoder = shapes_of(model)
        names = [*(NETWORK + name for name in network), *(ENCODER + name for name in encoder)]
        start = Start(
            identity=str(fit.trial),
            rates=dict.fromkeys(names, (fit.trial.rate,) * fit.steps),
            inner="muon" if fit.trial.kind == "orthogonal" else "gradient",
        )
    return SegmentPlan(
        model=model,
        recipe=recipe,
        effort=Effort(epochs=1, minimum_steps=1),
        bits=6,
        sparsity=0.0,
        target_bytes=None,
        seed=fit.seed,
        precision="auto",
        device="cpu",
        start=start,
    )


def network_at(learned: ModelConfig, size: int, frames: int) -> ModelConfig:
    """Return the network that is fitted to squares of ``size`` pixels, for both starts.

    It is the learned one, with a base map as large as its strides need for the size. For HNeRV and, at the
    learned size, for NeRV that is what ``nervid.meta.learner.learned_config`` describes; GradNCP's NeRV for a
    larger size has another stride, so that weights cannot be carried over to it.
    """
    base = -(-size // prod(learned.strides))
    return replace(learned, frames=frames, height=size, width=size, base_height=base, base_width=base)


@lru_cache(maxsize=8)
def load(path: str) -> Initialization:
    """Return the initialization in a file, read once."""
    return Initialization.load(path)


def _decides(fit: Fit) -> tuple[Fit, object]:
    """What decides the outcome: in place of the initialization's file its content, as far as it is used."""
    initialization = load(fit.initialization)
    used = initialization.sha256 if fit.start == "learned" else initialization.config
    return replace(fit, initialization=""), used
