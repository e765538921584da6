from dataclasses import replace
from math import prod

import pytest
import torch

from nervid.errors import FormatError, InputError
from nervid.models.config import NervidConfig, embedding_count, from_json, parameter_count, to_json
from nervid.models.config.feature_grid import MixedGrid
from nervid.models.mixing import mix_knots, touched_knots
from nervid.models.nervid_sizing import solve_nervid
from nervid.models.sizing import macs_per_pixel
from tests.models.nervid_samples import CONFIG, network


def test_parameters_are_those_of_projections_residual_convolutions_and_enlarging() -> None:
    first = (5 * 8 * 9 + 8) + (8 * 8 * 9 + 8) + (8 * 4 * 6 + 4 * 6)
    second = 6 * 4 * 4 + 4 * 4
    third = (1 * 4 * 9 + 4) + 2 * (4 * 4 * 9 + 4) + (4 * 4 * 3 * 9 + 4 * 3)
    assert parameter_count(CONFIG) == first + second + third
    assert sum(weight.numel() for _, weight in network().named_weights()) == first + second + third


def test_a_feature_grid_has_a_knot_in_front_of_behind_and_between_the_frames() -> None:
    shapes = [grid.shape for grid in CONFIG.feature_grids]
    # Frames 0 to 9: knots at 0, 3, 6, 9; one for all; at 0, 4, 8, 12.
    assert shapes == [(4, 3, 3, 4), (1, 2, 3, 4), (4, 1, 12, 16)]
    assert embedding_count(CONFIG) == sum(prod(shape) for shape in shapes)
    assert CONFIG.embedding_shape == (3 * 12 + 2 * 12 + 192,)


def test_latents_are_stored_beside_feature_grids_and_change_nothing_else() -> None:
    searchable = replace(CONFIG, latents=5)
    assert embedding_count(searchable) == embedding_count(CONFIG) + 10 * 5
    assert searchable.embedding_shape == CONFIG.embedding_shape
    assert searchable.layers == CONFIG.layers


def test_a_file_without_latents_does_not_name_them() -> None:
    assert "latents" not in to_json(CONFIG)
    assert to_json(replace(CONFIG, latents=5)) == {**to_json(CONFIG), "latents": 5}
    assert from_json({**to_json(CONFIG), "latents": 5}) == replace(CONFIG, latents=5)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0, "latents must be left out where it is 0"),
        (-1, "latents must be 0 to 4096"),
        (4097, "latents must be 0 to 4096, got 4097"),
        (2.0, "field latents cannot be 2.0"),
        (False, "field latents cannot be this bool"),
    ],
)
def test_other_latents_are_refused(value: object, message: str) -> None:
    with pytest.raises(FormatError, match=f"{message}[^\n]*; the file is damaged"):
        from_json({**to_json(CONFIG), "latents": value})


def test_multiply_accumulates_count_every_stage_at_its_own_size() -> None:
    first = (5 * 8 * 9 + 8 * 8 * 9 + 8 * 24) * 12
    second = 6 * 16 * 48
    third = (1 * 4 * 9 + 2 * 4 * 4 * 9 + 4 * 12 * 9) * 192
    assert macs_per_pixel(CONFIG) == (first + second + third) / (20 * 30)


@pytest.mark.parametrize(
    ("index", "places"),
    [(0, ((0, 1.0),)), (4, ((1, 1.0),)), (5, ((1, 0.75), (2, 0.25))), (9, ((2, 0.75), (3, 0.25)))],
)
def test_a_frame_is_mixed_from_its_two_nearest_knots(
    index: int, places: tuple[tuple[int, float], ...]
) -> None:
    assert MixedGrid(stage=0, span=4, shape=(4, 1, 2, 2)).places(index) == (places,)


def test_only_knots_that_frames_need_are_touched() -> None:
    grid = MixedGrid(stage=0, span=4, shape=(6, 1, 1, 1))
    knots, shares = touched_knots(grid, [17, 1])
    assert knots == [0, 1, 4, 5]
    assert shares.tolist() == [[0, 0, 0.75, 0.25], [0.75, 0.25, 0, 0]]
    values = torch.tensor([10.0, 20.0, 30.0, 40.0]).view(4, 1, 1, 1)
    assert mix_knots(values, shares).tolist() == [[32.5], [12.5]]


def test_an_embedding_holds_the_mixed_numbers_of_every_grid_in_order() -> None:
    net = network()
    with torch.no_grad():
        for number, grid in net.grids.items():
            grid.copy_(torch.arange(grid.numel()).view(grid.shape) + 1000 * int(number))
    embedding = net.embed(torch.tensor([4]))[0]
    rows = 36 * 1.0 + torch.arange(36) + 36 / 3  # knots 1 and 2 with shares 2/3 and 1/3
    torch.testing.assert_close(embedding[:36], rows)
    torch.testing.assert_close(embedding[36:60], 1000 + torch.arange(24.0))
    torch.testing.assert_close(embedding[60:], 2000 + 192 + torch.arange(192.0))


def test_every_feature_grid_changes_what_is_drawn() -> None:
    net = network()
    frame = net(torch.tensor([4]))
    assert frame.shape == (1, 3, 20, 30)
    for grid in net.grids.values():
        with torch.no_grad():
            grid.add_(1)
        changed = net(torch.tensor([4]))
        assert (changed - frame).abs().max() > 1e-4
        frame = changed


def test_a_frame_does_not_depend_on_those_drawn_with_it() -> None:
    net = network()
    with torch.no_grad():
        for grid in net.grids.values():
            grid.normal_(generator=torch.Generator().manual_seed(1))
    together = net(torch.tensor([7, 2]))
    torch.testing.assert_close(together[1:], net(torch.tensor([2])))


def test_colors_lie_around_gray_and_are_cut_off() -> None:
    assert network().squash(torch.tensor([-0.7, -0.25, 0.0, 0.5, 2.0])).tolist() == [0, 0.25, 0.5, 1, 1]


def test_a_config_survives_json() -> None:
    assert from_json(to_json(CONFIG)) == CONFIG


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": (8, 6)}, "channels must be 3 numbers, each 1 to 4096"),
        ({"depths": (1, 0, 17)}, "depths must be 3 numbers, each 0 to 16"),
        ({"grid_stages": (0, 0, 3)}, "grid_stages must be 3 numbers, each 0 to 2"),
        ({"grid_stages": (1, 1, 2)}, "the first one first"),
        ({"grid_stages": (0, 2, 1)}, "ascending order"),
        ({"grid_spans": (3, 10, 0)}, "grid_spans must be 3 numbers, each 1 to"),
        ({"grid_stages": (), "grid_channels": (), "grid_spans": ()}, "must name 1 to 16 stages"),
        ({"grid_channels": (4096, 4096, 4096), "frames": 2**20}, "at most 268435456 numbers"),
    ],
)
def test_configs_that_no_network_can_have_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(CONFIG, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 4096), (360, 640), (720, 1280)])
@pytest.mark.parametrize("budget", [1000, 60_000, 20_000_000])
def test_any_size_of_frame_and_file_has_a_network_below_ten_thousand_operations_a_pixel(
    height: int, width: int, budget: int
) -> None:
    config = solve_nervid(frames=132, height=height, width=width, budget_bytes=budget)
    is_large = height * width >= 480 * 270
    assert config.strides == ((2, 2, 2, 4) if is_large else (2, 2, 2, 2))
    assert 0 <= config.padded_height - height < (32 if is_large else 16)
    assert 0 <= config.padded_width - width < (32 if is_large else 16)
    assert macs_per_pixel(config) <= 10_000


def test_larger_files_have_larger_networks() -> None:
    counts = [
        parameter_count(solve_nervid(frames=10, height=64, width=64, budget_bytes=size))
        for size in (1000, 10_000, 60_000, 250_000)
    ]
    assert counts == sorted(set(counts))


@pytest.mark.parametrize(("height", "width"), [(160, 320), (720, 1280)])
def test_the_arithmetic_of_a_pixel_has_a_dial(height: int, width: int) -> None:
    def solved(complexity: float) -> NervidConfig:
        return solve_nervid(
            frames=132, height=height, width=width, budget_bytes=400_000, complexity=complexity
        )

    macs = [macs_per_pixel(solved(most)) for most in (1, 3, 10, 40)]
    assert macs == sorted(set(macs))
    assert all(found <= 1000 * most for found, most in zip(macs, (1, 3, 10, 40), strict=True))
    # No more is left unused than the next step of 8 channels takes, where arithmetic is what ends it.
    assert macs[0] > 600
    assert solved(10) == solve_nervid(frames=132, height=height, width=width, budget_bytes=400_000)


def test_arithmetic_below_the_smallest_network_is_refused() -> None:
    with pytest.raises(InputError, match=r"takes 0\.\d+ thousand multiply-accumulates a pixel, complexity"):
        solve_nervid(frames=8, height=64, width=64, budget_bytes=9000, complexity=0.01)


@pytest.mark.parametrize(
    ("budget", "channels"),
    [
        (165_000, (8, 8, 4, 4)),
        (167_000, (16, 16, 8, 8)),
        (333_000, (32, 32, 16, 16)),
        (9**9, (32, 32, 16, 16)),
    ],
)
def test_where_bits_abound_feature_grids_get_more_channels(budget: int, channels: tuple[int, ...]) -> None:
    """302,400 numbers at the least: 67 and 18 knots of 8 channels, and twice 5 of 4."""
    config = solve_nervid(frames=132, height=160, width=320, budget_bytes=budget)
    assert config.grid_channels == channels
    assert config.stored_embedding_count == 302_400 * channels[0] // 8


@pytest.mark.parametrize(
    ("height", "width", "shapes"),
    [
        (180, 320, [(1, 4, 48, 80), (1, 3, 96, 160)]),
        (720, 1280, [(1, 4, 92, 160), (1, 8, 184, 320)]),
    ],
)
def test_a_background_has_a_single_knot_and_so_has_the_grid_below(
    height: int, width: int, shapes: list[tuple[int, ...]]
) -> None:
    size = {"frames": 100, "height": height, "width": width}
    config = solve_nervid(**size, budget_bytes=60_000, has_background=True)  # type: ignore[arg-type]
    plain = solve_nervid(**size, budget_bytes=60_000)  # type: ignore[arg-type]
    assert [grid.shape for grid in config.feature_grids[-2:]] == shapes
    assert [grid.places(37) for grid in config.feature_grids[-2:]] == [(((0, 1.0),),)] * 2
    assert config.feature_grids[:3] == plain.feature_grids[:3]
    # The last stage alone has more weights: a projection of 3x3.
    more = 9 * shapes[1][1] * config.channels[-1] + config.channels[-1]
    assert parameter_count(config) - parameter_count(plain) == more


@pytest.mark.parametrize(
    ("height", "width", "last", "last_beside_a_background"),
    [(252, 480, 2, 2), (270, 480, 4, 2), (536, 960, 4, 2), (540, 960, 4, 4)],
)
def test_large_frames_end_at_a_quarter_of_their_sides_later_with_a_background(
    height: int, width: int, last: int, last_beside_a_background: int
) -> None:
    strides = {
        has_background: solve_nervid(
            frames=96, height=height, width=width, budget_bytes=60_000, has_background=has_background
        ).strides
        for has_background in (False, True)
    }
    assert strides == {False: (2, 2, 2, last), True: (2, 2, 2, last_beside_a_background)}
