"""Optimizer: Adam, and Muon for the kernels, with a state that can be saved at any step."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim.adam import adam

from nervid.fit.recipe import OptimizerName

ADAM_EPSILON: Final = 1e-8
MUON_MOMENTUM: Final = 0.95
MUON_SCALE: Final = 0.2
"""Root mean square of a full Muon update over the learning rate: about Adam's, so that both take one rate."""
SMALLEST_SIDE: Final = 4
"""Kernels with fewer rows or columns, such as a head's, are left to Adam."""
FEWEST_IN_HALF: Final = 100_000
"""Numbers in a kernel from which Muon's products run in the type that they are given; smaller ones are up to
three times as fast in float32."""
_NEWTON_SCHULZ: Final = (3.4445, -4.7750, 2.0315)
_ITERATIONS: Final = 5


class Optimizer:
    """Changes parameters in place by their gradients.

    With "muon" every kernel that mixes channels is moved by its momentum made orthogonal: all directions in
    which gradients point count alike. Everything else - biases, depthwise windows, kernels of fewer than
    ``SMALLEST_SIDE`` channels, what is named in ``adam_only`` - is moved by Adam at the same learning rate.

    PyTorch's own optimizer classes are not used because the first of them loads its compiler: one second and
    77 MB (torch 2.13). Adam's arithmetic is PyTorch's fused kernel.

    Args:
        parameters: What is changed, by name; none on the "meta" device.
        kind: Which optimizer the kernels get.
        betas: Adam's decay rates of the first and second moment.
        adam_only: Names that Adam moves in any case, such as embeddings.
        dtype: Type of Muon's products for large kernels, bfloat16 where the hardware multiplies it natively,
            else float32.

    Source:
        Adam: Kingma and Ba (arXiv:1412.6980). Muon with its coefficients and Nesterov's momentum: K. Jordan
        et al., 2024 (kellerjordan.github.io/posts/muon); the scale ``0.2 sqrt(max(rows, columns))``: Liu et
        al. (arXiv:2502.16982), equation 4. No weight decay.
    """

    def __init__(
        self,
        parameters: Mapping[str, nn.Parameter],
        *,
        kind: OptimizerName,
        betas: tuple[float, float],
        adam_only: Collection[str] = (),
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._parameters, self._betas, self._dtype = dict(parameters), betas, dtype
        self._muon = [
            name
            for name, parameter in self._parameters.items()
            if kind == "muon" and name not in adam_only and _mixes_channels(parameter)
        ]
        self._adam = [name for name in self._parameters if name not in set(self._muon)]
        self._state: dict[str, Tensor] = {}

    def zero_gradients(self) -> None:
        """Forget the gradients."""
        for parameter in self._parameters.values():
            parameter.grad = None

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move every parameter that has a gradient, at learning rate ``rate``."""
        self._step_adam([name for name in self._adam if self._parameters[name].grad is not None], rate)
        self._step_muon([name for name in self._muon if self._parameters[name].grad is not None], rate)

    def state_tensors(self) -> dict[str, Tensor]:
        """Return moments and step counters by name; empty before the first step."""
        return dict(self._state)

    def load_state_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over copies of what :meth:`state_tensors` returned."""
        self._state = {}
        for key, tensor in tensors.items():
            # The fused kernel walks raw memory: moments must lie exactly as their parameter does, and on
            # CUDA the counter beside them; a checkpoint was read into main memory.
            parameter = self._parameters[key.partition(".")[2]]
            if tensor.shape == parameter.shape and not key.startswith("step."):
                self._state[key] = torch.empty_like(parameter, requires_grad=False).copy_(tensor)
            else:
                self._state[key] = tensor.to(parameter.device, copy=True)

    def _step_adam(self, names: Sequence[str], rate: float) -> None:
        if not names:
            return
        for name in names:
            if f"step.{name}" not in self._state:
                parameter = self._parameters[name]
                self._state[f"step.{name}"] = torch.zeros((), device=parameter.device)
                for moment in ("mean", "square"):
                    self._state[f"{moment}.{name}"] = torch.zeros_like(parameter, requires_grad=False)
        parameters = [self._parameters[name] for name in names]
        adam(
            list[Tensor](parameters),
            [parameter.grad for parameter in parameters if parameter.grad is not None],
            [self._state[f"mean.{name}"] for name in names],
            [self._state[f"square.{name}"] for name in names],
            [],
            [self._state[f"step.{name}"] for name in names],
            foreach=False,
            fused=True,
            amsgrad=False,
            beta1=self._betas[0],
            beta2=self._betas[1],
            lr=rate,
            weight_decay=0.0,
            eps=ADAM_EPSILON,
            maximize=False,
        )

    def _step_muon(self, names: Sequence[str], rate: float) -> None:
        if not names:
            return
        parameters = [self._parameters[name] for name in names]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        for name, parameter in zip(names, parameters, strict=True):
            if f"mean.{name}" not in self._state:
                self._state[f"mean.{name}"] = torch.zeros_like(parameter, requires_grad=False)
        momenta = [self._state[f"mean.{name}"] for name in names]
        torch._foreach_lerp_(momenta, gradients, 1 - MUON_MOMENTUM)
        ahead = torch._foreach_lerp(gradients, momenta, MUON_MOMENTUM)
        # Kernels of one shape go through the products together.
        groups: dict[tuple[int, int], list[tuple[nn.Parameter, Tensor]]] = {}
        for parameter, direction in zip(parameters, ahead, strict=True):
            dtype = self._dtype if parameter.numel() >= FEWEST_IN_HALF else torch.float32
            matrix = _matrix(direction.to(dtype))
            shape = (min(matrix.shape), max(matrix.shape))
            groups.setdefault(shape, []).append((parameter, matrix if shape == matrix.shape else matrix.mT))
        for (_, columns), members in groups.items():
            matrices = [matrix for _, matrix in members]
            updates = orthogonalize(torch.stack(matrices) if len(matrices) > 1 else matrices[0][None])
            for (parameter, _), update in zip(members, updates, strict=True):
                straight = update if len(update) == len(parameter) else update.mT
                parameter.sub_(
                    _kernel(straight, parameter).to(parameter.dtype), alpha=rate * MUON_SCALE * columns**0.5
                )


def unit_step(gradient: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Return the direction of a step whose length does not depend on the gradient's.

    A kernel that mixes channels goes along its gradient made orthogonal, as Muon without momentum would at a
    learning rate of 1; any other tensor along its gradient, at a root mean square of 1.

    Args:
        gradient: Of one parameter, that parameter's shape; twice differentiable.
        dtype: Type of the products; None for the gradient's own.
    """
    if not _mixes_channels(gradient):
        return gradient / (gradient.square().mean().sqrt() + ADAM_EPSILON)
    matrix = _matrix(gradient.to(dtype or gradient.dtype))
    is_wide = matrix.shape[0] <= matrix.shape[1]
    (update,) = orthogonalize((matrix if is_wide else matrix.mT)[None])
    straight = update if is_wide else update.mT
    step: Tensor = MUON_SCALE * max(matrix.shape) ** 0.5 * _kernel(straight, gradient).to(gradient.dtype)
    return step


def orthogonalize(matrices: Float[Tensor, "batch rows columns"]) -> Float[Tensor, "batch rows columns"]:
    """Return matrices of the same singular vectors with all singular values near 1, between 0.7 and 1.2.

    Five Newton-Schulz iterations ``X <- a X + (b A + c A A) X``, ``A = X X^T``, from ``X`` of norm 1. A
    singular value grows at most ``a**5 = 485`` times: those far below the norm stay below 0.7, zero stays
    zero.

    Args:
        matrices: Float32 or bfloat16, which is enough; cheaper with no more rows than columns.

    Source:
        K. Jordan et al., 2024 (kellerjordan.github.io/posts/muon), with its coefficients.
    """
    a, b, c = _NEWTON_SCHULZ
    x: Tensor = matrices / (torch.linalg.matrix_norm(matrices, keepdim=True) + 1e-7)
    for _ in range(_ITERATIONS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x


def _mixes_channels(parameter: Tensor) -> bool:
    return parameter.dim() >= 2 and parameter.shape[1] > 1 and min(_matrix(parameter).shape) >= SMALLEST_SIDE


def _matrix(kernel: Tensor) -> Float[Tensor, "rows columns"]:
    """A kernel as output channels times all else, columns as they lie in a channels-last one."""
    return kernel.movedim(1, -1).reshape(len(kernel), -1)


def _kernel(matrix: Float[Tensor, "rows columns"], like: Tensor) -> Tensor:
    """Undo :func:`_matrix` for a kernel of the shape of ``like``."""
    return matrix.reshape(like.movedim(1, -1).shape).movedim(-1, 1)
