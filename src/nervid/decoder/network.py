"""A segment's three sections to the network that draws its frames, and frames out of the network."""

import json
from math import ceil, prod
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from nervid.compress.feature_sections import decode_feature_grids, split_latents
from nervid.compress.streams import decode_tensors
from nervid.decoder.arriving import ArrivingGrids
from nervid.decoder.resample import resample
from nervid.errors import CorruptSectionError, InputError
from nervid.initializations import Initialization, base_for
from nervid.models.blocks import at_least_float32
from nervid.models.config import ModelConfig, NervidConfig, from_json, to_json
from nervid.models.nervid import GRIDS, Nervid
from nervid.models.registry import build_empty
from nervid.models.representation import EMBEDDINGS, Representation, in_channels_last
from nervid.models.sizing import embedding_count, parameter_count

VALUES_PER_BYTE, SPARE_VALUES = 1024, 1 << 20
"""A section of n bytes may hold at most 1024 n + 2**20 numbers; more is refused before allocating. Real ones
hold below 4 a byte; only constant tensors come near the limit."""
ROWS_AT_ONCE = 32
"""Rows of a frame that are turned into bytes together: few enough to stay in a core's cache."""
NEVER_HALF = 9
"""Value of ``half_from`` above the number of any network's blocks: all of them run in float32."""


def model_to_json(config: ModelConfig, half_from: int = NEVER_HALF) -> dict[str, Any]:
    """Return what section MODL stores of a segment.

    Args:
        config: The network.
        half_from: First block, counted from 0, from which on bfloat16 is exact enough; see
            ``nervid.decoder.half``. One digit, so that the length is known before the network is fitted.
    """
    return {"half_from": half_from, "model": to_json(config)}


def half_from(modl: bytes) -> int:
    """Return the first block that section MODL allows to run in bfloat16; ``NEVER_HALF`` allows none.

    Raises:
        FormatError: If the section is damaged.
    """
    value = _read_object(modl).get("half_from", NEVER_HALF)
    if type(value) is not int or not 0 <= value <= NEVER_HALF:
        raise CorruptSectionError(
            f"section MODL: half_from must be 0 to {NEVER_HALF}, got {value!r}; encode the file again"
        )
    return value


def load_network(
    modl: bytes,
    wght: bytes,
    embd: bytes | None,
    *,
    frames: int,
    initialization: Initialization | None = None,
    is_gradual: bool = False,
) -> Representation[Any]:
    """Build a segment's network from its sections.

    Args:
        modl: Payload of MODL.
        wght: Payload of WGHT.
        embd: Payload of EMBD, None for a representation without stored embeddings.
        frames: Frames of the segment according to the header.
        initialization: The one that the header names, from which WGHT holds changes; None where it names
            none.
        is_gradual: Whether feature grids, where their order allows it, are decoded no further than the frames
            that are drawn need; one that is damaged then shows when it is reached.

    Returns:
        The network in evaluation mode, float32, channels-last, on the CPU.

    Raises:
        FormatError: If the configuration or the streams are damaged or ask for more than their bytes can
        hold.
    """
    config = _read_config(modl, frames)
    _check_count("WGHT", parameter_count(config), wght)
    _check_count("EMBD", embedding_count(config), embd or b"")
    network = build_empty(config)
    parameters = dict(network.named_parameters())
    names = [name for name, _ in network.named_weights()]
    tensors = decode_tensors(wght, [tuple(parameters[name].shape) for name in names])
    values = {name: tensor.values() for name, tensor in zip(names, tensors, strict=True)}
    arriving = None
    if is_gradual and embd is not None and isinstance(config, NervidConfig) and config.interleaved:
        arriving = ArrivingGrids(config, _without_latents(config, embd))
        values |= arriving.empty()
    else:
        values |= _read_embeddings(config, embd)
    if initialization is not None:
        for name, base in _base(initialization, config).items():
            values[name] = values[name] + base
    network.load_state_dict(values, assign=True)
    if arriving is not None:
        assert isinstance(network, Nervid)
        arriving.fill(network)
    return in_channels_last(network.requires_grad_(False).eval())


def _read_embeddings(config: ModelConfig, embd: bytes | None) -> dict[str, Tensor]:
    """Return what section EMBD holds, by the names of a network's parameters."""
    if (embd is None) == config.stores_embeddings:
        raise CorruptSectionError(
            "section EMBD: present for a network that needs none, or missing; encode again"
        )
    if embd is None:
        return {}
    if isinstance(config, NervidConfig):
        shapes = [grid.shape for grid in config.feature_grids]
        grids = decode_feature_grids(_without_latents(config, embd), shapes, config.knot_order)
        return {f"{GRIDS}.{number}": grid.values().flatten(1) for number, grid in enumerate(grids)}
    (tensor,) = decode_tensors(embd, [(config.frames, *config.embedding_shape)])
    return {EMBEDDINGS: tensor.values()}


def _without_latents(config: NervidConfig, embd: bytes) -> bytes:
    return split_latents(embd)[1] if config.latents else embd


def read_embeddings(modl: bytes, embd: bytes, *, frames: int) -> Float[Tensor, "frames numbers"]:
    """Return a segment's stored embeddings, one row per frame; no network is built.

    Of a network with feature grids these are its latents; the feature grids are not decoded.

    Args:
        modl: Payload of MODL.
        embd: Payload of EMBD.
        frames: Frames of the segment according to the header.

    Raises:
        FormatError: If a section is damaged, or the representation stores no embedding for each frame.
    """
    config = _read_config(modl, frames)
    shape = (config.latents,) if isinstance(config, NervidConfig) else config.embedding_shape
    if not config.stores_embeddings or not shape[0]:
        raise CorruptSectionError(
            f"section MODL: wanted a network with an embedding for each frame, got {config.name}, which has "
            "none; encode the file again"
        )
    if isinstance(config, NervidConfig):
        embd = split_latents(embd)[0]
    _check_count("EMBD", frames * prod(shape), embd)
    (embeddings,) = decode_tensors(embd, [(frames, *shape)])
    return embeddings.values().flatten(1)


def draw_frame(
    network: Representation[Any], index: int, size: tuple[int, int] | None = None
) -> UInt8[Tensor, "3 height width"]:
    """Draw one frame of the segment, on the network's device, its colors side by side in memory.

    Args:
        network: In evaluation mode.
        index: The frame, counted in the segment.
        size: As for :func:`draw_embedding`.
    """
    with torch.inference_mode():
        device = next(network.parameters()).device
        return draw_embedding(network, network.embed(torch.tensor([index], device=device)), size)


def draw_embedding(
    network: Representation[Any],
    embedding: Float[Tensor, "1 *embedding"],
    size: tuple[int, int] | None = None,
) -> UInt8[Tensor, "3 height width"]:
    """Draw the frame of an embedding, which need not be that of any frame.

    Args:
        network: In evaluation mode.
        embedding: On the network's device.
        size: Height and width in pixels, None for the frame's own. A network that draws pixels one by one
            draws them there; of any other the frame is resampled, before its colors are rounded. Where both
            sides are at most those of a frame that the network draws at less cost (``reductions`` of a
            nervid's config), the smallest such frame is resampled instead.

    Frames are drawn one by one on purpose: convolution kernels sum in another order for another batch size,
    and a frame's bits must not depend on what else is asked for.
    """
    with torch.inference_mode():
        own = (network.config.height, network.config.width)
        if size in (None, own):
            return _to_bytes(network, network.draw_colors(embedding)[0])
        colors = network.draw_colors_at(embedding, *size)
        if colors is not None:
            return _to_bytes(network, colors[0])
        reduction = _reduction(network, *size)
        if reduction > 1:
            assert isinstance(network, Nervid)
            colors = network.draw_reduced(embedding, reduction)
        else:
            colors = network.draw_colors(embedding)
        # A reduced frame's last row and column may stand for fewer pixels than the others.
        covered = (own[0] / reduction, own[1] / reduction)
        if size == covered:
            return _to_bytes(network, colors[0])
        drawn = network.squash(at_least_float32(colors[0]))
        picture = resample(drawn, *size, covered=covered).clamp_(0, 1)
        return (255 * picture).round_().to(torch.uint8)


def _to_bytes(
    network: Representation[Any], colors: Float[Tensor, "3 height width"]
) -> UInt8[Tensor, "3 height width"]:
    """Apply the output function and round, a few rows at a time."""
    rows = colors.permute(1, 2, 0)
    frame = torch.empty(rows.shape, dtype=torch.uint8, device=rows.device)
    for first in range(0, len(frame), ROWS_AT_ONCE):
        some = slice(first, first + ROWS_AT_ONCE)
        # In [0, 1] by the output function, so that no value leaves a byte.
        frame[some] = network.squash(at_least_float32(rows[some])).mul_(255).round_()
    return frame.permute(2, 0, 1)


def _reduction(network: Representation[Any], height: int, width: int) -> int:
    """How many times smaller than its sides a frame can be drawn and still has a size's rows and columns."""
    config = network.config
    if not isinstance(config, NervidConfig):
        return 1
    fitting = [
        reduction
        for reduction in config.reductions
        if height <= ceil(config.height / reduction) and width <= ceil(config.width / reduction)
    ]
    return max(fitting, default=1)


def _read_config(modl: bytes, frames: int) -> ModelConfig:
    value = _read_object(modl)
    if not isinstance(value.get("model"), dict):
        raise CorruptSectionError("section MODL: no model configuration in it; copy or encode the file again")
    config = from_json(value["model"])
    if config.frames != frames:
        raise CorruptSectionError(
            f"section MODL: wanted a network of {frames} frames, as the header says, "
            f"got one of {config.frames}; encode the file again"
        )
    return config


def _base(initialization: Initialization, config: ModelConfig) -> dict[str, Tensor]:
    try:
        return base_for(initialization, config)
    except InputError as error:
        raise CorruptSectionError(f"section MODL: {error}; encode the file again") from error


def _check_count(tag: str, count: int, data: bytes) -> None:
    """Refuse more numbers than the bytes can hold before allocating for them."""
    if count > VALUES_PER_BYTE * len(data) + SPARE_VALUES:
        raise CorruptSectionError(
            f"section {tag}: {len(data)} bytes cannot hold {count} numbers; copy or encode the file again"
        )


def _read_object(modl: bytes) -> dict[str, Any]:
    try:
        value = json.loads(modl.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise CorruptSectionError("section MODL: not JSON; copy or encode the file again") from error
    if not isinstance(value, dict):
        raise CorruptSectionError("section MODL: not a JSON object; copy or encode the file again")
    return value
