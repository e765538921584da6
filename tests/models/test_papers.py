"""The papers' tables: every width and every parameter count that they or their code give."""

from typing import Literal

import pytest

from nervid.errors import InputError
from nervid.models.config import embedding_count, parameter_count
from nervid.models.papers import hnerv_channels, hnerv_paper, nerv_baseline, nerv_paper


@pytest.mark.parametrize(
    ("size", "widths", "total", "total_80_levels", "parts"),
    [
        ("S", (26, 26, 96, 96, 96, 96), 3_201_905, 3_242_865, (41_472, 1_920_672, 152_750, 90_240)),
        ("M", (58, 58, 96, 96, 96, 96), 6_282_001, 6_322_961, (41_472, 4_284_576, 758_350, 200_832)),
        ("L", (112, 112, 96, 96, 96, 96), 12_524_563, 12_565_523, (41_472, 8_273_664, 2_825_200, 387_456)),
    ],
)
def test_nerv_has_the_papers_widths_and_parameters(
    size: Literal["S", "M", "L"],
    widths: tuple[int, ...],
    total: int,
    total_80_levels: int,
    parts: tuple[int, ...],
) -> None:
    config = nerv_paper(size)
    assert config.widths == widths
    assert tuple(layer.parameters for layer in config.layers) == (*parts, 332_160, 332_160, 332_160, 291)
    assert parameter_count(config) == total
    assert parameter_count(nerv_paper(size, levels=80)) == total_80_levels
    assert embedding_count(config) == 0


@pytest.mark.parametrize(
    ("model_size", "widths", "total_without_head"),
    [
        (0.35, (32, 27, 22, 18, 15, 12), 329_399),
        (0.75, (48, 40, 33, 28, 23, 19), 735_636),
        (1.5, (68, 57, 48, 40, 33, 28), 1_504_413),
        (3.0, (97, 81, 68, 57, 48, 40), 3_028_499),
    ],
)
def test_hnerv_has_the_papers_channels_and_parameters(
    model_size: float, widths: tuple[int, ...], total_without_head: int
) -> None:
    config = hnerv_paper(model_size)
    assert config.widths == widths
    assert config.strides == (5, 4, 4, 2, 2)
    assert config.embedding_shape == (16, 2, 4)
    assert config.kernels == (1, 3, 5, 5, 5)
    assert embedding_count(config) == 16_896
    head = config.layers[-1].parameters
    assert head == 27 * widths[-1] + 3
    assert parameter_count(config) + embedding_count(config) - head == total_without_head


@pytest.mark.parametrize(
    ("height", "width", "strides", "channels"),
    [(480, 960, (5, 4, 3, 2, 2), 109), (960, 1920, (5, 4, 4, 3, 2), 91)],
)
def test_the_solver_matches_the_published_code_at_600_frames(
    height: int, width: int, strides: tuple[int, ...], channels: int
) -> None:
    config = hnerv_paper(3.0, frames=600, height=height, width=width)
    assert (config.strides, config.channels) == (strides, channels)


def test_a_model_smaller_than_its_embeddings_is_refused() -> None:
    with pytest.raises(InputError, match=r"beside 16896 embedding numbers, got 0\.01 million"):
        hnerv_channels(0.01, embedding_numbers=16_896, strides=(5, 4, 4, 2, 2))


def test_hnervs_nerv_has_the_widths_and_parameters_of_its_code() -> None:
    config = nerv_baseline(1.5)
    assert config.widths == (54, 27, 14, 12, 12)
    stem = 160 * 54 * 128 + 54 * 128
    blocks = (54 * 675 * 9 + 675) + (27 * 224 * 9 + 224) + (14 * 48 * 9 + 48) + (12 * 48 * 9 + 48)
    assert parameter_count(config) == stem + blocks + 12 * 3 * 9 + 3 == 1_507_868


@pytest.mark.parametrize("model_size", [0.35, 0.75, 1.5, 3.0])
def test_hnervs_nerv_is_near_its_nominal_size(model_size: float) -> None:
    assert parameter_count(nerv_baseline(model_size)) == pytest.approx(1e6 * model_size, rel=0.04)


def test_hnervs_nerv_of_no_channel_is_refused() -> None:
    with pytest.raises(InputError, match=r"room for one channel, got 0\.01 million"):
        nerv_baseline(0.01)
