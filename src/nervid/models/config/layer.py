"""LayerShape: the size and the cost of one layer, as arithmetic."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LayerShape:
    """One linear layer or square convolution."""

    inputs: int
    """Input channels."""
    outputs: int
    """Output channels, before any pixel shuffle."""
    kernel: int
    """Side of the convolution's window; 1 for a linear layer."""
    sites: int
    """Positions at which the layer runs for one frame; 1 for a linear layer."""
    has_bias: bool = True
    """Whether a bias is added."""

    @property
    def parameters(self) -> int:
        """Weights and biases: ``inputs * outputs * kernel**2 + outputs``, the last only with a bias."""
        return self.inputs * self.outputs * self.kernel**2 + self.outputs * self.has_bias

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one frame: ``inputs * outputs * kernel**2 * sites``."""
        return self.inputs * self.outputs * self.kernel**2 * self.sites

    @property
    def values(self) -> int:
        """Numbers that the layer puts out for one frame: ``outputs * sites``."""
        return self.outputs * self.sites
