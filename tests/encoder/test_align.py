"""Heads keep a teacher's cosines, and losses are those of the paper."""

import numpy as np
import pytest
import torch

from nervid.decoder.alignment import StoredAlignment
from nervid.encoder.align import MOST_INPUTS, PrincipalDirections, aim
from nervid.fit.alignment import Alignment
from tests.encoder.teacher import DIMENSION, Fake, unit


def test_a_head_of_few_directions_keeps_the_cosine() -> None:
    generator = np.random.default_rng(0)
    vectors = unit(1 + generator.normal(size=(50, 3)) @ generator.normal(size=(3, DIMENSION)))
    directions = PrincipalDirections(vectors)
    inputs = directions.fewest(8)
    assert 1 <= inputs <= 4
    stored = StoredAlignment(Fake().record, directions.head(inputs, reach=0.5))
    aligned = aim(stored, vectors)
    drawn = stored.vectors(aligned.start())
    cosines = torch.nn.functional.cosine_similarity(drawn, torch.from_numpy(vectors))
    assert float(cosines.mean()) > 0.97
    # The projections' cosines, but for the head's 8 bits and the lengths of the projections.
    assert float(cosines.mean()) == pytest.approx(float(directions.cosines[inputs - 1]), abs=0.01)
    again = StoredAlignment.from_bytes(stored.to_bytes())
    assert torch.equal(again.vectors(aligned.start()), drawn)
    assert again.teacher == stored.teacher


def test_cosines_are_those_of_the_projections() -> None:
    vectors = unit(np.random.default_rng(1).normal(size=(40, DIMENSION)) + 0.3)
    mean = vectors.mean(axis=0)
    _, _, axes = np.linalg.svd(vectors - mean)
    for inputs, cosine in enumerate(PrincipalDirections(vectors).cosines, 1):
        near = mean + (vectors - mean) @ axes[:inputs].T @ axes[:inputs]
        assert cosine == pytest.approx(float((unit(near) * vectors).sum(axis=1).mean()), abs=1e-5)
    assert cosine == pytest.approx(1.0, abs=1e-5)


def test_a_film_of_many_scenes_has_a_head_of_many_directions() -> None:
    vectors = unit(np.random.default_rng(0).normal(size=(300, 100)))
    directions = PrincipalDirections(vectors)
    assert directions.fewest(8) == 8
    assert directions.fewest(40) == 40
    assert len(directions.cosines) == MOST_INPUTS
    scenes = unit(np.repeat(np.random.default_rng(0).normal(size=(25, 100)), 12, axis=0))
    assert 16 <= PrincipalDirections(scenes).fewest(MOST_INPUTS) <= 24


def test_a_clip_that_does_not_change_has_a_head_of_one_direction() -> None:
    vectors = np.full((4, DIMENSION), DIMENSION**-0.5, dtype=np.float32)
    directions = PrincipalDirections(vectors)
    assert directions.fewest(8) == 1
    drawn = directions.head(1, reach=0.5)(torch.zeros(4, 8))
    assert float(torch.nn.functional.cosine_similarity(drawn, torch.from_numpy(vectors)).min()) > 0.9999


def test_the_loss_is_one_minus_the_cosine() -> None:
    aligned = Alignment(
        weight=np.eye(2, dtype=np.float32),
        bias=np.zeros(2, dtype=np.float32),
        targets=np.array([[1, 0], [0, 1]], dtype=np.float32),
        strength=0.5,
    )
    latents = torch.tensor([[3.0, 4.0, 99.0], [0.0, 2.0, 99.0]])
    # Cosines 3/5 and 1; half of the mean of 2/5 and 0.
    assert float(aligned.loss(latents, torch.tensor([0, 1]))) == pytest.approx(0.1)
    assert torch.equal(aligned.start(), torch.tensor([[1.0, 0.0], [0.0, 1.0]]))


def test_the_name_of_an_alignment_is_its_content() -> None:
    weight, bias, targets = np.eye(2, dtype=np.float32), np.zeros(2, dtype=np.float32), np.eye(2)
    one, same, other = (
        Alignment(weight=weight.copy(), bias=bias + shift, targets=targets.astype(np.float32), strength=0.1)
        for shift in (0, 0, 1)
    )
    assert repr(one) == repr(same) != repr(other)


def test_without_a_map_the_numbers_are_the_vector() -> None:
    aligned = Alignment(
        weight=None, bias=None, targets=np.array([[2, 0], [0, 2]], dtype=np.float32), strength=0.5
    )
    assert aligned.inputs == 2
    latents = torch.tensor([[3.0, 4.0, 99.0], [0.0, 7.0, 99.0]])
    assert float(aligned.loss(latents, torch.tensor([0, 1]))) == pytest.approx(0.1)
    assert torch.equal(aligned.start(), torch.tensor([[2.0, 0.0], [0.0, 2.0]]))
