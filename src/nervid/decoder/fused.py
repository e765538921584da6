"""FusedBlock: an upsampling block whose convolution and GELU are one pass of the CPU."""

import torch
from jaxtyping import BFloat16
from torch import Tensor, nn

from nervid.models.blocks import UpsampleBlock
from nervid.models.shuffle import pixel_shuffle


class FusedBlock(nn.Module):
    """What ``UpsampleBlock`` computes in bfloat16 with GELU, only for playing.

    GELU sees the sums of the convolution before they are rounded, and the map is written once instead of
    twice; the weights lie in oneDNN's own order from the start. Together 7 % of the time of a frame of
    HNeRV-1.5M. (SiLU fused is slower than in a pass of its own, so it is left alone.)

    It uses the operator that PyTorch's own compiler puts in the same place.

    Args:
        block: A block with GELU on the CPU in bfloat16; see :meth:`takes`.
    """

    def __init__(self, block: UpsampleBlock) -> None:
        super().__init__()
        self.stride = block.stride
        self._padding = list(block.conv.padding)
        self.weight = nn.Parameter(block.conv.weight.detach(), requires_grad=False)
        self.bias = nn.Parameter(block.conv.bias.detach(), requires_grad=False)  # type: ignore[union-attr]
        self._packed: dict[torch.Size, Tensor] = {}

    @staticmethod
    def takes(block: UpsampleBlock) -> bool:
        """Return whether this block, on this build of PyTorch, can be run fused."""
        weight = block.conv.weight
        return (
            block.activation == "gelu"
            and weight.dtype == torch.bfloat16
            and weight.device.type == "cpu"
            and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
            and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
            and hasattr(torch.ops.mkldnn, "_reorder_convolution_weight")
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the enlarged map."""
        return pixel_shuffle(self.before_shuffle(features), self.stride)

    def before_shuffle(self, features: Tensor) -> BFloat16[Tensor, "batch subpixel_channels rows columns"]:
        """Return what ``forward`` shuffles."""
        features = features.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)
        ones = [1, 1]
        if features.shape not in self._packed:
            # The best order depends on the map's size, and one network only ever sees one.
            self._packed = {
                features.shape: torch.ops.mkldnn._reorder_convolution_weight(
                    self.weight.contiguous(), self._padding, ones, ones, 1, list(features.shape)
                )
            }
        packed = self._packed[features.shape]
        image: Tensor = torch.ops.mkldnn._convolution_pointwise(
            features, packed, self.bias, self._padding, ones, ones, 1, "gelu", [], "none"
        )
        return image
