"""Vectors of a teacher: computed in batches of bounded size, checked, and scaled to length 1."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from nervid.errors import InputError
from nervid.teachers.record import TeacherRecord

Items = TypeVar("Items", Tensor, Sequence[str])


def unit_vectors(
    items: Items, compute: Callable[[Items], Tensor], *, batch: int, record: TeacherRecord
) -> Float[Tensor, "items dimension"]:
    """Compute one row per item, ``batch`` items at a time, and divide each row by its Euclidean length.

    Args:
        items: Frames ``[frames, 3, height, width]`` or texts, any number of them.
        compute: Gives the rows ``[items, dimension]`` of a part of the items, on any device; it runs
            without gradients.
        batch: Most items in one part.
        record: Whose vectors these are.

    Returns:
        float32 rows on the CPU, in the order of the items.

    Raises:
        InputError: If a value is NaN or infinite, a row has length 0 or another number of columns than the
            record says.
    """
    parts = [torch.empty(0, record.dimension)]
    for start in range(0, len(items), batch):
        with torch.inference_mode():
            rows = compute(items[start : start + batch]).to("cpu", torch.float64)
        # Outside inference mode: a fit uses these rows in its loss, where inference tensors are refused.
        parts.append(_unit_rows(rows, record))
    return torch.cat(parts)


def _unit_rows(
    rows: Float[Tensor, "items dimension"], record: TeacherRecord
) -> Float[Tensor, "items dimension"]:
    if rows.shape[1] != record.dimension:
        raise InputError(
            f"teacher {record.name}: wanted vectors of {record.dimension} numbers, got {rows.shape[1]}; its "
            "networks for pictures and text do not belong together, name another teacher"
        )
    lengths = rows.norm(dim=1, keepdim=True)
    if not bool(lengths.isfinite().all()):
        raise InputError(
            f"teacher {record.name}: wanted finite vectors, got NaN or infinity; its weights are damaged, "
            "fetch them again or name another teacher"
        )
    if bool((lengths == 0).any()):
        raise InputError(
            f"teacher {record.name}: wanted vectors with a direction, got zeros; name another teacher"
        )
    scaled: Tensor = rows / lengths
    return scaled.float()
