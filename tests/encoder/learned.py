"""Initializations learned from a handful of frames, and what a file says of them."""

import io

import numpy as np
import torch

import nervid
from nervid.container import Header
from nervid.fit.recipe import RECIPES, Effort
from nervid.fit.segment import Hooks, SegmentPlan, fit_float
from nervid.initializations import Initialization
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


def header_of(encoded: nervid.Encoded) -> Header:
    """Return the header of an encoded file."""
    with nervid.NervFile.open(io.BytesIO(encoded.data)) as file:
        return file.header
