"""Fits that start from the convolutions of another video's file."""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nervid
from nervid.container import EMBD, MODL, WGHT, NervFile
from nervid.decoder.network import load_network
from nervid.encoder.named import initialization_of
from nervid.errors import FormatError, InputError
from nervid.initializations import Initialization, weights_for
from nervid.models.config import NervidConfig
from tests.encoder.learned import header_of


def waves(frames: int, *, shift: int = 0, rows: int = 32, columns: int = 48) -> nervid.Clip:
    """Sines that wander, from a time on."""
    down, across = np.mgrid[0:rows, 0:columns]
    drawn = [
        np.stack([128 + 90 * np.sin((across + 2 * i) / 6), 128 + 90 * np.cos((down - i) / 5), down * 4], -1)
        for i in range(shift, shift + frames)
    ]
    return nervid.read(np.stack(drawn).clip(0, 255).astype(np.uint8))


def stored_weights(encoded: nervid.Encoded) -> bytes:
    with NervFile.open(io.BytesIO(encoded.data)) as file:
        return file.read(WGHT, 0)


def network_of(encoded: nervid.Encoded) -> Any:  # noqa: ANN401 - of the one family here
    with NervFile.open(io.BytesIO(encoded.data)) as file:
        return load_network(
            *(file.read(tag, 0) for tag in (MODL, WGHT, EMBD)), frames=file.header.segments[0]
        )


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of seven frames in two segments, of four and of three."""
    encoded = nervid.encode(waves(7), model="nervid", size="6kB", epochs=60, max_segment_frames=4)
    assert sorted(header_of(encoded).segments) == [3, 4]
    return encoded.save(tmp_path_factory.mktemp("start") / "before.nerv")


def test_it_begins_with_the_convolutions_of_the_longest_segment(before: Path) -> None:
    with NervFile.open(before) as file:
        segment = file.header.segments.index(4)
        sections = [file.read(tag, segment) for tag in (MODL, WGHT, EMBD)]
    network: Any = load_network(*sections, frames=4)
    begun = initialization_of(before, "nervid")
    assert begun.config == network.config
    stored = dict(network.named_weights())
    assert begun.weights.keys() == stored.keys()
    for name, weight in begun.weights.items():
        assert torch.equal(weight, stored[name].half().float().contiguous())


def test_a_video_that_looks_alike_gets_better_in_the_same_steps(before: Path) -> None:
    options: dict[str, Any] = {"size": "3kB", "epochs": 12, "model": "nervid"}
    later = waves(8, shift=7)
    plain = nervid.encode(later, **options)
    started = nervid.encode(later, **options, init=str(before))
    assert started.report.psnr_db > plain.report.psnr_db + 1
    assert len(started.data) <= 3000
    header = header_of(started)
    # The file is whole without the other one.
    assert header.initialization is None
    assert header.provenance["options"]["init"] == "before"
    sha256 = hashlib.sha256(before.read_bytes()).hexdigest()
    assert header.provenance["initialization"] == {"name": "before", "sha256": sha256}
    assert str(before.parent).encode() not in started.data
    assert nervid.encode(later, **options, init=str(before)).data == started.data


def test_a_network_of_another_size_takes_what_fits(before: Path) -> None:
    options: dict[str, Any] = {"model": "nervid", "size": "40kB", "epochs": 1}
    large = waves(4, rows=64, columns=64)
    wider = nervid.encode(large, **options, init=str(before))
    assert stored_weights(wider) != stored_weights(nervid.encode(large, **options))
    begun, compared = initialization_of(before, "nervid"), 0
    network = network_of(wider)
    assert isinstance(begun.config, NervidConfig)
    assert network.config.channels > begun.config.channels
    for name, new in weights_for(begun, network.config, seed=1).items():
        old = begun.weights.get(name)  # only the wider one reads textures
        if old is not None and (".residual." in name or ".project." in name):
            both = tuple(slice(min(sides)) for sides in zip(old.shape, new.shape, strict=True))
            assert torch.equal(new[both], old[both])
            compared += old.numel()
    assert compared > 1000


def test_it_can_be_kept_as_an_initialization(before: Path, tmp_path: Path) -> None:
    begun = initialization_of(before, "nervid")
    path = begun.save(tmp_path / "before.safetensors")
    kept = Initialization.load(path)
    assert kept.config == begun.config
    assert all(torch.equal(kept.weights[name], weight) for name, weight in begun.weights.items())
    options: dict[str, Any] = {"size": "3kB", "epochs": 1, "model": "nervid"}
    # Beside what the header says of the start, the files are the same.
    one, other, fresh = (
        stored_weights(nervid.encode(waves(4), **options, init=str(start)))
        for start in (before, path, "random")
    )
    assert one == other != fresh


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"init": "none.nerv"}, "cannot read none.nerv: No such file or directory; check the path"),
        ({"init": "HNERV"}, "a video of the model hnerv, wanted one of nervid; name another"),
        ({"init": "BEFORE", "model": "hnerv"}, "only the model nervid starts from a .nerv file, got hnerv"),
        ({"init": "BEFORE", "delta": True}, "delta is for the models hnerv and nerv, got nervid; omit it"),
    ],
)
def test_a_file_that_is_no_start_is_one_line_before_any_fitting(
    options: dict[str, Any], line: str, before: Path, tmp_path: Path
) -> None:
    paths = {"BEFORE": before, "HNERV": tmp_path / "hnerv.nerv"}
    nervid.encode(waves(4), model="hnerv", size="4kB", epochs=1).save(paths["HNERV"])
    options = {"model": "nervid"} | options
    options["init"] = str(paths.get(options["init"], options["init"]))
    with pytest.raises(InputError) as caught:
        nervid.encode(waves(4), size="4kB", on_progress=lambda _: pytest.fail("fitted"), **options)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_named(before: Path, tmp_path: Path) -> None:
    data = bytearray(before.read_bytes())
    data[-3] ^= 1
    damaged = tmp_path / "damaged.nerv"
    damaged.write_bytes(data)
    with pytest.raises(FormatError, match=r"damaged\.nerv"):
        initialization_of(damaged, "nervid")
