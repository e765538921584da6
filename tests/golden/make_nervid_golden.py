"""Make the golden .nerv file of the model nervid, and what it must decode to.

UPDATE_GOLDEN=1 python -m tests.golden.make_nervid_golden

Its network is smaller than any that is chosen for a size, so that a few kilobytes hold all that such a file
can have: two segments, feature grids of several and of single knots, a preview head, latents, an alignment.
Only for a new format version: the files of a released version are never made anew.
"""

import os
import sys
from pathlib import Path

import numpy as np
import torch

import nervid
from nervid.container import NervFile, save
from nervid.decoder.alignment import StoredAlignment, read_vectors
from nervid.encoder.align import LATENT_REACH, PrincipalDirections
from nervid.encoder.assemble import assemble
from nervid.encoder.job import CodedSegment
from nervid.encoder.latents import code_latents
from nervid.encoder.segment import code
from nervid.fit.recipe import RATE_DISTORTION, Effort
from nervid.fit.segment import Hooks, SegmentPlan, fit_segment
from nervid.models.config import NervidConfig
from nervid.teachers import TeacherRecord

FOLDER = Path(__file__).parent
HEIGHT, WIDTH = 26, 42
"""No multiples of 4, so that a smaller frame's last row and column stand for fewer pixels."""
LATENT = 2
"""Numbers of a latent."""
SEGMENT_BYTES = 2400
"""Size of weights and feature grids of a segment."""
SMALLER = {"half": (13, 21), "quarter": (7, 11)}
"""Rows and columns of a frame's smaller sizes."""


def golden_frames() -> np.ndarray:
    """Return a disc that crosses waves with a texture on them, uint8 [8, 26, 42, 3]."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    texture = np.random.default_rng(1).integers(-40, 41, (HEIGHT // 2, WIDTH // 2, 1))
    texture = texture.repeat(2, axis=0).repeat(2, axis=1)
    frames = []
    for i in range(8):
        waves = np.stack(
            [128 + 90 * np.sin((columns + 2 * i) / 6), 128 + 90 * np.cos((rows - i) / 5), rows * 7], axis=-1
        )
        disc = np.hypot(rows - 13, columns - 5 * i) < 6
        frames.append(np.where(disc[..., None], [230, 60, 20], waves))
    return np.clip(np.stack(frames) + texture, 0, 255).astype(np.uint8)


def golden_vectors() -> np.ndarray:
    """Return vectors of a teacher of five dimensions that turn from frame to frame, float32 [8, 5]."""
    angles = np.arange(8) / 4
    numbers = np.stack([np.ones(8), np.cos(angles), np.sin(angles), angles / 9, angles**2 / 30], axis=1)
    return np.asarray(numbers / np.linalg.norm(numbers, axis=1, keepdims=True), dtype=np.float32)


def golden_config(frames: int) -> NervidConfig:
    """Return the network of a segment."""
    return NervidConfig(
        frames=frames,
        height=HEIGHT,
        width=WIDTH,
        base_height=2,
        base_width=3,
        strides=(2, 2, 2, 2),
        channels=(8, 8, 6, 6),
        depths=(1, 0, 0, 1),
        grid_stages=(0, 1, 1, 3),
        grid_channels=(4, 3, 2, 1),
        grid_spans=(1, 2, 8, 8),
        preview=True,
        latents=LATENT,
    )


def golden_segment(frames: torch.Tensor, latents: bytes) -> CodedSegment:
    """Fit and code the network of a segment."""
    plan = SegmentPlan(
        model=golden_config(len(frames)),
        recipe=RATE_DISTORTION,
        effort=Effort(epochs=100, minimum_steps=300),
        bits=8,
        sparsity=0.0,
        target_bytes=SEGMENT_BYTES,
        seed=1,
        precision="float32",
        device="cpu",
    )
    return code(fit_segment(frames, plan, Hooks()), frames, device="cpu", latents=latents)


def main() -> None:
    """Write the file, and beside it the frames and vectors that this machine reads from it."""
    if os.environ.get("UPDATE_GOLDEN") != "1":
        sys.exit("golden files are kept forever; set UPDATE_GOLDEN=1 to replace them")
    clip = nervid.read(golden_frames(), frame_rate=10)
    frames = torch.from_numpy(clip.load()).permute(0, 3, 1, 2)
    teacher = TeacherRecord(name="golden", revision="1", sha256="0" * 64, dimension=5)
    head = PrincipalDirections(golden_vectors()).head(LATENT, reach=LATENT_REACH)
    alignment = StoredAlignment(teacher, head)
    ranges = [range(5), range(5, 8)]
    latents = code_latents(alignment, golden_vectors(), ranges)
    segments = [
        golden_segment(frames[where.start : where.stop], coded)
        for where, coded in zip(ranges, latents, strict=True)
    ]
    path = FOLDER / "nervid_v1.nerv"
    save(assemble(clip, ranges, segments, {"nervid": "0.1.0"}, alignment=alignment.to_bytes()), path)
    with nervid.open(path, precision="float32") as video:
        np.save(FOLDER / "nervid_v1.npy", video[:].numpy())
        for name, size in SMALLER.items():
            drawn = [video.frame_at(video.seconds_of(i), size=size) for i in range(len(video))]
            np.save(FOLDER / f"nervid_v1_{name}.npy", torch.stack(drawn).numpy())
    with NervFile.open(path) as file:
        np.save(FOLDER / "nervid_v1_vectors.npy", read_vectors(file))
    print(path.stat().st_size, "bytes;", [round(segment.psnr_db, 2) for segment in segments], "dB")


if __name__ == "__main__":
    main()
