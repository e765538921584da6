"""Alignment: what pulls a segment's latents towards the vectors that a teacher gives its frames."""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cosine_similarity


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Alignment:
    """A linear map from latents to a teacher's space, fixed while fitting, and where frames should land.

    Source:
        Latent-INR (arXiv:2408.02672): ``L = MSE + 0.01 * (1 - cosine(latent, teacher))``. The map is ours:
        latents need not have the teacher's dimension.
    """

    weight: Float[np.ndarray, "dimension inputs"]
    """The map's matrix, as it is stored."""
    bias: Float[np.ndarray, " dimension"]
    """The map's offset, as it is stored."""
    targets: Float[np.ndarray, "frames dimension"]
    """The teacher's vector of each of the segment's frames."""
    strength: float
    """Weight of the loss, lambda in the paper."""

    def __repr__(self) -> str:
        # Names the content: a checkpoint of another alignment must not be taken for this one's.
        digest = hashlib.sha256(str(self.strength).encode())
        for array in (self.weight, self.bias, self.targets):
            digest.update(np.ascontiguousarray(array, dtype=np.float32).data)
        return f"Alignment({digest.hexdigest()})"

    @property
    def inputs(self) -> int:
        """How many of a latent's numbers, its first ones, the map reads."""
        return int(self.weight.shape[1])

    def loss(
        self, latents: Float[Tensor, "batch numbers"], indices: Int[Tensor, " batch"]
    ) -> Float[Tensor, ""]:
        """Return ``strength * mean(1 - cosine(map(latent), teacher))`` over frames ``indices``."""
        device = latents.device
        weight, bias, targets = (
            torch.from_numpy(array).to(device) for array in (self.weight, self.bias, self.targets)
        )
        vectors = latents[:, : self.inputs].float() @ weight.T + bias
        return self.strength * (1 - cosine_similarity(vectors, targets[indices], dim=1)).mean()

    def start(self) -> Float[Tensor, "frames inputs"]:
        """Return the latents whose vectors are nearest to the targets, least squares."""
        solved = np.linalg.lstsq(self.weight, (self.targets - self.bias).T, rcond=1e-6)[0].T
        return torch.from_numpy(np.ascontiguousarray(solved, dtype=np.float32))
