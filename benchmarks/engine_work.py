"""One measurement of the engine in a process of its own: prints one JSON object.

python -m benchmarks.engine_work step hnerv fast

``fast`` is what nervid does. ``plain`` is the same network and the same mathematics as PyTorch runs them when
told nothing: float32, NCHW, eager, the default allocator, a shuffle before the head, the library's
own gradient of depthwise windows.
"""

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own idiom
from PIL import Image
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import nervid
from nervid.decoder.half import run_in_half
from nervid.decoder.network import NEVER_HALF, draw_frame
from nervid.encoder.budget import plan_network
from nervid.encoder.config import EncodeConfig
from nervid.fit import distortion_trainer
from nervid.fit.distortion_trainer import DistortionTrainer
from nervid.fit.loss import psnr_of
from nervid.fit.phase import Phase
from nervid.fit.recipe import RECIPES, Effort
from nervid.fit.segment import Hooks, SegmentPlan, fit_float
from nervid.hardware import reuse_freed_memory
from nervid.models import blocks, depthwise, head
from nervid.models.config import HnervConfig, ModelConfig
from nervid.models.papers import hnerv_paper, nerv_paper
from nervid.models.registry import build, build_encoder
from nervid.models.representation import EMBEDDINGS, Representation, in_channels_last
from nervid.models.sizing import embedding_count, parameter_count

BUNNY_FRAMES = 132
QUALITY_CHANNELS = 43
"""Makes 341,481 numbers, embeddings included; the published code's network has 341.5 thousand."""
QUALITY_EPOCHS = 12
CEILING_CHANNELS, CEILING_ROWS, CEILING_COLUMNS = 128, 180, 320


def main() -> None:
    """Run the measurement that the arguments name."""
    work, *rest = sys.argv[1:]
    print(json.dumps(WORK[work](*rest)))


def step(model: str, path: str) -> dict[str, Any]:
    """Time training steps at the paper's batch size, and count the work of one."""
    fit, _ = _trainer(model, path, frames=8)
    warm, timed = (3, 9) if path == "fast" else (1, 3)
    seconds = _times(fit._step, warm, timed)
    counter = FlopCounterMode(display=False)
    if path == "plain":
        with counter:
            fit._step()
    return {"seconds": statistics.median(seconds), "gflop": counter.get_total_flops() / 1e9}


def memory(model: str, path: str) -> dict[str, Any]:
    """Take a few steps with the paper's whole clip in memory; the process's peak is the answer."""
    fit, _ = _trainer(model, path, frames=BUNNY_FRAMES)
    for _ in range(6):
        fit._step()
    return {"gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9}


def decode(model: str, path: str) -> dict[str, Any]:
    """Time single frames, in bfloat16 from each block on; the last entry of ``fps`` is all float32."""
    config = _paper(model)
    if path == "plain":
        _be_plain()
    else:
        reuse_freed_memory()
    firsts = [NEVER_HALF] if path == "plain" else [*range(len(config.strides)), NEVER_HALF]
    fps, gflop = {}, 0.0
    for first in firsts:
        network = build(config).eval().requires_grad_(False)
        if config.name == "hnerv":
            dict(network.named_parameters())[EMBEDDINGS].normal_()
        if path == "fast":
            network = run_in_half(in_channels_last(network), first)
        half = first < NEVER_HALF
        seconds = _times(lambda network=network: draw_frame(network, 1), 2, 15 if half else 3)  # type: ignore[misc]
        fps[str(first)] = 1 / statistics.median(seconds)
        if path == "plain":
            with FlopCounterMode(display=False) as counter:
                draw_frame(network, 1)
            gflop = counter.get_total_flops() / 1e9
    return {"fps": fps, "gflop": gflop}


def ceiling() -> dict[str, Any]:
    """Time the convolution that runs best here, 3x3 with 128 channels: what arithmetic alone would allow."""
    reuse_freed_memory()
    count, dtype = CEILING_CHANNELS, torch.bfloat16
    last = torch.channels_last
    features = torch.randn(1, count, CEILING_ROWS, CEILING_COLUMNS, dtype=dtype).to(memory_format=last)
    weight = torch.randn(count, count, 3, 3, dtype=dtype).to(memory_format=last)
    gradient = torch.randn_like(features)
    gflop = 2 * 9 * count * count * CEILING_ROWS * CEILING_COLUMNS / 1e9

    def forward() -> Tensor:
        return F.conv2d(features, weight, padding=1)

    def backward() -> object:
        return torch.ops.aten.convolution_backward(
            gradient, features, weight, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, [True, True, False]
        )

    forward_seconds = statistics.median(_times(forward, 5, 21))
    both = forward_seconds + statistics.median(_times(backward, 5, 21))
    return {"forward_gflops": gflop / forward_seconds, "training_gflops": 3 * gflop / both}


def accuracy(precision: str) -> dict[str, Any]:
    """Fit the demo clip for 20 epochs in a precision; the network's PSNR in float32 is the answer."""
    reuse_freed_memory()
    clip = nervid.read(nervid.demo_clip())
    frames = torch.from_numpy(clip.load()).permute(0, 3, 1, 2)
    model = plan_network(
        EncodeConfig(model="hnerv"),
        frames=len(frames),
        height=frames.shape[2],
        width=frames.shape[3],
        budget_bytes=100_000,
    )
    plan = SegmentPlan(
        model=model,
        recipe=replace(RECIPES["hnerv"], float_share=1.0),
        effort=Effort(epochs=20, minimum_steps=1),
        bits=6,
        sparsity=0.0,
        target_bytes=None,
        seed=0,
        precision=precision,  # type: ignore[arg-type]
        device="cpu",
    )
    network = fit_float(frames, plan, Hooks()).eval()
    return {"psnr_db": _psnr_db(network, frames)}


def quality(clip: str, seed: str) -> dict[str, Any]:
    """Fit a network of 0.34 million numbers to the clip's centre at a quarter of its size.

    The frames are those of the measurement of the published code: the centre 1280x640, shrunk to 320x160 by
    Pillow's bicubic filter, and the network has the same strides and number of parameters. The recipe is
    ``quick``, all epochs in float weights, the encoder along. The time is that of the fit, reading the clip
    left out.
    """
    reuse_freed_memory()
    pictures = [
        np.asarray(Image.fromarray(frame[40:680]).resize((320, 160), Image.Resampling.BICUBIC))
        for frame in nervid.read(clip).iter_frames()
    ]
    frames = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    model = HnervConfig(
        frames=len(frames),
        height=160,
        width=320,
        base_height=2,
        base_width=4,
        strides=(5, 4, 2, 2),
        channels=QUALITY_CHANNELS,
    )
    plan = SegmentPlan(
        model=model,
        recipe=replace(RECIPES["quick"], float_share=1.0),
        effort=Effort(epochs=QUALITY_EPOCHS, minimum_steps=1),
        bits=8,
        sparsity=0.0,
        target_bytes=None,
        seed=int(seed),
        precision="auto",
        device="cpu",
    )
    started = time.perf_counter()
    network = fit_float(frames, plan, Hooks()).eval()
    return {
        "seconds": time.perf_counter() - started,
        "psnr_db": _psnr_db(network, frames),
        "epochs": QUALITY_EPOCHS,
        "numbers": parameter_count(model) + embedding_count(model),
    }


def latency(file: str) -> dict[str, Any]:
    """Time from opening a file to its first frame, then a frame far away, in a fresh process."""
    started = time.perf_counter()
    with nervid.open(file) as video:
        frame = video[0]
        first = time.perf_counter()
        video[len(video) - 1]
        return {
            "first_ms": 1e3 * (first - started),
            "next_ms": 1e3 * (time.perf_counter() - first),
            "shape": list(frame.shape),
        }


def _trainer(model: str, path: str, *, frames: int) -> tuple[DistortionTrainer, ModelConfig]:
    config = _paper(model)
    fast = path == "fast"
    if fast:
        reuse_freed_memory()
    else:
        _be_plain()
    network = build(config)
    encoder = build_encoder(config) if config.name == "hnerv" else None  # type: ignore[arg-type]
    parameters = {f"network.{name}": weight for name, weight in network.named_weights()}
    if encoder is not None:
        parameters |= {f"encoder.{name}": weight for name, weight in encoder.named_parameters()}
    shape = (frames, config.height, config.width, 3)
    clip = torch.randint(0, 256, shape, dtype=torch.uint8).permute(0, 3, 1, 2)
    if fast:
        in_channels_last(network)
        if encoder is not None:
            in_channels_last(encoder)
    else:
        clip = clip.contiguous()

    def draw(indices: Tensor, target: Tensor) -> list[Tensor]:
        return network.draw_resolutions(network.embed(indices) if encoder is None else encoder(target))

    made = DistortionTrainer(
        Phase(
            name="fit",
            recipe=RECIPES["hnerv" if encoder is not None else "nerv"],
            steps=1000,
            peak_rate=1e-3,
            warmup=0.2,
            seed=0,
            precision="auto" if fast else "float32",
        ),
        parameters=parameters,
        draw=draw,
        frames=clip,
    )
    return made, config


def _psnr_db(network: Representation[Any], frames: Tensor) -> float:
    """Mean over frames of the unrounded images' PSNR, network in float32."""
    errors = []
    with torch.inference_mode():
        for index in range(len(frames)):
            drawn = network(torch.tensor([index]))[0]
            errors.append(float((drawn - frames[index] / 255).square().mean()))
    return sum(psnr_of(error) for error in errors) / len(errors)


def _paper(model: str) -> ModelConfig:
    if model == "tiny":
        return hnerv_paper(0.05, frames=8, height=80, width=160)
    return hnerv_paper(1.5) if model == "hnerv" else nerv_paper("S")


def _be_plain() -> None:
    """Undo what nervid does for speed; the order of shuffled channels does not matter for time."""
    depthwise.TILE = 2**30
    head.LARGEST_FOLDED_STRIDE = 0
    distortion_trainer.PIXELS_AT_ONCE = 2**30
    for module in (blocks, head):
        setattr(module, "pixel_shuffle", F.pixel_shuffle)  # noqa: B010 - not theirs to export


def _times(run: Callable[[], object], warm: int, timed: int) -> list[float]:
    seconds = []
    for turn in range(warm + timed):
        started = time.perf_counter()
        run()
        if turn >= warm:
            seconds.append(time.perf_counter() - started)
    return seconds


WORK: dict[str, Callable[..., dict[str, Any]]] = {
    "step": step,
    "memory": memory,
    "decode": decode,
    "ceiling": ceiling,
    "accuracy": accuracy,
    "quality": quality,
    "latency": latency,
}

if __name__ == "__main__":
    main()
