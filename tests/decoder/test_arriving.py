"""Feature grids that are decoded as far as frames need them: the same frames, whatever is drawn first."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

import nervid
from nervid.compress.feature_sections import QuantizedFeatureGrid, encode_feature_grids, read_feature_knots
from nervid.compress.knots import KnotOrder, knots_by_need
from nervid.container import EMBD, MODL, WGHT, NervFile
from nervid.decoder import arriving
from nervid.decoder.arriving import ArrivingGrids
from nervid.decoder.network import draw_frame, load_network
from nervid.errors import CorruptSectionError
from nervid.models.config import NervidConfig
from nervid.models.nervid import Nervid
from nervid.models.registry import build

CONFIG = NervidConfig(
    frames=9,
    height=16,
    width=24,
    base_height=2,
    base_width=3,
    strides=(2, 2, 2),
    channels=(8, 8, 6),
    depths=(1, 0, 1),
    grid_stages=(0, 1, 1),
    grid_channels=(4, 3, 2),
    grid_spans=(1, 4, 9),
    interleaved=True,
)


@pytest.fixture(scope="module")
def data() -> bytes:
    """A file of two segments of nervid."""
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 256, (16, 32, 48, 3), dtype=np.uint8)
    return nervid.encode(nervid.read(frames), model="nervid", size="9kB", epochs=6, max_segment_frames=8).data


@pytest.fixture
def section() -> bytes:
    rng = np.random.default_rng(2)
    return encode_feature_grids(
        [
            QuantizedFeatureGrid(
                torch.from_numpy(np.rint(rng.laplace(0, 3, grid.shape)).astype(np.int16)),
                torch.full((grid.shape[1],), 0.5),
            )
            for grid in CONFIG.feature_grids
        ],
        CONFIG.knot_order,
    )


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Every knot, as its grid and number, when it has been decoded."""
    found: list[tuple[int, int]] = []

    def reading(data: bytes, *order: Any) -> Iterator[Any]:  # noqa: ANN401
        for place, values in read_feature_knots(data, *order):
            found.append(place)
            yield place, values

    monkeypatch.setattr(arriving, "read_feature_knots", reading)
    return found


@pytest.fixture
def network(section: bytes, decoded: list[tuple[int, int]]) -> Nervid:
    network = build(CONFIG).requires_grad_(False)
    assert isinstance(network, Nervid)
    grids = ArrivingGrids(CONFIG, section)
    network.load_state_dict(grids.empty(), strict=False)
    grids.fill(network)
    return network


def test_frames_are_those_of_a_network_that_has_all_its_knots(data: bytes) -> None:
    with NervFile.open(io.BytesIO(data)) as file, nervid.open(io.BytesIO(data), precision="float32") as video:
        for segment in range(2):
            sections = [file.read(tag, segment) for tag in (MODL, WGHT, EMBD)]
            whole = load_network(sections[0], sections[1], sections[2], frames=8)
            for index in (3, 0, 7, 5):
                assert torch.equal(video[8 * segment + index], draw_frame(whole, index))


def test_a_frame_waits_for_the_knots_that_it_needs(network: Nervid, decoded: list[tuple[int, int]]) -> None:
    network.embed(torch.tensor([0]))
    assert decoded == [(0, 0), (1, 0), (2, 0)]
    network.embed(torch.tensor([2]))
    # Knot 1 of span 4 is needed from frame 1 on; the grid of one knot has no other.
    assert decoded[3:] == [(0, 1), (1, 1), (0, 2)]
    network.embed(torch.tensor([1, 0]))
    assert len(decoded) == 6
    network.embed(torch.tensor([8]))
    assert decoded == list(knots_by_need([range(9), (0, 1, 5), (0,)]))
    assert network.before_reading is None


def test_knots_go_where_the_network_is(network: Nervid, section: bytes) -> None:
    network.double()
    values = {tuple(place): v for place, v in read_feature_knots(section, *shapes_and_order())}
    numbers = torch.split(network.embed(torch.tensor([2]))[0], [4 * 6, 3 * 24, 2 * 24])
    assert numbers[0].dtype == torch.float64
    assert torch.equal(numbers[0].float(), values[0, 2].flatten())
    assert torch.equal(numbers[1].float(), (values[1, 0] + values[1, 1]).flatten() / 2)
    assert torch.equal(numbers[2].float(), values[2, 0].flatten())


def test_damage_shows_when_it_is_reached_and_every_time(section: bytes) -> None:
    damaged = bytearray(section)
    damaged[-4:] = bytes(byte ^ 0xA5 for byte in section[-4:])
    network = build(CONFIG).requires_grad_(False)
    assert isinstance(network, Nervid)
    ArrivingGrids(CONFIG, bytes(damaged)).fill(network)
    assert torch.isfinite(network.embed(torch.tensor([0]))).all()
    for _ in range(2):
        with pytest.raises(CorruptSectionError):
            network.embed(torch.tensor([8]))


def test_threads_that_draw_at_once_get_the_same_frames(data: bytes) -> None:
    with nervid.open(io.BytesIO(data)) as one, nervid.open(io.BytesIO(data)) as other:
        alone = [one[index] for index in range(8)]
        other[0]  # the network is there, its other knots are not
        with ThreadPoolExecutor(4) as pool:
            drawn = list(pool.map(other.__getitem__, reversed(range(8))))
    assert all(torch.equal(a, b) for a, b in zip(alone, reversed(drawn), strict=True))


def shapes_and_order() -> tuple[list[tuple[int, int, int, int]], KnotOrder | None]:
    return [grid.shape for grid in CONFIG.feature_grids], CONFIG.knot_order
