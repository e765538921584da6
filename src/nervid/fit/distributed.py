"""Several processes that fit one segment together: each takes part of every batch, gradients are summed."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from math import sqrt
from typing import Final, TypeVar

import torch
import torch.distributed as dist
from jaxtyping import Int
from torch import Tensor

from nervid.errors import InputError, NervidError
from nervid.fit.recipe import Recipe

Value = TypeVar("Value")

WAIT: Final = timedelta(minutes=30)
"""Longest that a rank waits for another, which may be coding, measuring or saving alone; then it gives up."""
_PR_SET_PDEATHSIG = 1


class ElsewhereError(NervidError):
    """Another rank met an error, or ended; it has told why."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """The processes of one fit, as one of them sees them; a single one exchanges nothing.

    All ranks run the same program on the same frames, on devices of one kind. They differ in the frames of a
    batch that they draw, and in that the first one alone keeps files and tells progress. What decides the
    next step (gradients, loss, a wish to stop, results) is exchanged, so that all of them take the same one.

    Gradients are summed by one ``all_reduce`` per step over all of them in one flat tensor. torch's
    ``DistributedDataParallel`` does the same in buckets, during the backward pass, for the ``forward`` of one
    module; a fit draws through an encoder and a decoder, then through quantized copies of the weights, a part
    of the batch at a time, and its gradients are a few megabytes.
    """

    number: int = 0
    """This process, from 0."""
    size: int = 1
    """How many there are."""
    device: str = "cpu"
    """Where this one fits; without meaning if it is alone."""

    @property
    def is_first(self) -> bool:
        """Whether this process keeps files and tells progress."""
        return self.number == 0

    def share(self, indices: Int[Tensor, " batch"]) -> Int[Tensor, " share"]:
        """Return this rank's frames of a batch, every ``size``-th; none where the batch is too small."""
        return indices[self.number :: self.size]

    def sum_gradients(self, parameters: Iterable[Tensor], numbers: Sequence[float]) -> list[float]:
        """Add up gradients and some numbers over all ranks, in place for the gradients.

        Args:
            parameters: The same on all ranks; one without a gradient counts as zeros.
            numbers: To be added up in float32, along with the gradients.

        Returns:
            The sums of ``numbers``, equal on all ranks to the last bit, as the gradients are.

        Raises:
            ElsewhereError: If another rank has ended.
        """
        if self.size == 1:
            return list(numbers)
        fitted = [parameter for parameter in parameters if parameter.requires_grad]
        gradients = []
        for parameter in fitted:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        flat = torch.cat([gradient.flatten() for gradient in gradients] + [fitted[0].new_tensor(numbers)])
        with _others_needed():
            dist.all_reduce(flat)
        parts = torch.split(flat, [*(gradient.numel() for gradient in gradients), len(numbers)])
        for gradient, part in zip(gradients, parts, strict=False):
            gradient.copy_(part.view(gradient.shape))
        return [float(number) for number in parts[-1].tolist()]

    def any(self, is_true: bool) -> bool:
        """Return whether it is true on any rank.

        Raises:
            ElsewhereError: If another rank has ended.
        """
        if self.size == 1:
            return is_true
        count = torch.tensor(int(is_true))
        with _others_needed():
            dist.all_reduce(count)
        return bool(count)

    def wait(self) -> None:
        """Return when all ranks have come here.

        Raises:
            ElsewhereError: If another rank has ended.
        """
        self.any(False)

    def from_first(self, value: Value) -> Value:
        """Return the first rank's value on all of them; it has to be picklable.

        Raises:
            ElsewhereError: If another rank has ended.
        """
        return self.by_first(lambda: value)

    def by_first(self, work: Callable[[], Value]) -> Value:
        """Let the first rank alone work, and return its result on all of them; it has to be picklable.

        Raises:
            ElsewhereError: If another rank has ended.
        """
        if self.size == 1:
            return work()
        result: list[Value | None] = [work() if self.is_first else None]
        with _others_needed():
            dist.broadcast_object_list(result)
        return result[0]  # type: ignore[return-value]

    @contextmanager
    def agreed(self) -> Iterator[None]:
        """Do something on all ranks, and go on only if it went well on every one.

        Raises:
            NervidError: What was raised inside, on the first rank on which anything was.
            ElsewhereError: In its place on all others, so that one rank alone tells the user.
        """
        error: NervidError | None = None
        try:
            yield
        except NervidError as met:
            error = met
        failed = [error is not None]
        if self.size > 1:
            with _others_needed():
                gathered: list[bool | None] = [None] * self.size
                dist.all_gather_object(gathered, error is not None)
            failed = [bool(each) for each in gathered]
        if not any(failed):
            return
        if error is not None and not any(failed[: self.number]):
            raise error
        raise ElsewhereError(f"rank {failed.index(True)} cannot go on")


ALONE: Final = Ranks()
"""One process, the usual case."""


def shared_recipe(recipe: Recipe, ranks: int) -> Recipe:
    """Return the recipe with a batch that has at least one frame for each of ``ranks`` processes.

    A batch that is large enough stays as it is, and the fit takes the same steps as in one process. A smaller
    one is raised to one frame per rank, so that an epoch has fewer steps, and the learning rate is multiplied
    by the square root of the same factor.

    Source:
        Malladi et al., NeurIPS 2022 (arXiv:2205.10287): for Adam the rate scales with the square root of the
        batch. Its other half, larger 1 - beta, is left out.
    """
    if ranks <= recipe.batch_size:
        return recipe
    factor = ranks / recipe.batch_size
    return replace(recipe, batch_size=ranks, learning_rate=recipe.learning_rate * sqrt(factor))


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Join the other processes that ``torchrun`` started; without it, or with one process, be alone.

    Gradients travel by NCCL between CUDA devices and by Gloo between processors, everything else by Gloo.

    Args:
        device: "auto", "cpu" or "cuda". With CUDA every process takes the device of its local rank.

    Raises:
        InputError: If ``device`` names particular devices, or there are fewer of them than processes; on the
            first process of a machine, the others raise ElsewhereError.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or not dist.is_torchelastic_launched():
        yield ALONE
        return
    own = _own_device(device)
    _end_with_parent()
    if own != "cpu":
        torch.cuda.set_device(own)
    dist.init_process_group("gloo" if own == "cpu" else "cpu:gloo,cuda:nccl", timeout=WAIT)
    try:
        yield Ranks(number=dist.get_rank(), size=size, device=own)
    except BaseException:
        # NCCL might wait here for ranks that are gone or in the midst of a step; torchrun ends them.
        if own == "cpu":
            dist.destroy_process_group()
        raise
    dist.destroy_process_group()


def _own_device(device: str) -> str:
    """The device of this process; what is wrong is told once per machine."""
    local, processes = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "cpu" or (device == "auto" and not count):
        return "cpu"
    error = None
    if device not in ("auto", "cuda"):
        error = f"under torchrun each process takes a device by itself, got {device!r}; use auto, cpu or cuda"
    elif processes > count:
        error = (
            f"torchrun started {processes} processes here, but there are {count} CUDA devices; "
            f"use --nproc-per-node={max(count, 1)} or --device cpu"
        )
    if error is None:
        return f"cuda:{local}"
    raise InputError(error) if local == 0 else ElsewhereError(error)


def _end_with_parent() -> None:
    """Let the kernel end this process when torchrun is killed: it would go on beside its successor."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@contextmanager
def _others_needed() -> Iterator[None]:
    """Turn the failure of an exchange into one line: another rank has gone."""
    try:
        yield
    except RuntimeError as error:
        raise ElsewhereError(
            "another process of this fit ended; see torchrun's report, then run the same command to go on"
        ) from error
