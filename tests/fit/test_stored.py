"""What is stored of a weight, and what a reader makes of it."""

import torch

from nervid.fit.start import Start
from nervid.fit.stored import StoredForm
from nervid.models.representation import EMBEDDINGS

CPU = torch.device("cpu")
PARAMETERS = {
    EMBEDDINGS: torch.tensor([[3.0, -3.0]]),
    "kernel": torch.tensor([[1.0, -2.0, 0.25, 4.0]]),
    "bias": torch.tensor([0.5]),
}
BASE = {"kernel": torch.tensor([[1.0, -1.75, 0.0, 1.0]]), "bias": torch.tensor([0.25])}
CHANGED = StoredForm.unpruned(Start(identity="a", base=BASE), CPU)


def test_without_a_base_the_numbers_are_the_very_parameters() -> None:
    for start in (None, Start(identity="a")):
        form = StoredForm.unpruned(start, CPU)
        numbers = form.numbers(PARAMETERS)
        assert all(numbers[name] is tensor for name, tensor in PARAMETERS.items())
        assert all(form.weights(numbers)[name] is tensor for name, tensor in PARAMETERS.items())


def test_with_a_base_the_numbers_are_changes_but_for_embeddings() -> None:
    numbers = CHANGED.numbers(PARAMETERS)
    assert numbers["kernel"].tolist() == [[0.0, -0.25, 0.25, 3.0]]
    assert numbers["bias"].tolist() == [0.25]
    assert numbers[EMBEDDINGS] is PARAMETERS[EMBEDDINGS]
    back = CHANGED.weights(numbers)
    assert all(torch.equal(back[name], tensor) for name, tensor in PARAMETERS.items())


def test_the_smallest_changes_are_pruned_and_leave_the_base() -> None:
    pruned = CHANGED.pruned(PARAMETERS, 0.5)
    assert {name: mask.tolist() for name, mask in pruned.masks.items()} == {
        "kernel": [[False, False, True, True]]
    }
    back = pruned.weights(pruned.numbers(PARAMETERS))
    assert back["kernel"].tolist() == [[1.0, -1.75, 0.25, 4.0]]
    assert CHANGED.pruned(PARAMETERS, 0.0) is CHANGED


def test_gradients_reach_the_parameters_unchanged() -> None:
    kernel = torch.tensor([[1.0, -2.0, 0.25, 4.0]], requires_grad=True)
    form = CHANGED.with_masks({"kernel": torch.tensor([[True, False, True, True]])})
    drawn = form.weights(form.numbers({"kernel": kernel}))["kernel"]
    (gradient,) = torch.autograd.grad((drawn * torch.tensor([[1.0, 2.0, 3.0, 4.0]])).sum(), kernel)
    assert gradient.tolist() == [[1.0, 0.0, 3.0, 4.0]]
