import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nervid.compress.prune import magnitude_masks, sparsity_of
from nervid.errors import InputError


def test_the_smallest_weights_of_all_tensors_together_go() -> None:
    weights = {"a": torch.tensor([[1.0, -4.0]]), "b": torch.tensor([[0.5], [-3.0]]), "c": torch.tensor([0.1])}
    masks = magnitude_masks(weights, sparsity=0.5)
    assert masks["a"].tolist() == [[False, True]]
    assert masks["b"].tolist() == [[False], [True]]
    assert "c" not in masks


@given(sparsity=st.floats(0, 0.99), count=st.integers(1, 200), seed=st.integers(0, 100))
def test_exactly_the_asked_share_is_removed(sparsity: float, count: int, seed: int) -> None:
    weights = {"w": torch.randn(1, count, generator=torch.Generator().manual_seed(seed))}
    mask = magnitude_masks(weights, sparsity=sparsity)["w"]
    assert int((~mask).sum()) == int(sparsity * count)
    kept, gone = weights["w"][mask].abs(), weights["w"][~mask].abs()
    assert not len(gone) or gone.max() <= kept.min()


def test_equal_magnitudes_are_pruned_in_order() -> None:
    masks = magnitude_masks({"w": torch.ones(1, 4)}, sparsity=0.5)
    assert masks["w"].tolist() == [[False, False, True, True]]


def test_sparsity_counts_zeros_of_kernels_only() -> None:
    assert sparsity_of({"w": torch.tensor([[0.0, 1.0, 0.0, 2.0]]), "bias": torch.zeros(9)}) == 0.5
    assert sparsity_of({"bias": torch.zeros(9)}) == 0.0


@pytest.mark.parametrize("sparsity", [-0.1, 1.0])
def test_a_share_outside_zero_to_one_is_refused(sparsity: float) -> None:
    with pytest.raises(InputError, match="sparsity"):
        magnitude_masks({"w": torch.ones(1, 2)}, sparsity=sparsity)
