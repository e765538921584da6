"""Pictures as a network was trained to see them: resized, cropped and normalized, without torchvision."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from nervid.errors import InputError

MAX_SIDE = 2048
"""Largest side that a resize may ask for, pixels; the largest published models take 1,024 or less."""
_FILTERS: dict[int, Literal["bilinear", "bicubic"]] = {2: "bilinear", 3: "bicubic"}
"""Pillow's numbers of the filters, which preprocessor_config.json uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """The way from uint8 frames to what a network is given: resize, crop the center, normalize.

        value = (pixel * rescale - mean) / std,  pixel in 0 to 255

    Raises:
        InputError: If a field is out of range.
    """

    resize: int | tuple[int, int]
    """Pixels of the shorter side, the other side keeping the aspect, rounded down; or height and width."""
    crop: tuple[int, int] | None = None
    """Height and width of the part kept, at the center; None keeps everything."""
    resample: Literal["bilinear", "bicubic"] = "bicubic"
    """Filter of the resize; it widens with the reduction, as Pillow's does (antialiasing)."""
    rescale: float = 1 / 255
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Of red, green and blue, after the rescale."""
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        sides = (self.resize,) if isinstance(self.resize, int) else self.resize
        if not all(1 <= side <= MAX_SIDE for side in (*sides, *(self.crop or ()))):
            raise InputError(
                f"preprocessing: sides must be 1 to {MAX_SIDE} pixels, got resize {self.resize}, "
                f"crop {self.crop}"
            )
        smallest = (self.resize, self.resize) if isinstance(self.resize, int) else self.resize
        if self.crop is not None and (self.crop[0] > smallest[0] or self.crop[1] > smallest[1]):
            raise InputError(
                f"preprocessing: a crop to {self.crop} wants at least that many pixels, "
                f"got resize {self.resize}"
            )
        numbers = (self.rescale, *self.mean, *self.std)
        if not all(math.isfinite(number) for number in numbers) or 0.0 in (self.rescale, *self.std):
            raise InputError(
                "preprocessing: rescale, mean and std must be finite, rescale and std not 0; got "
                f"{self.rescale}, {self.mean}, {self.std}"
            )

    @property
    def output(self) -> tuple[int, int] | None:
        """Height and width of every result, or None if they depend on the frames' aspect."""
        return self.crop or (None if isinstance(self.resize, int) else self.resize)

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, source: str, center_crop: bool) -> "Preprocessing":
        """Read a hub's ``preprocessor_config.json``.

        Args:
            value: The object in the file. ``size`` is needed, the fields that it leaves out are CLIP's and
                SigLIP's common defaults.
            source: Name of the file, for messages.
            center_crop: Whether the model's family crops where the file does not say.

        Raises:
            InputError: If a field is missing, is not understood or out of range, or resize, rescale or
                normalize is switched off.
        """
        try:
            for step in ("do_resize", "do_rescale", "do_normalize"):
                if value.get(step, True) is not True:
                    raise ValueError(f"{step} is {value[step]!r}")
            crops = value.get("do_center_crop", center_crop)
            return cls(
                resize=_size(value["size"]),
                crop=_pair(value.get("crop_size", value["size"])) if crops else None,
                resample=_FILTERS[value.get("resample", 3)],
                rescale=float(value.get("rescale_factor", 1 / 255)),
                mean=_triple(value["image_mean"]),
                std=_triple(value["image_std"]),
            )
        except InputError as error:
            raise InputError(f"{source}: {error}") from None
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{source}: wanted the preprocessing of a CLIP or SigLIP model, could not use {error}; "
                "fetch the file again or name another teacher"
            ) from None

    def __call__(
        self, frames: UInt8[Tensor, "frames 3 height width"]
    ) -> Float[Tensor, "frames 3 out_height out_width"]:
        """Return the frames as float32 on the CPU.

        Notes:
            The resize works on uint8 and on the CPU wherever the frames are. It goes over the width first
            and rounds, then over the height, as Pillow did when the published models were trained; it
            differs from that by 2 of 255 levels at most, and from one device to another not at all.
        """
        height, width = self._resized(frames.shape[-2], frames.shape[-1])
        pixels = frames.cpu()
        if (height, width) != tuple(pixels.shape[-2:]):
            pixels = functional.interpolate(pixels, (height, width), mode=self.resample, antialias=True)
        if self.crop is not None:
            top, left = (height - self.crop[0]) // 2, (width - self.crop[1]) // 2
            pixels = pixels[:, :, top : top + self.crop[0], left : left + self.crop[1]]
        mean = torch.tensor(self.mean, dtype=torch.float64).view(3, 1, 1)
        std = torch.tensor(self.std, dtype=torch.float64).view(3, 1, 1)
        # pixel * (rescale / std) + (-mean / std), with both factors rounded only once.
        return torch.addcmul((-mean / std).float(), pixels.float(), (self.rescale / std).float())

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        """Height and width after the resize; the longer side is rounded down, as Pillow's callers do."""
        if not isinstance(self.resize, int):
            return self.resize
        shorter, longer = self.resize, self.resize * max(height, width) // min(height, width)
        return (longer, shorter) if width <= height else (shorter, longer)


def _size(value: object) -> int | tuple[int, int]:
    """``224``, ``{"shortest_edge": 224}`` or ``{"height": 224, "width": 224}``."""
    if isinstance(value, Mapping) and "shortest_edge" in value:
        return _whole(value["shortest_edge"])
    return _pair(value) if isinstance(value, Mapping) else _whole(value)


def _pair(value: object) -> tuple[int, int]:
    """Height and width; a single number, bare or as the shorter side, stands for both."""
    if isinstance(value, Mapping) and "shortest_edge" not in value:
        return _whole(value["height"]), _whole(value["width"])
    side = _whole(value["shortest_edge"] if isinstance(value, Mapping) else value)
    return side, side


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError(f"a side of {value!r}")
    return value


def _triple(value: object) -> tuple[float, float, float]:
    if not isinstance(value, list) or len(value) != 3:
        raise TypeError(f"a color of {value!r}")
    return float(value[0]), float(value[1]), float(value[2])
