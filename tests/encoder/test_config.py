import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervid.encoder.config import EncodeConfig, parse_size
from nervid.encoder.encode import fit_seconds
from nervid.errors import InputError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("500kB", 500_000),
        ("2MB", 2_000_000),
        ("64KiB", 65_536),
        ("1.5 mib", 1_572_864),
        ("812", 812),
        ("9B", 9),
    ],
)
def test_sizes_are_numbers_with_units(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "kB", "-5kB", "5 parsecs", "0.1B", "1e9", "5kB extra"])
def test_anything_else_is_no_size(text: str) -> None:
    with pytest.raises(InputError, match="size must be"):
        parse_size(text)


@given(st.integers(1, 10**9))
def test_a_number_of_bytes_is_itself(size: int) -> None:
    assert parse_size(f"{size}B") == size


def test_the_rate_counts_every_pixel_once() -> None:
    assert EncodeConfig(bpp=0.5).target_bytes(1600) == 100
    assert EncodeConfig(size="1kB").target_bytes(1600) == 1000
    assert EncodeConfig(psnr=30.0).target_bytes(1600) is None
    assert EncodeConfig().target_bytes(1600) == 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bpp": 0.1, "size": "1kB"}, "bpp and size"),
        ({"bpp": 0.0}, "bpp must be above 0"),
        ({"psnr": -1.0}, "psnr must be above 0"),
        ({"size": "many"}, "size must be"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"model": "hnerv", "bits": 9}, "bits must be 2 to 8"),
        ({"model": "hnerv", "sparsity": 1.0}, "sparsity must be in"),
        ({"max_segment_frames": 0}, "max_segment_frames must be"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_choices_out_of_range_are_refused_by_name(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        EncodeConfig(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("limit", "fits"), [(20.0, 17.1), (600.0, 539.1), (1.0, 0.45)])
def test_of_a_time_limit_a_part_is_left_for_beginning_and_coding(limit: float, fits: float) -> None:
    assert fit_seconds(limit) == pytest.approx(fits)
