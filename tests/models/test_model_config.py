"""Configs: limits, widths, JSON there and back, and damaged JSON."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervid.errors import FormatError, InputError
from nervid.models.config import HnervConfig, ModelConfig, NervConfig, from_json, to_json

from .strategies import model_configs

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@given(model_configs())
def test_a_config_survives_json_text_exactly(make_config: Callable[[], ModelConfig]) -> None:
    config = make_config()
    assert from_json(json.loads(json.dumps(to_json(config)))) == config


@given(model_configs(), st.data())
def test_one_damaged_field_gives_a_format_error_or_another_valid_config(
    make_config: Callable[[], ModelConfig], data: st.DataObject
) -> None:
    described = to_json(make_config())
    described[data.draw(st.sampled_from(sorted(described)))] = data.draw(JSON_VALUES)
    try:
        again = from_json(described)
    except FormatError:
        return
    assert to_json(again) == described


@given(JSON_VALUES)
def test_other_json_gives_a_format_error(value: object) -> None:
    with pytest.raises(FormatError, match=r"^model: [^\n]*; the file is damaged, [^\n]*$"):
        from_json(value)


@given(model_configs(), st.data())
def test_a_missing_or_unknown_field_is_named(
    make_config: Callable[[], ModelConfig], data: st.DataObject
) -> None:
    config = make_config()
    described = to_json(config)
    lost = data.draw(st.sampled_from(sorted(described.keys() - {"name"})))
    kept = {key: value for key, value in described.items() if key != lost}
    with pytest.raises(FormatError, match=f"{config.name} has no field {lost};"):
        from_json(kept)
    with pytest.raises(FormatError, match=f"{config.name} has an unknown field 'depth';"):
        from_json({**described, "depth": 1})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("frames", True),
        ("frames", 3.0),
        ("frames", 10**9),
        ("frames", 2**60),
        pytest.param("frames", 10**9999, id="frames-too-long-to-print"),
        ("height", 15),
        ("width", 4097),
        ("strides", []),
        ("strides", [4, 2, "2"]),
        ("strides", [16]),
        ("strides", [4, 2, 2, 1, 1, 1, 1, 1, 1]),
        ("strides", "422"),
        ("base_height", 4),
        ("base_height", 2),
        ("channels", 5000),
        ("channels", 4096),
        ("reduction", float("nan")),
        ("reduction", 0.5),
        ("reduction", 10**400),
        ("kernel_min", 2),
        ("kernel_min", 7),
        ("activation", "tanh"),
        ("activation", None),
        ("name", "vgg"),
        ("name", ["hnerv"]),
        pytest.param("name", 10**9999, id="name-too-long-to-print"),
        ("name", "nerv"),
    ],
)
def test_each_limit_holds_for_files(odd_hnerv: HnervConfig, field: str, value: object) -> None:
    with pytest.raises(FormatError, match="the file is damaged"):
        from_json({**to_json(odd_hnerv), field: value})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": 0}, "frames must be 1 to 1048576, got 0"),
        ({"strides": (6, 2, 2)}, "strides must be 1 to 8 numbers, each 1 to 5"),
        ({"base_height": 4}, "base_height times all strides must cover 41 pixels"),
        ({"base_width": 1}, "base_width times all strides must cover 27 pixels"),
        ({"stem_width": 4097}, "stem_width must be 0 to 4096, got 4097"),
        ({"stem_channels": 4096, "expansion": 2.0}, "every width must be 1 to 4096 channels"),
        ({"stem_channels": 1, "expansion": 0.5}, "every width must be 1 to 4096 channels"),
        ({"stem_channels": 4096, "expansion": 1.0}, "a network may hold at most 268435456 numbers"),
        ({"base": 4.0, "levels": 40}, "base[*][*]\\(levels - 1\\) must be at most"),
        ({"base": float("inf")}, "base must be 1.0 to 16.0, got inf"),
    ],
)
def test_each_limit_is_stated(odd_nerv: NervConfig, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(odd_nerv, **changes)


def test_a_layer_too_large_for_memory_is_refused() -> None:
    with pytest.raises(InputError, match="a layer may put out at most 2147483648 numbers a frame"):
        HnervConfig(
            frames=1,
            height=4096,
            width=4096,
            base_height=256,
            base_width=256,
            strides=(4, 2, 2),
            channels=200,
            lower_width=200,
        )


def test_a_stride_of_one_keeps_nerv_channels_and_halves_them_otherwise(odd_nerv: NervConfig) -> None:
    config = replace(odd_nerv, strides=(4, 1, 2, 1, 2), stem_channels=40, expansion=1.5)
    assert config.widths == (40, 60, 60, 30, 30, 15)


def test_hnerv_kernels_grow_to_their_maximum(odd_hnerv: HnervConfig) -> None:
    config = replace(odd_hnerv, strides=(2, 2, 2, 2, 1))
    assert config.kernels == (1, 3, 5, 5, 5)
    assert replace(config, kernel_min=3, kernel_max=9).kernels == (3, 5, 7, 9, 9)


def test_sizes_and_configs_do_not_import_torch() -> None:
    code = (
        "import sys; import nervid.models.sizing, nervid.models.papers, nervid.models.config; "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
