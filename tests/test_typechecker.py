"""Shapes are checked while testing: in every test, though not at every call."""

import numpy as np
import pytest
import torch
from jaxtyping import Float, TypeCheckError
from torch import Tensor

import nervid
from tests.typechecker import ALWAYS, THEN_EVERY, _some_calls, begin_test, check


def test_a_wrong_shape_is_refused() -> None:
    with pytest.raises(TypeCheckError):
        nervid.psnr(torch.zeros(3, 4, dtype=torch.uint8), torch.zeros(3, 4, dtype=torch.uint8))


def test_a_wrong_argument_of_a_constructor_is_refused() -> None:
    with pytest.raises(TypeCheckError):
        nervid.EncodeConfig(epochs="many")  # type: ignore[arg-type]


def test_the_first_calls_of_each_test_are_checked_and_then_some() -> None:
    def width(row: Float[Tensor, " width"]) -> int:
        return row.numel()

    some = _some_calls(width, check)

    def is_checked() -> bool:
        try:
            return not some(torch.zeros(2, 3))
        except TypeCheckError:
            return True

    count = ALWAYS + 3 * THEN_EVERY
    later = [call for call in range(ALWAYS + 1, count + 1) if call % THEN_EVERY == 0]
    for _ in range(2):
        begin_test()
        checked = np.flatnonzero([is_checked() for _ in range(count)]) + 1
        assert checked.tolist() == [*range(1, ALWAYS + 1), *later]
