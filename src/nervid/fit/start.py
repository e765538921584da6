"""Start: the weights that a fit begins with, where they are not drawn at random."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from nervid.models.inner import InnerStep

Weights = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Start:
    """What a network, and the encoder fitted along with it, begin with."""

    identity: str
    """Names the content, such as a checksum: a checkpoint of a fit from elsewhere must not be taken for this
    one's."""
    weights: Weights = field(default_factory=dict)
    """All of ``named_weights()`` by name, or nothing: then they are drawn at random from the plan's seed."""
    encoder: Weights = field(default_factory=dict)
    """All parameters of HNeRV's encoder by name, or nothing."""
    rates: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Learned rates of the first steps, as many for every tensor; names ``network.<name>`` and
    ``encoder.<name>``. Nothing for a fit that begins with its recipe."""
    inner: InnerStep = "muon"
    """Direction of those steps."""
    base: Weights | None = None
    """What is taken off each weight before it is pruned, quantized and stored, float32; None for nothing. A
    reader needs the same numbers."""

    @property
    def first_steps(self) -> int:
        """How many steps have rates of their own."""
        return min(map(len, self.rates.values()), default=0)

    def __repr__(self) -> str:
        return f"Start({self.identity}{'' if self.base is None else ', stored as changes'})"

    def put(self, network: nn.Module, encoder: nn.Module | None) -> None:
        """Put the weights into freshly built networks, in place.

        Raises:
            KeyError: If it names a parameter that they have not.
        """
        for module, weights in ((network, self.weights), (encoder, self.encoder)):
            if module is not None:
                parameters = dict(module.named_parameters())
                with torch.no_grad():
                    for name, weight in weights.items():
                        parameters[name].copy_(weight)
