"""Play a .nerv file in a process of its own: its first frame, how fast frames come, its quality.

python -m benchmarks.codec_play a.nerv                  # speed alone
python -m benchmarks.codec_play a.nerv original.npz     # quality too

``original.npz`` holds ``frames``, uint8 [frames, height, width, 3], as :func:`save` writes it. Prints one
JSON object.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
from torch import Tensor

import nervid
from benchmarks.bars import ROOT
from benchmarks.codec_clips import Frames
from nervid.compare.quality import measure
from nervid.container import MODL, NervFile
from nervid.decoder import Decoder
from nervid.errors import InputError
from nervid.models.config import from_json
from nervid.models.sizing import macs_per_pixel

_BATCH: Final = 8


def play(file: Path, originals: Path | None = None) -> dict[str, Any]:
    """Draw all frames of a file, in order.

    Args:
        file: The .nerv file.
        originals: The frames it was made from, as :func:`save` keeps them; None measures no quality.

    Returns:
        ``bytes`` of the file; ``first_frame_ms``, from opening it to its first frame in memory, libraries
        being loaded; ``fps``, its frames over the time from opening it to the last one, entropy decoding
        included; ``macs_per_pixel``, the most of a segment; ``psnr_db`` and ``ms_ssim``, means over frames,
        the latter None for frames too small for it.
    """
    quality: dict[str, float | None] = {}
    started = time.perf_counter()
    with nervid.open(file) as video:
        first = video[:1]
        first_seconds = time.perf_counter() - started
        if originals is None:
            for _ in _others(video):
                pass
            seconds = time.perf_counter() - started
        else:
            clip = nervid.read(np.load(originals)["frames"])
            found, other_seconds = measure(clip, chain([first], _others(video)), name=str(file))
            seconds = first_seconds + other_seconds
            quality = {"psnr_db": found.mean_psnr_db, "ms_ssim": found.mean_ms_ssim}
        count = len(video)
    return {
        "bytes": os.stat(file).st_size,
        "first_frame_ms": round(1000 * first_seconds, 1),
        "fps": round(count / seconds, 1),
        "macs_per_pixel": round(macs(file), 1),
        **quality,
    }


def macs(file: Path) -> float:
    """Return the multiply-accumulates a pixel of a file's networks, the most of a segment."""
    with NervFile.open(file) as nerv:
        models = [json.loads(nerv.read(MODL, number)) for number in range(len(nerv.header.segments))]
    return max(macs_per_pixel(from_json(model["model"])) for model in models)


def save(frames: Frames, path: Path) -> Path:
    """Keep the originals for :func:`play`."""
    np.savez(path, frames=frames)
    return path


def play_apart(file: Path, originals: Path | None = None) -> dict[str, Any]:
    """Do :func:`play` in a fresh process.

    Raises:
        InputError: If it fails; the message ends in its last line.
    """
    words = [sys.executable, "-m", "benchmarks.codec_play", str(file.resolve())]
    words += [] if originals is None else [str(originals.resolve())]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise InputError(f"{file} could not be played (exit code {done.returncode}): {last}")
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def _others(video: Decoder) -> Iterator[Tensor]:
    """All frames but the first."""
    return (video[start : start + _BATCH] for start in range(1, len(video), _BATCH))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description="Play a .nerv file and print what was measured as JSON.")
    parser.add_argument("file", type=Path)
    parser.add_argument("originals", type=Path, nargs="?")
    options = parser.parse_args(arguments)
    print(json.dumps(play(options.file, options.originals)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
