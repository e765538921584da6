"""What a file stores of a network's parameters: they less the start's base, zero where pruned."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from nervid.compress.prune import magnitude_masks
from nervid.fit.start import Start
from nervid.models.representation import EMBEDDINGS


@dataclass(frozen=True, slots=True, eq=False)
class StoredForm:
    """The way from parameters to the numbers that are quantized and stored, and back to drawn weights.

    With a base a stored number is a change, ``weight - base``, and a pruned weight is the base's; without one
    it is the weight. Embeddings have neither base nor mask.
    """

    base: Mapping[str, Tensor]
    """By name, where the parameters are; empty for none."""
    masks: Mapping[str, Tensor]
    """True where a number stays; only of pruned tensors."""

    @classmethod
    def unpruned(cls, start: Start | None, device: torch.device) -> "StoredForm":
        """Return the form of a fit that begins with ``start``, on its device, nothing pruned."""
        base = {} if start is None or start.base is None else start.base
        return cls({name: _laid_out(tensor.to(device)) for name, tensor in base.items()}, {})

    def pruned(self, parameters: Mapping[str, Tensor], sparsity: float) -> "StoredForm":
        """Return the same form with the share ``sparsity`` of the smallest stored numbers made zero."""
        if not sparsity:
            return self
        numbers = {name: tensor for name, tensor in self.numbers(parameters).items() if name != EMBEDDINGS}
        return self.with_masks(magnitude_masks(numbers, sparsity=sparsity))

    def with_masks(self, masks: Mapping[str, Tensor]) -> "StoredForm":
        """Return the same form with these masks."""
        return StoredForm(self.base, masks)

    def numbers(self, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what is stored of each parameter, before quantization."""
        changes = {
            name: parameter - self.base[name] if name in self.base else parameter
            for name, parameter in parameters.items()
        }
        return {
            name: change * self.masks[name] if name in self.masks else change
            for name, change in changes.items()
        }

    def weights(self, numbers: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the parameters that a reader makes of stored numbers: the base added, in float32."""
        return {
            name: number + self.base[name] if name in self.base else number
            for name, number in numbers.items()
        }


def _laid_out(tensor: Tensor) -> Tensor:
    """Channels last where there are four axes, as the network's kernels are."""
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor
