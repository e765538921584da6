import pytest
import torch

from nervid.compress.streams import encode_tensors
from nervid.fit.rate import BIAS_BITS, base_grids, coded_bytes, quantize_all, solve_grids


def network(seed: int = 1) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "stem.weight": torch.randn(16, 8, 3, 3, generator=generator) * 0.1,
        "stem.bias": torch.randn(16, generator=generator) * 0.01,
        "embeddings": torch.randn(20, 4, 2, 3, generator=generator) + 2,
    }


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95, 1.03])
def test_the_size_is_met_from_below_within_a_percent(share: float) -> None:
    tensors = network()
    grids = base_grids(tensors, bits=6)
    target = share * coded_bytes(tensors, grids)
    solved = solve_grids(tensors, grids, target_bytes=target)
    size = len(encode_tensors(quantize_all(tensors, solved)))
    assert 0.985 * target <= size <= target + 8


def test_a_size_beyond_the_finest_grids_gets_the_finest() -> None:
    tensors = network()
    grids = base_grids(tensors, bits=4)
    solved = solve_grids(tensors, grids, target_bytes=1e9)
    assert coded_bytes(tensors, solved) > coded_bytes(tensors, grids)
    assert solved["stem.weight"].step.item() == pytest.approx(
        0.6 * grids["stem.weight"].step.max().item(), rel=1e-2
    )


def test_biases_keep_their_grid_and_embeddings_get_a_centered_one() -> None:
    tensors = network()
    grids = base_grids(tensors, bits=5)
    solved = solve_grids(tensors, grids, target_bytes=0.6 * coded_bytes(tensors, grids))
    assert solved["stem.bias"] is grids["stem.bias"]
    assert grids["stem.bias"].bits == BIAS_BITS
    assert grids["embeddings"].offset.item() == pytest.approx(2, abs=0.7)


def test_one_step_in_all_wins_at_equal_error_even_for_channels_of_different_scale() -> None:
    """As rate-distortion theory has it: equal steps spend bits where they lower the error most."""
    weight = torch.randn(64, 200, generator=torch.Generator().manual_seed(1))
    weight *= torch.logspace(-3, 0, 64)[:, None]
    assert base_grids({"w": weight}, bits=6)["w"].axis is None


def test_embeddings_that_hardly_change_are_counted_as_they_are_coded() -> None:
    """Else a size would be met by half: the estimate has to predict in time where the coder does."""
    values = torch.randn(60, 4, 2, 3, generator=torch.Generator().manual_seed(1)).cumsum(0)
    grids = base_grids({"embeddings": values}, bits=6)
    coded = encode_tensors(quantize_all({"embeddings": values}, grids))
    assert coded_bytes({"embeddings": values}, grids) == pytest.approx(len(coded), abs=8)
    assert len(coded) < 0.8 * coded_bytes({"other": values}, {"other": grids["embeddings"]})
    target = 0.7 * len(coded)
    solved = solve_grids({"embeddings": values}, grids, target_bytes=target)
    assert 0.97 * target <= len(encode_tensors(quantize_all({"embeddings": values}, solved))) <= target + 8
