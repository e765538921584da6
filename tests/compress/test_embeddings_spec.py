"""Section EMBD of the golden nervid file, read from docs/format.md and docs/entropy.md alone."""

import json
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nervid.container import EMBD, MODL, WGHT, NervFile
from nervid.decoder.network import load_network, read_embeddings
from tests.compress.spec_arrays import spec_codes
from tests.compress.spec_grids import SpecGridDecoder

GOLDEN = Path(__file__).parents[1] / "golden" / "nervid_v1.nerv"


def spec_shapes(model: dict[str, Any], frames: int) -> list[tuple[int, int, int, int]]:
    """Knots, channels, rows and columns of each feature grid."""
    shapes = []
    grids = zip(model["grid_stages"], model["grid_channels"], model["grid_spans"], strict=True)
    for stage, channels, span in grids:
        factor = prod(model["strides"][:stage])
        knots = 1 if span >= frames else -(-(frames - 1) // span) + 1
        shapes.append((knots, channels, model["base_height"] * factor, model["base_width"] * factor))
    return shapes


@pytest.mark.parametrize("segment", [0, 1])
def test_the_golden_files_embeddings_are_read_by_the_specification(segment: int) -> None:
    with NervFile.open(GOLDEN) as file:
        frames = file.header.segments[segment]
        modl, wght, embd = (file.read(tag, segment) for tag in (MODL, WGHT, EMBD))
    model = json.loads(modl)["model"]
    end = 4 + int.from_bytes(embd[:4], "little")
    codes = spec_codes(embd[4:end], (frames, model["latents"]))
    latents = codes.astype(np.float32) * np.frombuffer(embd[5:7], "<f2").astype(np.float32)
    np.testing.assert_array_equal(read_embeddings(modl, embd, frames=frames).numpy(), latents)

    grids, shapes = embd[end:], spec_shapes(model, frames)
    channels = [shape[1] for shape in shapes]
    steps = np.frombuffer(grids[: 2 * sum(channels)], "<f2").astype(np.float32)
    decoder = SpecGridDecoder(grids[2 * sum(channels) :])
    network = load_network(modl, wght, embd, frames=frames)
    read = dict(network.named_parameters())
    for number, (shape, part) in enumerate(
        zip(shapes, np.split(steps, np.cumsum(channels)[:-1]), strict=True)
    ):
        values = decoder.grid(shape).astype(np.float32) * part.reshape(1, -1, 1, 1)
        assert np.any(values)
        np.testing.assert_array_equal(read[f"grids.{number}"].numpy(), values.reshape(shape[0], -1))
