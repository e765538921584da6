"""Feature grids come back exact, near their ideal length, in fewer bytes where neighbors are alike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nervid.compress.feature_grids import decode_grids, encode_grids, grids_bits
from nervid.compress.symbols import encode_symbols
from nervid.errors import CorruptSectionError, InputError

Shape = tuple[int, int, int, int]


@st.composite
def feature_grids(draw: st.DrawFn) -> list[np.ndarray]:
    """Odd sizes, one knot or none, silent channels, smooth or rough, sparse or of huge codes."""
    grids = []
    for _ in range(draw(st.integers(0, 3))):
        shape = tuple(
            draw(st.sampled_from(sizes)) for sizes in ([0, 1, 2, 3, 5], [0, 1, 2, 4], *[[1, 2, 5, 9]] * 2)
        )
        rng = np.random.default_rng(draw(st.integers(0, 2**32)))
        values = rng.laplace(0, draw(st.sampled_from([0.0, 0.1, 1.0, 6.0, 500.0])), shape)
        if draw(st.booleans()):
            values = values.cumsum(axis=draw(st.integers(0, 3)))
        values *= rng.choice([0.0, 0.1, 1.0], (shape[1], 1, 1))
        values[rng.random(shape) < draw(st.sampled_from([0.0, 0.7, 0.99]))] = 0
        dtype = draw(st.sampled_from([np.int16, np.int64]))
        grids.append(np.clip(np.rint(values), -2047, 2047).astype(dtype))
    return grids


def shapes_of(grids: list[np.ndarray]) -> list[Shape]:
    return [
        (int(grid.shape[0]), int(grid.shape[1]), int(grid.shape[2]), int(grid.shape[3])) for grid in grids
    ]


def assert_round_trip(grids: list[np.ndarray]) -> bytes:
    data = encode_grids(grids)
    decoded = decode_grids(data, shapes_of(grids))
    assert len(decoded) == len(grids)
    for got, wanted in zip(decoded, grids, strict=True):
        assert got.dtype == np.int16
        np.testing.assert_array_equal(got, wanted)
    return data


def moving(knots: int = 6, channels: int = 2, rows: int = 12, columns: int = 20) -> np.ndarray:
    """Smooth waves that drift from knot to knot, with noise: what a fitted grid looks like."""
    rng = np.random.default_rng(5)
    k, c, y, x = np.meshgrid(*map(np.arange, (knots, channels, rows, columns)), indexing="ij")
    values = 5 * np.sin(x / 3 + k / 4 + c) + 4 * np.cos(y / 2 - k / 5) + rng.laplace(0, 0.5, k.shape)
    grid: np.ndarray = np.rint(values).astype(np.int16)
    return grid


@given(feature_grids())
@settings(max_examples=25, deadline=None)
def test_decoding_undoes_encoding_at_about_the_ideal_length(grids: list[np.ndarray]) -> None:
    data = assert_round_trip(grids)
    ideal = grids_bits(grids)
    # Zero bytes at the end are cut off: at most those of 12 silent channels.
    assert ideal / 8 - 9 <= len(data) <= 1.02 * ideal / 8 + 16


@given(st.binary(max_size=60))
@settings(max_examples=25, deadline=None)
def test_any_bytes_are_refused_or_decode(data: bytes) -> None:
    shapes: list[Shape] = [(2, 2, 3, 5), (1, 1, 1, 1)]
    try:
        decoded = decode_grids(data, shapes)
    except CorruptSectionError:
        return
    assert shapes_of(decoded) == shapes
    assert all(np.abs(grid).max() <= 2047 for grid in decoded)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 3, 7, 5), (4, 1, 1, 9), (3, 2, 2, 2), (2, 1, 33, 3)])
def test_sizes_that_no_lattice_fits(shape: Shape) -> None:
    grid = np.arange(np.prod(shape)).reshape(shape) % 7 - 3
    assert_round_trip([grid])
    assert_round_trip([grid * 600])


@pytest.mark.parametrize("magnitude", [1, 13, 14, 15, 16, 30, 1000, 2047])
def test_every_magnitude_has_a_code(magnitude: int) -> None:
    grid = np.zeros((2, 1, 4, 6), dtype=np.int16)
    grid[0, 0, 1, 2], grid[1, 0, 3, 5] = magnitude, -magnitude
    assert_round_trip([grid])


def test_extremes_next_to_each_other() -> None:
    grid = np.full((4, 2, 9, 11), 2047, dtype=np.int16)
    grid[:, :, ::2, 1::2] = -2047
    grid[2:] *= -1
    assert_round_trip([grid])


def test_no_grids_and_empty_ones_are_no_bytes() -> None:
    assert encode_grids([]) == b""
    empty = [np.zeros(shape, dtype=np.int16) for shape in [(0, 2, 3, 4), (5, 0, 3, 4), (1, 1, 0, 1)]]
    assert assert_round_trip(empty) == b""
    assert grids_bits(empty) == 0.0


def test_silence_costs_almost_nothing() -> None:
    silent = np.zeros((50, 8, 30, 40), dtype=np.int16)
    assert assert_round_trip([silent]) == b"\0"
    assert grids_bits([silent]) == 8 * 5
    grid = np.zeros((60, 2, 20, 30), dtype=np.int16)
    grid[:4] = np.random.default_rng(0).integers(-2, 3, grid[:4].shape)
    assert (
        grids_bits([grid]) - grids_bits([grid[:30]]) < 30 * 24
    )  # three bytes for a silent knot of 1200 codes
    wide = np.zeros((4, 9, 20, 30), dtype=np.int16)
    wide[:, 4:6] = grid[:4]
    assert abs(grids_bits([wide]) - grids_bits([grid[:4]]) - 7 * 5) < 1e-6


def test_small_streams_are_these_bytes() -> None:
    # Part of the file format: a change here makes old files unreadable.
    one = np.array([[[[2]]]])
    assert encode_grids([one]).hex() == "b8f6e16a"
    ramp = (np.arange(2 * 1 * 3 * 4).reshape(2, 1, 3, 4) - 11) % 5 - 2
    assert encode_grids([ramp, one]).hex() == "b3a72a4f91a461eaa9bcad53"
    # Weights are fitted in floating point, so only decoding is promised.
    k, y, x = np.meshgrid(np.arange(2), np.arange(12), np.arange(16), indexing="ij")
    slopes = ((x * (k + 2) + 3 * y + x * y % 5 // 4) // 4 - 7)[:, None]
    predicted = (
        "cd53a1e6c7e17e38931b0fed23459e9e30fc46bb33771ff856ac9a53aa13e0a06b0ecfbfd677041e904fa142a50a45a6"
        "aea8ba58f2269436e0630d9d49996102017a9d703024dcb713f80f7d38d17ff66156da5b19293f68a04bf110b9f3e348"
        "24850221b98f0a434477d47dff1579bc33a05db7271f2fcbd91809305cfc9c2b8cc850f37bdab167446d04bc8e5df4ac"
        "7049e8930af1289d"
    )
    np.testing.assert_array_equal(decode_grids(bytes.fromhex(predicted), [(2, 1, 12, 16)])[0], slopes)


def test_a_stream_by_hand() -> None:
    # One code of 2: scale 23 of 32, mode 0 of 6; then, in class 18 (energy 4096) and fraction 0: not 0,
    # above the prediction of 0, more than 1, not more than 2.
    bits = np.log2(32) + np.log2(6)
    wrong = 1024 * 4096 // (4096 + 1280)
    longer = 1024 * 4096 // (4096 + 1536)
    bits += -np.log2(wrong / 1024) + 1 - np.log2(longer / 1024) - np.log2(1 - longer / 1024)
    assert grids_bits([np.array([[[[2]]]])]) == pytest.approx(bits, abs=1e-4)


def test_neighbors_in_space_and_time_save_bytes() -> None:
    grid = moving(knots=8, rows=20, columns=30)
    alone = len(encode_symbols([grid], [6]))
    assert len(encode_grids([grid])) < 0.65 * alone
    shuffled = np.random.default_rng(0).permutation(grid.ravel()).reshape(grid.shape)
    assert len(encode_grids([shuffled])) < 1.03 * alone


def test_places_of_different_scale_are_told_apart() -> None:
    rng = np.random.default_rng(1)
    scale = np.where(np.arange(32) < 16, 0.2, 4.0) * np.ones((6, 2, 24, 1))
    grid = np.rint(rng.laplace(0, scale)).astype(np.int16)
    halves = [np.ascontiguousarray(grid[..., :16]), np.ascontiguousarray(grid[..., 16:])]
    told = len(encode_symbols(halves, [7, 7]))
    mixed = len(encode_symbols([rng.permutation(grid.ravel())], [7]))
    assert len(encode_grids([grid])) < min(1.07 * told, 0.95 * mixed)


def refusals(damaged: list[bytes], grid: np.ndarray) -> int:
    """Count the streams that are refused, and see that none of the others passes for the grid."""
    refused = 0
    for data in damaged:
        try:
            decoded = decode_grids(data, shapes_of([grid]))
        except CorruptSectionError:
            refused += 1
        else:
            assert not np.array_equal(decoded[0], grid)
    return refused


def test_a_byte_changed_anywhere_is_refused_or_decodes_differently() -> None:
    grid = moving(2, 1, 4, 5)
    data = encode_grids([grid])
    changed = [data[:i] + bytes([data[i] ^ 0x5A]) + data[i + 1 :] for i in range(len(data))]
    assert refusals(changed, grid) > len(data) // 2


def test_bytes_missing_or_added_are_refused_or_decode_differently() -> None:
    grid = moving(2, 1, 4, 5)
    data = encode_grids([grid])
    assert refusals([data[:size] for size in range(len(data))], grid) > len(data) // 2
    assert refusals([data + b"\x17"], grid) == 1
    with pytest.raises(CorruptSectionError, match="expected exactly"):
        decode_grids(data + b"\0", shapes_of([grid]))


def test_bytes_for_another_shape_are_refused() -> None:
    data = encode_grids([moving(2, 1, 5, 7)])
    with pytest.raises(CorruptSectionError):
        decode_grids(data, [(1, 1, 5, 7)])


def test_grids_are_independent_of_each_other() -> None:
    grids = [moving(3, 1, 6, 8), moving(2, 2, 5, 5)]
    assert grids_bits(grids) == pytest.approx(sum(grids_bits([grid]) for grid in grids))


def test_the_arguments_are_left_as_they_were() -> None:
    grid = moving(2, 1, 5, 7)
    grid.flags.writeable = False
    assert encode_grids([np.asfortranarray(grid)]) == encode_grids([grid.astype(np.int64)])


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (np.zeros((1, 1, 1, 1)), "wanted feature grids of integer codes, got float64"),
        (np.full((1, 1, 1, 2), 2048), r"in \[-2047, 2047\], got \[2048, 2048\]"),
        (np.full((1, 1, 1, 2), -2048), r"in \[-2047, 2047\], got \[-2048, -2048\]"),
    ],
)
def test_codes_out_of_range_are_named(grid: np.ndarray, message: str) -> None:
    for function in (encode_grids, grids_bits):
        with pytest.raises(InputError, match=message):
            function([grid])


@pytest.mark.parametrize("shape", [(1, 1, -1, 1), (1 << 14, 1, 1 << 14, 1)])
def test_impossible_shapes_are_refused_before_anything_is_allocated(shape: Shape) -> None:
    with pytest.raises(InputError, match="wanted feature grids of"):
        decode_grids(b"\x12", [shape])
