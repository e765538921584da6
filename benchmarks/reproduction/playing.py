"""Play a .nerv file in a process of its own: its size, its quality, and how fast frames come.

python -m benchmarks.reproduction.playing a.nerv frames.npy --device cuda

``frames.npy`` holds the originals, uint8 [frames, height, width, 3]. Prints one JSON object.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.bars import ROOT
from benchmarks.reproduction.quality import measure
from nervid.container import EMBD, MODL, WGHT, NervFile
from nervid.decoder import open as open_nerv
from nervid.decoder.half import first_half_block, run_in_half
from nervid.decoder.network import half_from, load_network
from nervid.errors import InputError
from nervid.metrics.rate import bits_per_pixel
from nervid.models.representation import Representation

LARGE_BATCH = 16
"""Frames that are drawn at once beside one by one."""
MOST_PIXELS_ON_CPU = 2**21
"""A batch of more pixels is not drawn at once on the CPU: its activations would take tens of gigabytes."""


def play(file: Path, originals: Path, device: str) -> dict[str, Any]:
    """Measure a file of one segment.

    Args:
        file: The .nerv file.
        originals: The frames that it was fitted to, as ``.npy``.
        device: Where networks run.

    Returns:
        ``size_bytes``, ``bits_per_pixel``, the fields of ``Quality``, ``open_seconds`` and
        ``first_frame_seconds`` (from the opened file to its first frame in memory; the process is fresh, but
        libraries and the device have been started), and ``frames_per_second``: ``decoder`` one by one into
        memory; ``network_1`` and ``network_16`` the network alone, as the decoder runs it, its uint8 frames
        left on the device.
    """
    frames = torch.from_numpy(np.load(originals)).permute(0, 3, 1, 2)
    place = torch.device(device)
    torch.zeros(1, device=place)
    _wait(place)
    start = time.perf_counter()
    with open_nerv(file, device=device) as decoder:
        opened = time.perf_counter()
        drawn = torch.empty_like(frames)
        drawn[0] = decoder[0]
        first = time.perf_counter()
        for index in range(len(decoder)):
            drawn[index] = decoder[index]
        ended = time.perf_counter()
    network, size = _network(file, place), os.stat(file).st_size
    quality = measure(
        lambda index: network(torch.tensor([index], device=place))[0], frames.to(place), drawn.to(place)
    )
    count, _, height, width = frames.shape
    return {
        "size_bytes": size,
        "bits_per_pixel": bits_per_pixel(size, count, height, width),
        **asdict(quality),
        "open_seconds": opened - start,
        "first_frame_seconds": first - opened,
        "frames_per_second": {
            "decoder": count / (ended - first),
            **_network_speeds(network, height * width),
        },
    }


def play_apart(file: Path, originals: Path, device: str) -> dict[str, Any]:
    """Do :func:`play` in a fresh process.

    Raises:
        InputError: If it fails; the message ends in its last line.
    """
    words = [sys.executable, "-m", "benchmarks.reproduction.playing", str(file), str(originals)]
    paths = [str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    done = subprocess.run(
        [*words, "--device", device], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise InputError(f"{file} could not be played (exit code {done.returncode}): {last}")
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def _network(file: Path, place: torch.device) -> Representation[Any]:
    """The network of the file's only segment, as a decoder would run it."""
    nerv = NervFile.open(file)
    try:
        modl = nerv.read(MODL, 0)
        embeddings = nerv.read(EMBD, 0) if nerv.has(EMBD, 0) else None
        (count,) = nerv.header.segments
        network = load_network(modl, nerv.read(WGHT, 0), embeddings, frames=count).to(place)
        return run_in_half(network, first_half_block("auto", half_from(modl), place))
    finally:
        nerv.close()


def _network_speeds(network: Representation[Any], pixels: int) -> dict[str, float | None]:
    """Frames per second of a pass over all frames, one by one and in large batches."""
    place = next(network.parameters()).device
    fits = place.type != "cpu" or LARGE_BATCH * pixels <= MOST_PIXELS_ON_CPU
    return {
        "network_1": _speed(network, 1, place),
        f"network_{LARGE_BATCH}": _speed(network, LARGE_BATCH, place) if fits else None,
    }


def _speed(network: Representation[Any], size: int, place: torch.device) -> float | None:
    """Frames per second in full batches, one to warm up; None where a batch does not fit into memory."""
    count = max(network.config.frames // size, 1) * min(size, network.config.frames)
    batches = torch.split(torch.arange(count, device=place), size)

    def draw(some: Sequence[Tensor]) -> None:
        for indices in some:
            (network(indices) * 255).round_().to(torch.uint8)

    try:
        with torch.inference_mode():
            _timed(lambda: draw(batches[:1]), place)
            seconds = _timed(lambda: draw(batches), place)
    except torch.OutOfMemoryError:
        return None
    return float(count / seconds)


def _timed(work: Callable[[], None], place: torch.device) -> float:
    _wait(place)
    start = time.perf_counter()
    work()
    _wait(place)
    return time.perf_counter() - start


def _wait(place: torch.device) -> None:
    """Let the device finish what it was given."""
    if place.type == "cuda":
        torch.cuda.synchronize(place)


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description="Play a .nerv file and print what was measured as JSON.")
    parser.add_argument("file", type=Path)
    parser.add_argument("originals", type=Path)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args(arguments)
    print(json.dumps(play(options.file, options.originals, options.device)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
