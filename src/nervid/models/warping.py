"""Warping: planes read where motion says, bicubically."""

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own idiom
from jaxtyping import Float
from torch import Tensor


def warp(
    planes: Float[Tensor, "batch channels rows columns"], motion: Float[Tensor, "batch 2 tall wide"]
) -> Float[Tensor, "batch channels rows columns"]:
    """Return for each site what lies ``motion`` away from it; beyond the border, what lies on it.

    Numbers between sites come from the cubic convolution kernel with ``a = -0.75``, motion between its own
    sites from the nearest four, linearly.

    Args:
        planes: Where to read, float32.
        motion: Columns and rows to go, in sites of ``planes``; on the same rectangle, by one factor coarser.

    Source:
        The kernel: Keys, "Cubic convolution interpolation for digital image processing", 1981; as
        ``torch.nn.functional.grid_sample`` has it.
    """
    rows, columns = planes.shape[-2:]
    if motion.shape[-2:] != planes.shape[-2:]:
        motion = F.interpolate(motion, size=(rows, columns), mode="bilinear", align_corners=False)
    # grid_sample counts from -1 to 1, edge to edge.
    across = (torch.arange(columns, device=planes.device) * 2 + 1) / columns - 1
    down = (torch.arange(rows, device=planes.device) * 2 + 1) / rows - 1
    places = torch.stack(
        (motion[:, 0] * (2 / columns) + across, motion[:, 1] * (2 / rows) + down[:, None]), dim=-1
    )
    return F.grid_sample(planes, places, mode="bicubic", padding_mode="border", align_corners=False)
