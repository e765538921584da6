"""Alignment: what pulls a segment's embeddings towards the vectors that a teacher gives its frames."""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cosine_similarity


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Alignment:
    """A linear map from embeddings to a teacher's space, fixed while fitting, and where frames should land.

    Source:
        Latent-INR (arXiv:2408.02672): ``L = MSE + 0.01 * (1 - cosine(latent, teacher))``. There is no map in
        the paper; ours lets latents have fewer numbers than the teacher's vectors.
    """

    weight: Float[np.ndarray, "dimension inputs"] | None
    """The map's matrix, as it is stored; None for no map: the embedding's numbers are the vector."""
    bias: Float[np.ndarray, " dimension"] | None
    """The map's offset, as it is stored; None for no map."""
    targets: Float[np.ndarray, "frames dimension"]
    """The teacher's vector of each of the segment's frames. Their length counts for the start alone."""
    strength: float
    """Weight of the loss, lambda in the paper."""

    def __repr__(self) -> str:
        # Names the content: a checkpoint of another alignment must not be taken for this one's.
        digest = hashlib.sha256(str(self.strength).encode())
        for array in (self.weight, self.bias, self.targets):
            if array is not None:
                digest.update(np.ascontiguousarray(array, dtype=np.float32).data)
        return f"Alignment({digest.hexdigest()})"

    @property
    def inputs(self) -> int:
        """How many of an embedding's numbers, its first ones, lead to its vector."""
        return int(self.targets.shape[1] if self.weight is None else self.weight.shape[1])

    def loss(
        self, embeddings: Float[Tensor, "batch *embedding"], indices: Int[Tensor, " batch"]
    ) -> Float[Tensor, ""]:
        """Return ``strength * mean(1 - cosine(map(embedding), teacher))`` over frames ``indices``."""
        vectors = embeddings.flatten(1)[:, : self.inputs].float()
        if self.weight is not None and self.bias is not None:
            weight, bias = (torch.from_numpy(array).to(vectors.device) for array in (self.weight, self.bias))
            vectors = vectors @ weight.T + bias
        targets = torch.from_numpy(self.targets).to(vectors.device)[indices]
        return self.strength * (1 - cosine_similarity(vectors, targets, dim=1)).mean()

    def start(self) -> Float[Tensor, "frames inputs"]:
        """Return the numbers that lead to the targets; with a map those nearest to them, least squares."""
        if self.weight is None or self.bias is None:
            return torch.from_numpy(np.array(self.targets, dtype=np.float32))
        solved = np.linalg.lstsq(self.weight, (self.targets - self.bias).T, rcond=1e-6)[0].T
        return torch.from_numpy(np.ascontiguousarray(solved, dtype=np.float32))

    def put(
        self, aligned: Float[Tensor, "batch *embedding"], made: Float[Tensor, "batch *embedding"]
    ) -> Float[Tensor, "batch *embedding"]:
        """Return the embeddings ``made``, but with the numbers that the map reads taken from ``aligned``."""
        first = aligned.flatten(1)[:, : self.inputs].to(made.dtype)
        return torch.cat([first, made.flatten(1)[:, self.inputs :]], dim=1).view(made.shape)
