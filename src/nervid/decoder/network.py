"""A segment's three sections to the network that draws its frames, and frames out of the network."""

import json
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from nervid.compress.streams import decode_tensors
from nervid.errors import CorruptSectionError
from nervid.models.config import ModelConfig, from_json, to_json
from nervid.models.registry import build
from nervid.models.representation import EMBEDDINGS, Representation, in_channels_last
from nervid.models.sizing import embedding_count, parameter_count

VALUES_PER_BYTE, SPARE_VALUES = 1024, 1 << 20
"""A section of n bytes may hold at most 1024 n + 2**20 numbers; more is refused before allocating. Real ones
hold below 4 a byte; only constant tensors come near the limit."""


def model_to_json(config: ModelConfig) -> dict[str, Any]:
    """Return what section MODL stores of a segment."""
    return {"model": to_json(config)}


def load_network(modl: bytes, wght: bytes, embd: bytes | None, *, frames: int) -> Representation[Any]:
    """Build a segment's network from its sections.

    Args:
        modl: Payload of MODL.
        wght: Payload of WGHT.
        embd: Payload of EMBD, None for a representation without stored embeddings.
        frames: Frames of the segment according to the header.

    Returns:
        The network in evaluation mode, float32, channels-last, on the CPU.

    Raises:
        FormatError: If the configuration or the streams are damaged or ask for more than their bytes can
        hold.
    """
    config = _read_config(modl)
    if config.frames != frames:
        raise CorruptSectionError(
            f"section MODL: wanted a network of {frames} frames, as the header says, "
            f"got one of {config.frames}; encode the file again"
        )
    for tag, count, data in (
        ("WGHT", parameter_count(config), wght),
        ("EMBD", embedding_count(config), embd or b""),
    ):
        if count > VALUES_PER_BYTE * len(data) + SPARE_VALUES:
            raise CorruptSectionError(
                f"section {tag}: {len(data)} bytes cannot hold {count} numbers; copy or encode the file again"
            )
    network = build(config)
    parameters = dict(network.named_parameters())
    weights = [name for name in parameters if name != EMBEDDINGS]
    names_of = [(weights, wght)]
    if embd is not None and EMBEDDINGS in parameters:
        names_of.append(([EMBEDDINGS], embd))
    elif (embd is None) != (EMBEDDINGS not in parameters):
        raise CorruptSectionError(
            "section EMBD: present for a network that needs none, or missing; encode again"
        )
    with torch.no_grad():
        for names, data in names_of:
            tensors = decode_tensors(data, [tuple(parameters[name].shape) for name in names])
            for name, tensor in zip(names, tensors, strict=True):
                parameters[name].copy_(tensor.values())
    return in_channels_last(network.requires_grad_(False).eval())


def draw_frame(network: Representation[Any], index: int) -> UInt8[Tensor, "3 height width"]:
    """Draw one frame of the segment, on the network's device.

    Frames are drawn one by one on purpose: convolution kernels sum in another order for another batch size,
    and a frame's bits must not depend on what else is asked for.
    """
    return (draw_float_frame(network, index) * 255).round_().clamp_(0, 255).to(torch.uint8)


def draw_float_frame(network: Representation[Any], index: int) -> Tensor:
    """Draw one frame of the segment as float32 [3, height, width] in [0, 1], before rounding."""
    device = next(network.parameters()).device
    with torch.inference_mode():
        image: Tensor = network(torch.tensor([index], device=device))[0]
    return image


def _read_config(modl: bytes) -> ModelConfig:
    try:
        value = json.loads(modl.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise CorruptSectionError("section MODL: not JSON; copy or encode the file again") from error
    if not isinstance(value, dict) or not isinstance(value.get("model"), dict):
        raise CorruptSectionError("section MODL: no model configuration in it; copy or encode the file again")
    return from_json(value["model"])
