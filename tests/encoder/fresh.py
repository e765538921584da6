"""Play an encoded clip in a process that knows nothing but its file."""

import subprocess
import sys
from pathlib import Path

import numpy as np

import nervid

PROGRAM = """
import nervid, numpy, torch
truth = torch.from_numpy(numpy.load('truth.npy')).permute(0, 3, 1, 2)
with nervid.open('a.nerv') as video:
    drawn = [video[index] for index in reversed(range(len(video)))]
with nervid.open('a.nerv') as video:
    again = video[:]
assert all(torch.equal(one, other) for one, other in zip(again, reversed(drawn)))
print(float(nervid.psnr(truth, again).mean()))
"""


def psnr_when_played(encoded: nervid.Encoded, frames: np.ndarray, folder: Path) -> float:
    """Draw all frames from last to first, then from first to last, which has to be the same; in ``folder``.

    Returns:
        Mean PSNR against ``frames``, in dB.
    """
    encoded.save(folder / "a.nerv")
    np.save(folder / "truth.npy", frames)
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=folder, capture_output=True, text=True, check=True
    )
    return float(run.stdout)
