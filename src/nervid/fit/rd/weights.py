"""FittedWeights: a network's kernels and biases, with the quantization steps that are fitted along."""

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, nn

from nervid.fit.rd.relaxation import Relaxation, laplace_bits, relaxed

STEPS_PER_DEVIATION: Final = 12
"""First quantization steps in a standard deviation of a fresh kernel."""
LEAST_DEVIATION: Final = 0.05
"""A kernel that starts smaller gets a step as if it had this standard deviation: it will grow."""
BIAS_STEP: Final = 2.0**-8
"""Step of every bias, which is not fitted: biases are few and move whole channels."""


class FittedWeights:
    """Weights as a fit sees them: all in one row, so that rounding and counting take few operations.

    Args:
        parameters: Kernels and biases by name; the optimizer moves them.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        self._parameters = dict(parameters)
        self._counts = [parameter.numel() for parameter in self._parameters.values()]
        first = next(iter(self._parameters.values()))
        steps = [_first_step(parameter) for parameter in self._parameters.values()]
        self.log_steps = nn.Parameter(torch.tensor(steps, device=first.device).log())
        self._owner = torch.repeat_interleave(
            torch.arange(len(steps)), torch.tensor(self._counts), output_size=sum(self._counts)
        ).to(first.device)
        self._is_kernel = torch.tensor(
            [parameter.dim() > 1 for parameter in self._parameters.values()], device=first.device
        )
        self._sizes = torch.tensor(self._counts, device=first.device)
        self.bits = 0.0
        """Bits of all weights as of the last step that counted them."""

    def steps(self) -> dict[str, float]:
        """Return each tensor's quantization step."""
        return dict(zip(self._parameters, self.log_steps.detach().exp().tolist(), strict=True))

    def read(
        self, kind: Relaxation, generator: torch.Generator, *, is_counted: bool, dtype: torch.dtype
    ) -> tuple[dict[str, Tensor], Tensor | None]:
        """Return the weights as they draw, by name, and their bits.

        Args:
            kind: How rounding is stood in for.
            generator: Makes noise.
            is_counted: Whether bits are wanted.
            dtype: Type in which the network draws.
        """
        # Kernels lie channels last: their rows are laid side by side without a copy.
        row = torch.cat([_row(parameter) for parameter in self._parameters.values()])
        fitted = torch.where(self._is_kernel, self.log_steps, self.log_steps.detach())
        steps = fitted.exp()[self._owner]
        codes = row / steps
        rounded = relaxed(codes, kind, generator)
        bits = None
        if is_counted:
            with torch.no_grad():
                sums = torch.zeros_like(self.log_steps).index_add_(0, self._owner, codes.abs())
            bits = laplace_bits(rounded, (sums / self._sizes)[self._owner]).sum()
            self.bits = float(bits.detach())
        parts = torch.split((rounded * steps).to(dtype), self._counts)
        return {
            name: _unrow(part, parameter)
            for part, (name, parameter) in zip(parts, self._parameters.items(), strict=True)
        }, bits


def _first_step(parameter: Tensor) -> float:
    if parameter.dim() < 2:
        return BIAS_STEP
    deviation = float(parameter.detach().std()) if parameter.numel() > 1 else 0.0
    return max(deviation, LEAST_DEVIATION) / STEPS_PER_DEVIATION


def _row(parameter: Tensor) -> Tensor:
    return parameter.permute(0, 2, 3, 1).reshape(-1) if parameter.dim() == 4 else parameter.reshape(-1)


def _unrow(part: Tensor, like: Tensor) -> Tensor:
    if like.dim() != 4:
        return part.view(like.shape)
    outputs, inputs, rows, columns = like.shape
    return part.view(outputs, rows, columns, inputs).permute(0, 3, 1, 2)
