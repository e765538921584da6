"""From an initialization to starting weights of a network of another size, of the same family."""

from collections.abc import Mapping
from typing import Any, Final

import torch
from jaxtyping import Float
from torch import Tensor

from nervid.errors import InputError
from nervid.initializations.initialization import Initialization, shapes_of
from nervid.initializations.resize import resize_base_map
from nervid.models.config import HnervConfig, ModelConfig, NervConfig
from nervid.models.registry import build, build_encoder

KEPT_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "hnerv": ("strides", "activation", "kernel_min", "kernel_max"),
    "nerv": ("strides", "activation", "levels", "base", "head_kernel", "output"),
    "nervid": ("strides", "activation", "depths"),
}
"""Fields of a config that a network must share with an initialization to start from it."""

Weights = Mapping[str, Tensor]


def weights_for(initialization: Initialization, config: ModelConfig, *, seed: int) -> dict[str, Tensor]:
    """Return starting weights for a network of any size of the same family, by name.

    - Widths: an axis of channels keeps its first ones. Where the network is wider, new outputs of a layer
      get what ``build(config, seed=seed)`` has there, and old outputs read zeros from new inputs: the wider
      network draws what the learned one does.
    - Resolution: convolutions are taken as they are; the last layer of NeRV's stem, which has numbers for
      each site of the base map, is resized bilinearly.
    - Frames: nothing, for a network sees time as index over frames, and embeddings are not part of an
      initialization.
    - Heads for small images (``multi_resolution``) that one side lacks are dropped or fresh.

    Args:
        initialization: What was learned.
        config: The network to start.
        seed: Seeds what is new.

    Raises:
        InputError: If the families differ, or a field of ``KEPT_FIELDS``.
    """
    return carried_weights(initialization.weights, initialization.config, config, seed=seed)


def base_for(initialization: Initialization, config: ModelConfig) -> dict[str, Tensor]:
    """Return the weights from which a file stores changes: as :func:`weights_for`, but zeros for what is new.

    No random number is in them and all arithmetic is exact or in double precision, so that every machine
    has the same bits.

    Raises:
        InputError: As :func:`weights_for`.
    """
    return carried_weights(initialization.weights, initialization.config, config, seed=None)


def encoder_for(initialization: Initialization, config: ModelConfig, *, seed: int) -> dict[str, Tensor]:
    """Return starting weights for HNeRV's encoder, by name; none where the initialization has none.

    Channels are carried over as by :func:`weights_for`. Embeddings of another number of channels are not
    those of the learned encoder to the bit even in the old channels: its last normalization is over all of
    them.

    Raises:
        InputError: As :func:`weights_for`.
    """
    if not initialization.encoder or not isinstance(config, HnervConfig):
        return {}
    check_kept(initialization.config, config)
    fresh = dict(build_encoder(config, seed=seed).named_parameters())
    return {name: _carry(initialization.encoder[name], fresh[name].detach()) for name in fresh}


def carried_weights(
    weights: Weights, learned: ModelConfig, config: ModelConfig, *, seed: int | None
) -> dict[str, Tensor]:
    """Return what :func:`weights_for` does, for the weights of any network.

    Args:
        weights: By name, float32 on the CPU.
        learned: Their network.
        config: The network to start.
        seed: Seeds what is new; None makes it zeros.

    Raises:
        InputError: As :func:`weights_for`.
    """
    check_kept(learned, config)
    if seed is None:
        fresh = {name: torch.zeros(shape) for name, shape in shapes_of(config)[0].items()}
    else:
        fresh = {name: weight.detach() for name, weight in build(config, seed=seed).named_weights()}
    carried = {}
    for name, new in fresh.items():
        old = weights.get(_learned_name(name, learned, config))
        if old is None:
            carried[name] = new
            continue
        groups = 1
        if name.startswith("blocks.") and not _keeps_size(name):
            # Outputs before a pixel shuffle: subpixels, then channels (nervid.models.shuffle).
            groups = config.strides[int(name.split(".")[1])] ** 2
        elif isinstance(learned, NervConfig) and name.startswith(f"stem.{1 if learned.stem_width else 0}."):
            old = resize_base_map(
                old,
                (learned.base_height, learned.base_width),
                (config.base_height, config.base_width),
            )
        carried[name] = _carry(old, new, groups)
    return carried


def _keeps_size(name: str) -> bool:
    """Whether a convolution of a block writes a map of the size that it reads: those of our own network."""
    return ".project." in name or ".residual." in name


def check_kept(learned: ModelConfig, config: ModelConfig) -> None:
    """Refuse to start a network from one that differs in more than sizes.

    Raises:
        InputError: That names the field.
    """
    for network in (learned, config):
        if network.name not in KEPT_FIELDS:
            raise InputError(
                f"a {network.name} cannot start from learned weights; use model nervid, hnerv or nerv, "
                "or init random"
            )
    names = ("name", *KEPT_FIELDS[learned.name]) if learned.name == config.name else ("name",)
    for name in names:
        _check_equal("model" if name == "name" else name, getattr(learned, name), getattr(config, name))
    if isinstance(learned, NervConfig) and isinstance(config, NervConfig):
        layers = (2 if network.stem_width else 1 for network in (learned, config))
        _check_equal("layers of the stem", *layers)


def _check_equal(name: str, learned: object, wanted: object) -> None:
    if learned != wanted:
        raise InputError(
            f"the initialization has {name} {_text(learned)}, wanted {_text(wanted)}; take one that was "
            "learned so, or init random"
        )


def _text(value: Any) -> str:  # noqa: ANN401 - any field of a config
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _learned_name(name: str, learned: ModelConfig, config: ModelConfig) -> str:
    """What the learned network calls the weight; heads count from the last one."""
    part, number, rest = [*name.split(".", 2), "", ""][:3]
    if part != "heads" or not isinstance(learned, NervConfig) or not isinstance(config, NervConfig):
        return name
    counts = (len(network.strides) if network.multi_resolution else 1 for network in (learned, config))
    first, second = counts
    return f"{part}.{int(number) + first - second}.{rest}"


def _carry(
    learned: Float[Tensor, "..."], fresh: Float[Tensor, "..."], groups: int = 1
) -> Float[Tensor, "..."]:
    """Put a learned tensor over a fresh one: its first outputs and, of those, its first inputs.

    Axis 0 is outputs, ``groups`` equal runs of channels; axis 1, if there is one, is inputs.
    """
    carried = fresh.clone(memory_format=torch.contiguous_format)
    old, new = (tensor.reshape(groups, -1, *tensor.shape[1:]) for tensor in (learned, carried))
    kept = slice(min(old.shape[1], new.shape[1]))
    if learned.dim() == 1:
        new[:, kept] = old[:, kept]
    else:
        inputs = slice(min(old.shape[2], new.shape[2]))
        new[:, kept] = 0
        new[:, kept, inputs] = old[:, kept, inputs]
    return carried
