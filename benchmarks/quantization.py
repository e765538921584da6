"""What quantization and pruning cost on the bundled clip, and which bit depth and sparsity pay at one size.

python -m benchmarks.quantization [--epochs 40]

First a network in float weights, then quantized to 6 bits and fine-tuned, no size asked. Then files of one
size with networks of more or fewer weights: bits 4 to 8, and pruned ones. Writes
benchmarks/results/quantization.json and the codes of the 6-bit network to benchmarks/results/codes.npz, on
which benchmarks/entropy_coders.py can be run; adds a row to benchmarks/bars.json.
"""

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import nervid
from benchmarks.bars import commit, hardware, record
from nervid.decoder.network import draw_frame
from nervid.encoder.budget import plan_network
from nervid.fit.recipe import FINETUNE_SHARE, RECIPES, Effort
from nervid.fit.segment import FittedSegment, Hooks, SegmentPlan, fit_float, fit_segment
from nervid.hardware import grow_on_huge_pages
from nervid.models.registry import build
from nervid.models.representation import EMBEDDINGS, Representation

RESULTS = Path("benchmarks/results")
BUDGET_BYTES = 95_000
"""What the demo leaves for weights and embeddings."""
VARIANTS = [(4, 0.0), (5, 0.0), (6, 0.0), (7, 0.0), (8, 0.0), (6, 0.2), (6, 0.4)]
"""Bits and sparsity of the files of one size."""


def mean_psnr(network: Representation[Any], frames: Tensor) -> float:
    """PSNR of the uint8 frames that a network draws, mean over frames, in dB."""
    drawn = torch.stack([draw_frame(network, index) for index in range(len(frames))])
    return float(nervid.psnr(frames, drawn).mean())


def quantized_network(fitted: FittedSegment) -> Representation[Any]:
    """The network that a decoder would build."""
    network = build(fitted.config)
    parameters = dict(network.named_parameters())
    names = [name for name in parameters if name != EMBEDDINGS]
    with torch.no_grad():
        for name, tensor in zip(names, fitted.weights, strict=True):
            parameters[name].copy_(tensor.values())
        for tensor in fitted.embeddings:
            parameters[EMBEDDINGS].copy_(tensor.values())
    return network


def coded_size(fitted: FittedSegment) -> int:
    """Bytes of the sections WGHT and EMBD."""
    from nervid.compress.streams import encode_tensors

    return len(encode_tensors(fitted.weights)) + len(encode_tensors(fitted.embeddings))


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=40)
    epochs = parser.parse_args().epochs
    command = f"python -m benchmarks.quantization --epochs {epochs}"
    grow_on_huge_pages()
    frames = torch.from_numpy(nervid.read(nervid.demo_clip()).load()).permute(0, 3, 1, 2)
    count, height, width = len(frames), *frames.shape[2:]

    def plan(bits: int, sparsity: float, target: int | None) -> SegmentPlan:
        config = nervid.EncodeConfig(model="hnerv", bits=bits, sparsity=sparsity)
        return SegmentPlan(
            model=plan_network(config, frames=count, height=height, width=width, budget_bytes=BUDGET_BYTES),
            recipe=RECIPES["quick"],
            effort=Effort(epochs=epochs, minimum_steps=1),
            bits=bits,
            sparsity=sparsity,
            target_bytes=target,
            seed=1,
            precision="auto",
            device="cpu",
        )

    # All epochs in float weights, then a quarter as many of fine-tuning: what quantization itself costs.
    apart = replace(RECIPES["quick"], float_share=1.0, finetune_rate=0.3)
    free = replace(plan(6, 0.0, None), recipe=apart)
    float_db = mean_psnr(fit_float(frames, free, Hooks()), frames)
    fitted = fit_segment(frames, free, Hooks())
    six_db = mean_psnr(quantized_network(fitted), frames)
    loss = float_db - six_db
    longer = replace(free, effort=Effort(epochs=round(epochs * (1 + FINETUNE_SHARE)), minimum_steps=1))
    longer_db = mean_psnr(fit_float(frames, longer, Hooks()), frames)
    print(f"float {float_db:.2f} dB, 6 bits {six_db:.2f} dB in {coded_size(fitted)} bytes", flush=True)
    print(f"float for as many steps as fit and fine-tuning together {longer_db:.2f} dB", flush=True)
    tensors = [tensor for tensor in [*fitted.weights, *fitted.embeddings] if tensor.grid.bits == free.bits]
    RESULTS.mkdir(exist_ok=True)
    arrays: dict[str, Any] = {f"tensor{i:03d}": t.codes.numpy() for i, t in enumerate(tensors)}
    np.savez_compressed(RESULTS / "codes.npz", **arrays)
    record(
        "core",
        "loss of 6-bit weights, fine-tuned, against float, bundled clip",
        round(loss, 3),
        "dB",
        "< 0.3",
        loss < 0.3,
        command,
    )
    rows = []
    for bits, sparsity in VARIANTS:
        fitted = fit_segment(frames, plan(bits, sparsity, BUDGET_BYTES), Hooks())
        row = {
            "bits": bits,
            "sparsity": sparsity,
            "numbers": sum(t.codes.numel() for t in [*fitted.weights, *fitted.embeddings]),
            "bytes": coded_size(fitted),
            "psnr_db": mean_psnr(quantized_network(fitted), frames),
        }
        rows.append(row)
        print(row, flush=True)
    facts = {
        "command": command,
        "commit": commit(),
        "hardware": asdict(hardware()),
        "float_psnr_db": float_db,
        "float_longer_psnr_db": longer_db,
        "six_bit_psnr_db": six_db,
        "rows": rows,
    }
    (RESULTS / "quantization.json").write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
