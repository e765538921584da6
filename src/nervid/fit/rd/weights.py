"""FittedWeights: a network's kernels and biases, with the quantization steps that are fitted along."""

import copy
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nervid.fit.rd.relaxation import Relaxation, bits_and_slope
from nervid.models.nervid import GRIDS, Nervid

STEPS_PER_DEVIATION: Final = 12
"""First quantization steps in a standard deviation of a fresh kernel."""
LEAST_DEVIATION: Final = 0.05
"""A kernel that starts smaller gets a step as if it had this standard deviation: it will grow."""
BIAS_STEP: Final = 2.0**-8
"""Step of every bias, which is not fitted: biases are few and move whole channels."""


class FittedWeights:
    """Weights as a fit sees them: all in one row, so that rounding and counting take few operations.

    The network's own parameters become parts of that row. A second network, ``drawing``, has the weights as
    they draw, in the type in which it draws; its gradients are brought back by hand, which takes a fraction
    of the operations that automatic differentiation would.

    Args:
        network: Its kernels and biases are fitted.
        dtype: Type in which it draws.
    """

    def __init__(self, network: Nervid, dtype: torch.dtype) -> None:
        self._parameters: dict[str, nn.Parameter] = dict(network.named_weights())
        self._counts = [parameter.numel() for parameter in self._parameters.values()]
        device = next(iter(self._parameters.values())).device
        steps = [_first_step(parameter) for parameter in self._parameters.values()]
        self.log_steps = nn.Parameter(torch.tensor(steps, device=device).log())
        self._lengths = torch.tensor(self._counts, device=device)
        self._is_kernel = torch.tensor(
            [parameter.dim() > 1 for parameter in self._parameters.values()], device=device
        )
        self._row = torch.cat([_row(parameter.detach()) for parameter in self._parameters.values()])
        self._drawn = self._row.to(dtype, copy=True)
        self.drawing = copy.deepcopy(network)
        """Draws with the weights of the last :meth:`relax`; it has no feature grids."""
        delattr(self.drawing, GRIDS)
        self._shown = [self.drawing.get_parameter(name) for name in self._parameters]
        rows, shown = torch.split(self._row, self._counts), torch.split(self._drawn, self._counts)
        for parameter, copied, part, drawn in zip(
            self._parameters.values(), self._shown, rows, shown, strict=True
        ):
            parameter.data, copied.data = _unrow(part, parameter), _unrow(drawn, parameter)
        self._steps = self._errors = torch.empty(0)
        self._slope: Tensor | None = None
        self.bits = 0.0
        """Bits of all weights as of the last step that counted them."""
        self.steps_moved()

    @property
    def count(self) -> int:
        """Numbers of all weights."""
        return len(self._row)

    def steps(self) -> dict[str, float]:
        """Return each tensor's quantization step."""
        return dict(zip(self._parameters, self.log_steps.detach().exp().tolist(), strict=True))

    def steps_moved(self) -> None:
        """Take note that ``log_steps`` has changed."""
        steps = self.log_steps.detach().exp()
        self._steps = steps.repeat_interleave(self._lengths, output_size=self.count)

    @torch.no_grad()
    def relax(self, kind: Relaxation, noise: Float[Tensor, " count"], *, is_counted: bool) -> None:
        """Give ``drawing`` the weights with rounding stood in for.

        Args:
            kind: How.
            noise: Of this step; see ``nervid.fit.rd.relaxation.Noise``.
            is_counted: Whether bits are counted and :meth:`collect` is to find gradients of steps.
        """
        for parameter in self._shown:
            parameter.grad = None
        self._slope, self._errors = None, noise
        if is_counted or kind == "straight":
            codes = self._row / self._steps
            if kind == "straight":
                self._errors = codes.round().sub_(codes)
            if is_counted:
                scales = self._sums(codes.abs()).div_(self._lengths)
                scale = scales.repeat_interleave(self._lengths, output_size=self.count)
                bits, self._slope = bits_and_slope(codes + self._errors, scale)
                self.bits = float(bits.sum())
        self._drawn.copy_(torch.addcmul(self._row, self._errors, self._steps))

    @torch.no_grad()
    def collect(self, cost: float) -> None:
        """Set the gradients of weights, and where bits were counted of steps, from those of ``drawing``.

        Args:
            cost: Of one bit.
        """
        row = torch.cat([_row(_gradient(parameter)) for parameter in self._shown]).float()
        if self._slope is not None:
            codes = self._row / self._steps
            by_step = torch.addcmul(row * self._errors * self._steps, self._slope, codes, value=-cost)
            self.log_steps.grad = self._sums(by_step).mul_(self._is_kernel)
            row.addcdiv_(self._slope, self._steps, value=cost)
        for parameter, part in zip(self._parameters.values(), torch.split(row, self._counts), strict=True):
            parameter.grad = _unrow(part, parameter)

    def _sums(self, row: Float[Tensor, " count"]) -> Float[Tensor, " tensors"]:
        """Sum over each tensor's numbers."""
        return torch.stack([part.sum() for part in torch.split(row, self._counts)])


def _gradient(parameter: nn.Parameter) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def _first_step(parameter: Tensor) -> float:
    if parameter.dim() < 2:
        return BIAS_STEP
    deviation = float(parameter.detach().std()) if parameter.numel() > 1 else 0.0
    return max(deviation, LEAST_DEVIATION) / STEPS_PER_DEVIATION


def _row(parameter: Tensor) -> Tensor:
    """A tensor's numbers side by side, channels last, as its memory has them."""
    return parameter.permute(0, 2, 3, 1).reshape(-1) if parameter.dim() == 4 else parameter.reshape(-1)


def _unrow(part: Tensor, like: Tensor) -> Tensor:
    """Undo :func:`_row` for a tensor of the shape of ``like``; it shares memory with ``part``."""
    if like.dim() != 4:
        return part.view(like.shape)
    outputs, inputs, rows, columns = like.shape
    return part.view(outputs, rows, columns, inputs).permute(0, 3, 1, 2)
