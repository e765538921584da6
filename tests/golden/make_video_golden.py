"""Make the golden .nerv files of format version 1 with real networks, and what they must decode to.

UPDATE_GOLDEN=1 python -m tests.golden.make_video_golden

Only for a new format version: the files of a released version are never made anew.
"""

import os
import sys
from pathlib import Path

import numpy as np

import nervid

FOLDER = Path(__file__).parent


def main() -> None:
    """Write one file for each representation, and beside each the frames that this machine draws."""
    if os.environ.get("UPDATE_GOLDEN") != "1":
        sys.exit("golden files are kept forever; set UPDATE_GOLDEN=1 to replace them")
    rows, columns = np.mgrid[0:24, 0:40]
    frames = np.stack(
        [np.stack([columns * 6, rows * 9 + 5 * i, (rows + columns + 20 * i) % 256]) for i in range(5)]
    ).astype(np.uint8)
    clip = nervid.read(frames, frame_rate=10)
    for model in ("hnerv", "nerv", "latent-inr"):
        encoded = nervid.encode(
            clip, size="6kB", epochs=60, model=model, max_segment_frames=3, precision="float32", device="cpu"
        )
        path = encoded.save(FOLDER / f"{model}_v1.nerv")
        with nervid.open(path) as video:
            np.save(FOLDER / f"{model}_v1.npy", video[:].numpy())


if __name__ == "__main__":
    main()
