"""What the benchmark of Latent-INR measures of files: quality, pictures between and above, speed, search."""

import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import nervid
from benchmarks.latent_clips import Frames
from nervid.container import ALGN, NervFile
from nervid.decoder.half import run_in_half
from nervid.decoder.network import draw_frame
from nervid.models.config import LatentInrConfig, ModelConfig
from nervid.models.registry import build
from nervid.models.representation import in_channels_last
from nervid.models.sizing import macs_per_pixel, parameter_count
from nervid.teachers import load_teacher

TIMED_FRAMES = 40


def encoded(frames: Frames, path: Path, **options: Any) -> dict[str, Any]:  # noqa: ANN401 - encode's own
    """Encode and save; return what the report says."""
    result = nervid.encode(nervid.read(frames), seed=1, **options)
    result.save(path)
    facts = result.report
    row: dict[str, Any] = {
        "bytes": path.stat().st_size,
        "psnr_db": round(facts.psnr_db, 2),
        "seconds": round(facts.seconds, 1),
        "parameters": facts.parameters,
    }
    if facts.alignment_cosine is not None:
        row["cosine"] = round(facts.alignment_cosine, 4)
    return row


def fps(path: Path) -> float:
    """Frames per second of a file's first frames, one by one, after the first."""
    with nervid.open(path) as video:
        seconds = []
        for index in range(min(TIMED_FRAMES, len(video))):
            started = time.perf_counter()
            video[index]
            seconds.append(time.perf_counter() - started)
    return round(1 / statistics.median(seconds[1:]), 1)


def network_fps(config: ModelConfig) -> float:
    """Frames per second of a network of random weights, all of it in bfloat16, one by one."""
    network = run_in_half(in_channels_last(build(config).requires_grad_(False).eval()), 0)
    seconds = []
    for index in range(12):
        started = time.perf_counter()
        draw_frame(network, index % config.frames)
        seconds.append(time.perf_counter() - started)
    return round(1 / statistics.median(seconds[2:]), 1)


def between_db(frames: Frames, every: int, path: Path) -> tuple[float, int]:
    """PSNR of the frames that were left out, drawn from their neighbors' latents mixed by time; how many."""
    quality = []
    with nervid.open(path) as video:
        for index in range((len(video) - 1) * every):
            first, between = divmod(index, every)
            if between:
                quality.append(_psnr(video.mix(first, first + 1, between / every), frames[index]))
    return round(statistics.mean(quality), 2), len(quality)


def doubled_db(large: Frames, path: Path, every: int = 4) -> tuple[float, float]:
    """PSNR at twice a file's size: drawn so, and its frames enlarged by Pillow's bicubic filter."""
    drawn, bicubic = [], []
    with nervid.open(path) as video:
        rows, columns = large.shape[1:3]
        for index in range(0, len(video), every):
            drawn.append(_psnr(video.frame_at(video.seconds_of(index), size=(rows, columns)), large[index]))
            picture = Image.fromarray(video[index].permute(1, 2, 0).numpy())
            resized = np.asarray(picture.resize((columns, rows), Image.Resampling.BICUBIC)).copy()
            bicubic.append(_psnr(torch.from_numpy(resized).permute(2, 0, 1), large[index]))
    return round(statistics.mean(drawn), 3), round(statistics.mean(bicubic), 3)


def alignment_share(path: Path) -> float:
    """Share of a file that its alignment adds: the section with the head and the teacher's record."""
    with NervFile.open(path) as file:
        return round(len(file.read(ALGN)) / file.size_bytes, 4)


def search_milliseconds(path: Path, query: str) -> float:
    """Time of a query on one file once the teacher is ready, the median of five."""
    teacher = load_teacher("conse")
    teacher.text(["anything"])
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        nervid.search([path], query, teacher=teacher)
        seconds.append(time.perf_counter() - started)
    return round(1e3 * statistics.median(seconds), 1)


def speeds() -> list[dict[str, Any]]:
    """Networks of random weights, all in bfloat16: pixel-wise of several widths, patch-wise at 640x360."""
    from nervid.models.sizing import solve

    small = solve("latent-inr-pixel", frames=132, height=160, width=320, parameters=340_000)
    assert isinstance(small, LatentInrConfig)
    configs: dict[str, ModelConfig] = {"pixel-wise, 340 thousand numbers": small}
    for width in (256, 512):
        wide = replace(small, stem_width=width, channels=width, lower_width=width)
        configs[f"pixel-wise, six layers of {width}"] = wide
    for parameters, words in ((750_000, "0.75 million"), (1_500_000, "1.5 million")):
        for family in ("hnerv", "latent-inr"):
            name = f"{family}, {words} numbers"
            configs[name] = solve(family, frames=132, height=360, width=640, parameters=parameters)
    return [
        {
            "network": name,
            "size": f"{config.width}x{config.height}",
            "parameters": parameter_count(config),
            "thousand MACs a pixel": round(macs_per_pixel(config) / 1e3, 1),
            "fps": network_fps(config),
        }
        for name, config in configs.items()
    ]


def _psnr(drawn: torch.Tensor, truth: np.ndarray) -> float:
    error = (drawn.permute(1, 2, 0).double() - torch.from_numpy(truth.copy())).square().mean() / 255**2
    return float(-10 * torch.log10(error))
