"""Make the golden file nervid_textured_v1.nerv: the clip of nervid_v1 by a network with textures.

UPDATE_GOLDEN=1 python -m tests.golden.make_textured_golden

Eight frames, anchors at 0, 3 and 7, knots as frames need them. Motion begins with random numbers, so that
there is some.
"""

import os
import sys
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import torch

import nervid
from nervid.container import save
from nervid.encoder.assemble import assemble
from nervid.encoder.segment import code
from nervid.fit.rd.motion import Motion
from nervid.fit.recipe import RATE_DISTORTION, Effort
from nervid.fit.segment import Hooks, SegmentPlan, fit_segment
from nervid.models.config.feature_grid import MotionGrid
from nervid.models.nervid_sizing import Spans
from tests.golden.make_nervid_golden import golden_config, golden_frames

FOLDER = Path(__file__).parent


def main() -> None:
    """Write the file, and beside it the frames that this machine reads from it."""
    if os.environ.get("UPDATE_GOLDEN") != "1":
        sys.exit("golden files are kept forever; set UPDATE_GOLDEN=1 to replace them")
    clip = nervid.read(golden_frames(), frame_rate=10)
    frames = torch.from_numpy(clip.load()).permute(0, 3, 1, 2)
    config = replace(
        golden_config(8),
        preview=False,
        latents=0,
        interleaved=True,
        texture_channels=2,
        texture_span=4,
        motion_span=2,
    )
    texture, backward, forward = config.feature_grids[-3:]
    assert isinstance(backward, MotionGrid)
    assert isinstance(forward, MotionGrid)
    generator = torch.Generator().manual_seed(1)
    before, after = (0.2 * torch.randn(grid.shape, generator=generator) for grid in (backward, forward))
    plan = SegmentPlan(
        model=config,
        recipe=RATE_DISTORTION,
        effort=Effort(epochs=100, minimum_steps=300),
        bits=8,
        sparsity=0.0,
        target_bytes=4000,
        seed=1,
        precision="float32",
        device="cpu",
        motion=Motion(
            spans=Spans(4, 2),
            grids=(backward, forward),
            values=(before, after),
            texture_numbers=prod(texture.shape),
            error=1.0,
        ),
    )
    segment = code(fit_segment(frames, plan, Hooks()), frames, device="cpu")
    path = FOLDER / "nervid_textured_v1.nerv"
    save(assemble(clip, [range(8)], [segment], {"nervid": "0.1.0"}), path)
    with nervid.open(path, precision="float32") as video:
        np.save(FOLDER / "nervid_textured_v1.npy", video[:].numpy())
    print(path.stat().st_size, "bytes;", round(segment.psnr_db, 2), "dB")


if __name__ == "__main__":
    main()
