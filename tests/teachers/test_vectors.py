"""Vectors come in bounded batches, of length 1, fit for a loss, or not at all."""

import pytest
import torch
from torch import Tensor

from nervid.errors import InputError
from nervid.teachers import TeacherRecord
from nervid.teachers.vectors import unit_vectors

RECORD = TeacherRecord(name="t", revision="1", sha256="00" * 32, dimension=2)
FRAMES = torch.zeros(5, 3, 2, 2, dtype=torch.uint8)


def constant(*row: float) -> Tensor:
    return unit_vectors(
        FRAMES, lambda part: torch.tensor([row]).expand(len(part), -1), batch=2, record=RECORD
    )


def test_rows_are_divided_by_their_length() -> None:
    assert constant(3.0, 4.0).tolist() == torch.tensor([[0.6, 0.8]] * 5).tolist()


def test_a_batch_holds_at_most_as_many_items_as_allowed() -> None:
    sizes = []

    def compute(part: Tensor) -> Tensor:
        sizes.append(len(part))
        return torch.ones(len(part), 2)

    unit_vectors(FRAMES, compute, batch=2, record=RECORD)
    assert sizes == [2, 2, 1]


def test_rows_keep_the_order_of_the_items() -> None:
    texts = ["a", "bb", "ccc"]
    rows = unit_vectors(
        texts, lambda part: torch.tensor([[len(t), 1.0] for t in part]), batch=2, record=RECORD
    )
    assert torch.allclose(rows[:, 0] / rows[:, 1], torch.tensor([1.0, 2.0, 3.0]))


def test_no_items_give_no_rows() -> None:
    assert unit_vectors([], lambda _: torch.ones(1, 2), batch=2, record=RECORD).shape == (0, 2)


def test_tiny_half_precision_rows_still_get_length_one() -> None:
    rows = unit_vectors(FRAMES, lambda part: torch.full((len(part), 2), 1e-7).half(), batch=2, record=RECORD)
    assert torch.allclose(rows, torch.full((5, 2), 0.5**0.5))


def test_a_loss_can_use_the_rows() -> None:
    latent = torch.ones(5, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad((latent * constant(3.0, 4.0)).sum(), latent)
    assert torch.allclose(gradient, torch.tensor([0.6, 0.8]).expand(5, 2))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(InputError, match="teacher t: wanted finite vectors, got NaN or infinity"):
        constant(1.0, value)


def test_a_row_without_direction_is_refused() -> None:
    with pytest.raises(InputError, match="teacher t: wanted vectors with a direction, got zeros"):
        constant(0.0, 0.0)


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(InputError, match="teacher t: wanted vectors of 2 numbers, got 3"):
        constant(1.0, 2.0, 3.0)
