"""Streams of symbols come back exact, stay near their ideal length and survive damage."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nervid.compress.plan import GROUPED_0, GROUPED_REST, MODES, plan_array
from nervid.compress.rangecoder import RangeWriter
from nervid.compress.symbols import decode_symbols, encode_symbols, ideal_bits
from nervid.errors import CorruptSectionError, InputError


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[np.ndarray], list[int]]:
    """Arrays of every bit depth: uniform, skewed, sparse, constant, off center, empty, in several shapes."""
    arrays, depths = [], []
    for _ in range(draw(st.integers(0, 6))):
        bits = draw(st.integers(2, 8))
        half = 1 << bits - 1
        size = draw(st.sampled_from([0, 1, 2, 3, 15, 16, 17, 100, 700, 5000]))
        rng = np.random.default_rng(draw(st.integers(0, 2**32)))
        center = draw(st.integers(-half, half - 1))
        spread = draw(st.sampled_from([0.0, 0.2, 1.0, 4.0, 30.0, 1000.0]))
        codes = np.rint(center + spread * rng.laplace(size=size)).astype(np.int64)
        codes[rng.random(size) < draw(st.sampled_from([0.0, 0.5, 0.99, 1.0]))] = 0
        codes = np.clip(codes, -half, half - 1).astype(draw(st.sampled_from([np.int8, np.int16, np.int64])))
        rows = draw(st.sampled_from([1, 4, 20]))
        if size and size % rows == 0:
            codes = codes.reshape(rows, -1)
            codes[: rows // 2] //= 8
            layouts = [codes, codes.T, codes.reshape(rows, -1, 1)]
            layouts += [codes.reshape(rows, -1, 2)] if size % (2 * rows) == 0 else []
            codes = draw(st.sampled_from(layouts))
        arrays.append(codes)
        depths.append(bits)
    return arrays, depths


def assert_same(decoded: list[np.ndarray], arrays: list[np.ndarray]) -> None:
    assert len(decoded) == len(arrays)
    for got, wanted in zip(decoded, arrays, strict=True):
        assert isinstance(got, np.ndarray)
        assert got.dtype == np.int8
        np.testing.assert_array_equal(got, wanted)


def shapes_of(arrays: list[np.ndarray]) -> list[tuple[int, ...]]:
    return [array.shape for array in arrays]


def weights(size: int, bits: int, sparsity: float = 0.0) -> np.ndarray:
    """Codes like those of a network: Laplace, the largest on the outermost level."""
    rng = np.random.default_rng(size + bits)
    values = rng.laplace(size=size) * (rng.random(size) >= sparsity)
    codes: np.ndarray = np.rint(values / np.abs(values).max() * ((1 << bits - 1) - 1))
    return codes.astype(np.int16)


def entropy_bits(array: np.ndarray) -> float:
    counts = np.unique(array, return_counts=True)[1]
    return float(-(counts * np.log2(counts / array.size)).sum())


@given(streams())
def test_decoding_undoes_encoding(stream: tuple[list[np.ndarray], list[int]]) -> None:
    arrays, bits = stream
    assert_same(decode_symbols(encode_symbols(arrays, bits), shapes_of(arrays), bits), arrays)


@given(streams())
@example(([np.repeat(np.array([-1, -2], dtype=np.int8), 350)], [2]))
def test_the_stream_is_within_two_percent_and_64_bits_of_ideal(
    stream: tuple[list[np.ndarray], list[int]],
) -> None:
    # Zero bytes at the end are cut off, and least codes are all zeros: something else has to stand there.
    arrays, bits = [*stream[0], np.ones(1, dtype=np.int8)], [*stream[1], 2]
    ideal = ideal_bits(arrays, bits)
    assert ideal - 32 <= 8 * len(encode_symbols(arrays, bits)) <= 1.02 * ideal + 64


@pytest.mark.parametrize("nonzeros", [0, 1, 10, 1000])
def test_the_bound_holds_for_nearly_constant_arrays(nonzeros: int) -> None:
    array = np.zeros(200_000, dtype=np.int16)
    array[np.random.default_rng(0).choice(array.size, nonzeros, replace=False)] = 1
    for bits in (2, 8):
        assert 8 * len(encode_symbols([array], [bits])) <= 1.02 * ideal_bits([array], [bits]) + 64


@given(streams(), st.data())
@settings(max_examples=200)
def test_damage_is_refused_or_decodes_to_the_same_shapes(
    stream: tuple[list[np.ndarray], list[int]], data: st.DataObject
) -> None:
    arrays, bits = stream
    coded = bytearray(encode_symbols(arrays, bits))
    for _ in range(data.draw(st.integers(1, 3))):
        if coded:
            coded[data.draw(st.integers(0, len(coded) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(coded[: data.draw(st.integers(0, len(coded)))]) + data.draw(st.binary(max_size=9))
    try:
        decoded = decode_symbols(damaged, shapes_of(arrays), bits)
    except CorruptSectionError:
        return
    assert shapes_of(decoded) == shapes_of(arrays)


@given(st.binary(max_size=200), st.integers(2, 8))
def test_any_bytes_are_refused_or_decode(data: bytes, bits: int) -> None:
    try:
        decoded = decode_symbols(data, [(3, 5), (), (40,)], [bits] * 3)
    except CorruptSectionError:
        return
    assert shapes_of(decoded) == [(3, 5), (), (40,)]
    assert all(-(1 << bits - 1) <= array.min() and array.max() < 1 << bits - 1 for array in decoded)


@pytest.mark.parametrize("change", [slice(None, -1), slice(None, 2), slice(0, 0)])
def test_a_stream_cut_short_is_refused(change: slice) -> None:
    array = weights(500, 6)
    with pytest.raises(CorruptSectionError, match="coded symbols"):
        decode_symbols(encode_symbols([array], [6])[change], [(500,)], [6])


def test_other_shapes_than_coded_are_refused() -> None:
    data = encode_symbols([weights(500, 6)], [6])
    for shape in [(100,), (900,)]:
        with pytest.raises(CorruptSectionError, match="expected exactly"):
            decode_symbols(data, [shape], [6])


def test_small_streams_are_these_bytes() -> None:
    # Part of the file format: a change here makes old files unreadable.
    ramp = np.arange(-8, 8, dtype=np.int16)
    assert encode_symbols([ramp], [4]).hex() == "000218eeb9b100ad70f7f4dc"
    sparse = np.zeros((4, 30), dtype=np.int8)
    sparse[1, 3], sparse[2, 7] = 5, -1
    assert encode_symbols([sparse, ramp], [8, 4]).hex() == "3e259945379c1c2cc508639b9f3d7b33"
    wave = np.array([20, 24, 27, 29, 27, 24, 20, 16, 13, 11, 13, 16] * 2)
    coded = "6434b4fd459c763b877c199d25ce472b9e930b30cfe722db"
    assert encode_symbols([wave, np.full(9, 3), wave[:7]], [6, 3, 6]).hex() == coded
    rows = np.array([[1, -1, 0, 2] * 10, [30, -20, 7, -25] * 10] * 3)
    grouped = (
        "92e8c9c76d26aaa8cd913827c7493215021753d8547572d34042ad44955176c8aabad9a1d5e71a3d24a18d552c02eddcf6f7"
        "88b3fbffe6bd1d711d68ed1758cb5366545b7c397bfa5bc81f9ca347e6193cce8c43df2a2a14ae15cba35ba32a0e07ec4ce0"
    )
    assert encode_symbols([rows], [6]).hex() == grouped
    sites = np.zeros((9, 4, 5), dtype=np.int8)
    sites[:, ::3, ::2] = np.arange(9)[:, None, None] * 7 % 13 - 6
    assert plan_array(sites.astype(np.int32) + 16, 5, {}).runs[0].fields == ((GROUPED_REST, MODES),)
    assert (
        encode_symbols([sites], [5]).hex()
        == "df91f7c4dc48bbc9f939bfe642c1d5cc9468a783ed306f27f9577b17e13602f8c91060d6"
    )
    assert_same(
        decode_symbols(bytes.fromhex(coded), [(24,), (9,), (7,)], [6, 3, 6]), [wave, np.full(9, 3), wave[:7]]
    )


def rows_of_two_scales() -> np.ndarray:
    """Forty slices of 100 codes along the middle axis, every third ten times as wide."""
    values = np.random.default_rng(3).normal(0, 3, (10, 40, 10))
    values[:, ::3] *= 10
    return np.clip(np.rint(values), -128, 127).astype(np.int16)


def test_slices_of_different_scale_are_told_apart() -> None:
    array = rows_of_two_scales()
    entropy = sum(entropy_bits(part) for part in (array[:, ::3], array[:, 1::3], array[:, 2::3]))
    data = encode_symbols([array], [8])
    assert_same(decode_symbols(data, [array.shape], [8]), [array])
    assert 8 * len(data) < 1.05 * entropy
    assert 8 * len(data) < 0.98 * entropy_bits(array)


def test_classes_along_an_axis_that_is_missing_are_refused() -> None:
    data = encode_symbols([rows_of_two_scales()], [8])
    with pytest.raises(CorruptSectionError, match=r"mode 5 wants 2 axes, the array has shape \(4000,\)"):
        decode_symbols(data, [(4000,)], [8])


def test_classes_of_sites_want_three_axes() -> None:
    writer = RangeWriter()
    writer.write_field(GROUPED_REST, MODES)
    with pytest.raises(CorruptSectionError, match=r"mode 6 wants 3 axes, the array has shape \(4, 4\)"):
        decode_symbols(writer.finish(), [(4, 4)], [8])


def test_classes_within_a_class_are_refused() -> None:
    writer = RangeWriter()
    writer.write_field(GROUPED_0, MODES)
    writer.write_field(GROUPED_0, MODES)
    with pytest.raises(CorruptSectionError, match="classes within a class"):
        decode_symbols(writer.finish(), [(4, 4)], [8])


def test_no_arrays_are_no_bytes() -> None:
    assert encode_symbols([], []) == b""
    assert decode_symbols(b"", [], []) == []
    assert ideal_bits([], []) == 0.0


def test_an_array_without_axes_is_one_code() -> None:
    array = np.array(-3, dtype=np.int8)
    assert_same(decode_symbols(encode_symbols([array], [4]), [()], [4]), [array])


def test_empty_arrays_cost_nothing() -> None:
    assert encode_symbols([np.zeros((0, 3), dtype=np.int16)], [8]) == b""
    assert decode_symbols(b"", [(0, 3)], [8])[0].shape == (0, 3)


@pytest.mark.parametrize("code", [-128, 0, 127])
def test_a_constant_array_of_any_size_takes_two_bytes(code: int) -> None:
    array = np.full((1000, 100), code, dtype=np.int16)
    data = encode_symbols([array], [8])
    assert len(data) <= 4
    assert ideal_bits([array], [8]) < 11
    assert_same(decode_symbols(data, [array.shape], [8]), [array])


def test_sixty_arrays_of_one_code_cost_about_a_byte_each() -> None:
    arrays = [np.array([i % 16 - 8], dtype=np.int8) for i in range(60)]
    data = encode_symbols(arrays, [4] * 60)
    assert len(data) <= 52
    assert_same(decode_symbols(data, [(1,)] * 60, [4] * 60), arrays)


@pytest.mark.parametrize("bits", [4, 6, 8])
@pytest.mark.parametrize("sparsity", [0.0, 0.4])
def test_a_large_array_comes_close_to_its_entropy(bits: int, sparsity: float) -> None:
    array = weights(100_000, bits, sparsity)
    assert 8 * len(encode_symbols([array], [bits])) < 1.004 * entropy_bits(array) + 64


def test_a_layout_in_memory_does_not_matter() -> None:
    array = weights(600, 5).reshape(20, 30)
    assert encode_symbols([np.asfortranarray(array)], [5]) == encode_symbols([array], [5])
    assert encode_symbols([array.astype(">i4")], [5]) == encode_symbols([array], [5])


def test_the_arguments_are_left_as_they_were() -> None:
    array = weights(50, 5)
    array.flags.writeable = False
    before = array.copy()
    encode_symbols([array], [5])
    np.testing.assert_array_equal(array, before)


def test_codes_out_of_range_are_named() -> None:
    with pytest.raises(InputError, match=r"wanted codes in \[-8, 7\] for 4 bits, got \[-8, 8\]"):
        encode_symbols([np.array([8, -8])], [4])
    with pytest.raises(InputError, match=r"got \[0, 255\]"):
        encode_symbols([np.array([0, 255], dtype=np.uint8)], [8])


def test_codes_that_are_not_integers_are_refused() -> None:
    with pytest.raises(InputError, match="wanted an array of integer codes, got float64"):
        encode_symbols([np.array([1.0])], [4])


@pytest.mark.parametrize("bits", [0, 1, 9])
def test_impossible_bits_are_refused(bits: int) -> None:
    with pytest.raises(InputError, match=f"wanted 2 to 8 bits per code, got {bits}"):
        decode_symbols(b"", [(1,)], [bits])


def test_bits_must_match_the_arrays() -> None:
    with pytest.raises(InputError, match="wanted bits for each of 2 arrays, got 1"):
        ideal_bits([np.zeros(1, dtype=int)] * 2, [4])


@pytest.mark.parametrize("shape", [(-1,), (2, -3), (1 << 20, 1 << 20)])
def test_impossible_shapes_are_refused_before_anything_is_allocated(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"wanted a shape of fewer than 2\*\*32 codes"):
        decode_symbols(b"\x12", [shape], [4])
