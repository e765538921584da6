"""RepresentationConfig: the fields and the limits that all representations share."""

from abc import ABC, abstractmethod
from dataclasses import Field, dataclass, field, fields
from math import prod
from typing import Any, ClassVar, Final, Literal, get_args

from nervid.errors import InputError
from nervid.models.config.layer import LayerShape
from nervid.models.layout import MAX_SIDE_PIXELS, MIN_SIDE_PIXELS

Activation = Literal["gelu", "silu", "relu"]

MAX_CHANNELS: Final = 4096
"""Most channels of any map in a network."""
MAX_PARAMETERS: Final = 2**28
"""Most weights and embedding numbers together."""
MAX_PADDED_PIXELS: Final = 8192
"""Largest side that a network draws before cropping."""
MAX_LAYER_VALUES: Final = 2**31
"""Most numbers that one layer may put out for one frame, 8 GiB in float32."""
MAX_FRAMES: Final = 2**20
"""Most frames of one network."""
MAX_STAGES: Final = 8
"""Most upsampling blocks of one network."""


def within(low: float, high: float) -> dict[str, object]:
    """Describe the allowed range of a config field, both ends included, as dataclass metadata."""
    return {"within": (low, high)}


def left_out_at_default() -> dict[str, object]:
    """Describe a config field that files do not have where it has its default, as dataclass metadata.

    So a field that came later changes no byte of the files that do not use it, and those before it are read.
    """
    return {"left_out": True}


def may_be_left_out(entry: "Field[Any]") -> bool:
    """Return whether files do not have a field where it has its default."""
    return bool(entry.metadata.get("left_out"))


def is_left_out(entry: "Field[Any]", value: object) -> bool:
    """Return whether a file does not have a field of this value."""
    return may_be_left_out(entry) and type(value) is type(entry.default) and value == entry.default


@dataclass(frozen=True, slots=True, kw_only=True)
class RepresentationConfig(ABC):
    """What every representation has: a clip's size, a base map, strides and an activation."""

    name: ClassVar[str]
    """Stable name of the family, as written into files."""

    frames: int = field(metadata=within(1, MAX_FRAMES))
    """Number of frames that the network draws."""
    height: int = field(metadata=within(MIN_SIDE_PIXELS, MAX_SIDE_PIXELS))
    """Rows of a frame in pixels, after cropping."""
    width: int = field(metadata=within(MIN_SIDE_PIXELS, MAX_SIDE_PIXELS))
    """Columns of a frame in pixels, after cropping."""
    base_height: int = field(metadata=within(1, MAX_SIDE_PIXELS))
    """Rows of the map that enters the first block."""
    base_width: int = field(metadata=within(1, MAX_SIDE_PIXELS))
    """Columns of the map that enters the first block."""
    strides: tuple[int, ...]
    """Upsampling factor of each block, first block first; 1 to 8 blocks, each 1 to 5."""
    activation: Activation = "gelu"
    """Nonlinearity of the stem and of every block; GELU is both papers' default."""

    def __post_init__(self) -> None:
        """Refuse a config that no network can have.

        Raises:
            InputError: If a field is out of range, the base map and strides do not cover the frame with
                less than one site to spare, or the network would be absurdly large.
        """
        for entry in fields(self):
            low, high = entry.metadata.get("within", (None, None))
            value = getattr(self, entry.name)
            if low is not None and not low <= value <= high:
                raise InputError(f"{entry.name} must be {low} to {high}, got {value}")
        if not 1 <= len(self.strides) <= MAX_STAGES or not all(1 <= stride <= 5 for stride in self.strides):
            raise InputError(f"strides must be 1 to {MAX_STAGES} numbers, each 1 to 5, got {self.strides}")
        check_choice("activation", self.activation, Activation)
        _check_cover("height", self.height, self.base_height, prod(self.strides))
        _check_cover("width", self.width, self.base_width, prod(self.strides))
        self._check_family()
        _check_limits(self)

    @property
    def padded_height(self) -> int:
        """Rows that the network draws before cropping."""
        return self.base_height * prod(self.strides)

    @property
    def padded_width(self) -> int:
        """Columns that the network draws before cropping."""
        return self.base_width * prod(self.strides)

    @property
    def sites(self) -> tuple[int, ...]:
        """Positions of the base map, then of the map after each block."""
        base = self.base_height * self.base_width
        return tuple(base * prod(self.strides[:stage]) ** 2 for stage in range(len(self.strides) + 1))

    @property
    @abstractmethod
    def widths(self) -> tuple[int, ...]:
        """Channels of the base map, then of the map after each block."""

    @property
    @abstractmethod
    def layers(self) -> tuple[LayerShape, ...]:
        """Every layer of the decoder, in the order in which it runs."""

    @property
    @abstractmethod
    def embedding_shape(self) -> tuple[int, ...]:
        """Shape of the decoder's input for one frame."""

    @property
    @abstractmethod
    def stores_embeddings(self) -> bool:
        """Whether the embeddings are learned and stored, rather than computed from the frame index."""

    @property
    def stored_embedding_count(self) -> int:
        """Numbers that are stored for the embeddings of all frames; 0 where embeddings are computed."""
        return self.frames * prod(self.embedding_shape) if self.stores_embeddings else 0

    @abstractmethod
    def _check_family(self) -> None:
        """Raise InputError for what ranges cannot say about the family's own fields."""


def parameter_count(config: RepresentationConfig) -> int:
    """Count the decoder's weights and biases, without its stored embeddings."""
    return sum(layer.parameters for layer in config.layers)


def embedding_count(config: RepresentationConfig) -> int:
    """Count the numbers in the stored embeddings of all frames; 0 where embeddings are computed."""
    return config.stored_embedding_count


def check_choice(name: str, value: str, choices: Any) -> None:  # noqa: ANN401 - a Literal has no better type
    """Raise InputError unless ``value`` is one of the strings of the ``Literal`` type ``choices``."""
    if value not in get_args(choices):
        raise InputError(f"{name} must be one of {', '.join(get_args(choices))}, got {value!r}")


def _check_cover(side: str, pixels: int, base: int, total_stride: int) -> None:
    """Raise InputError unless the map covers the side with less than one site to spare."""
    padded = base * total_stride
    if padded > MAX_PADDED_PIXELS or not padded - total_stride < pixels <= padded:
        raise InputError(
            f"base_{side} times all strides must cover {pixels} pixels, less than {total_stride} to spare, "
            f"and be at most {MAX_PADDED_PIXELS}, got {base} * {total_stride} = {padded}; use find_layout"
        )


def _check_limits(config: RepresentationConfig) -> None:
    """Raise InputError for a network too large to be meant."""
    if not 1 <= min(config.widths) <= max(config.widths) <= MAX_CHANNELS:
        raise InputError(f"every width must be 1 to {MAX_CHANNELS} channels, got {config.widths}")
    layers = config.layers  # made anew at every look, and every segment of a file has a config to check
    numbers = sum(layer.parameters for layer in layers) + embedding_count(config)
    if numbers > MAX_PARAMETERS:
        raise InputError(
            f"a network may hold at most {MAX_PARAMETERS} numbers, got {numbers}; make it smaller"
        )
    values = max(layer.values for layer in layers)
    if values > MAX_LAYER_VALUES:
        raise InputError(
            f"a layer may put out at most {MAX_LAYER_VALUES} numbers a frame, got {values}; "
            "use fewer channels"
        )
