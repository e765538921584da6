"""Layouts: the papers' strides at the papers' sizes, and a bounded padding at all others."""

from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervid.errors import InputError
from nervid.models.layout import HNERV_BASE_AREA, NERV_BASE_AREA, Layout, find_layout

SIDES = st.integers(16, 4096)
AREAS = st.sampled_from([HNERV_BASE_AREA, NERV_BASE_AREA])


@pytest.mark.parametrize(
    ("height", "width", "base_area", "base", "strides"),
    [
        (640, 1280, 8, (2, 4), (5, 4, 4, 2, 2)),
        (480, 960, 8, (2, 4), (5, 4, 3, 2, 2)),
        (960, 1920, 8, (2, 4), (5, 4, 4, 3, 2)),
        (720, 1280, 8, (9, 16), (5, 2, 2, 2, 2)),
        (720, 1280, 144, (9, 16), (5, 2, 2, 2, 2)),
        (1080, 1920, 144, (9, 16), (5, 3, 2, 2, 2)),
        (360, 640, 144, (9, 16), (5, 2, 2, 2)),
        (180, 320, 144, (9, 16), (5, 2, 2)),
    ],
)
def test_the_papers_sizes_get_the_papers_layouts_and_portrait_mirrors_them(
    height: int, width: int, base_area: int, base: tuple[int, int], strides: tuple[int, ...]
) -> None:
    assert find_layout(height, width, base_area=base_area) == Layout(*base, strides)
    assert find_layout(width, height, base_area=base_area) == Layout(*base[::-1], strides)


@pytest.mark.parametrize(
    ("height", "width", "base", "strides"),
    [(180, 320, (3, 5), (4, 4, 4)), (360, 640, (3, 5), (4, 4, 4, 2)), (640, 1280, (2, 4), (5, 4, 4, 2, 2))],
)
def test_small_frames_get_few_stages_and_a_small_base_map(
    height: int, width: int, base: tuple[int, int], strides: tuple[int, ...]
) -> None:
    layout = find_layout(height, width, base_area=HNERV_BASE_AREA, few_stages=True)
    assert layout == Layout(*base, strides)


@given(SIDES, SIDES, AREAS)
def test_any_frame_is_covered_with_less_than_one_site_to_spare(
    height: int, width: int, base_area: int
) -> None:
    layout = find_layout(height, width, base_area=base_area)
    total = prod(layout.strides)
    assert 0 <= layout.padded_height - height < total
    assert 0 <= layout.padded_width - width < total
    assert 1 <= len(layout.strides) <= 5
    assert all(2 <= stride <= 5 for stride in layout.strides)
    assert list(layout.strides) == sorted(layout.strides, reverse=True)


@given(st.integers(64, 4096), st.integers(64, 4096), AREAS)
def test_padding_adds_less_than_three_tenths_from_64_pixels_up(
    height: int, width: int, base_area: int
) -> None:
    layout = find_layout(height, width, base_area=base_area)
    assert layout.padded_height * layout.padded_width / (height * width) - 1 < 0.3


@given(SIDES, SIDES, AREAS)
def test_layouts_of_portrait_frames_mirror_landscape_ones(height: int, width: int, base_area: int) -> None:
    layout = find_layout(height, width, base_area=base_area)
    mirror = find_layout(width, height, base_area=base_area)
    assert mirror == Layout(layout.base_width, layout.base_height, layout.strides)


@pytest.mark.parametrize(("height", "width"), [(15, 64), (64, 15), (4097, 64), (64, 4097), (0, 0)])
def test_sides_outside_the_limits_are_refused_by_name(height: int, width: int) -> None:
    with pytest.raises(InputError, match=r"(height|width) must be 16 to 4096 pixels, got \d+; resize"):
        find_layout(height, width, base_area=8)


def test_a_base_area_below_one_is_refused() -> None:
    with pytest.raises(InputError, match="base_area must be at least 1, got 0"):
        find_layout(64, 64, base_area=0)
