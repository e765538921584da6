import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nervid
from nervid.container import EMBD, MODL, NervFile
from nervid.decoder.network import read_embeddings
from nervid.encoder.config import EncodeConfig, parse_time
from nervid.encoder.progress import EncodeProgress
from nervid.encoder.segment import plan_segment
from nervid.encoder.task import SegmentTask
from nervid.errors import CorruptSectionError, InputError
from tests.encoder.fresh import psnr_when_played

SIZE = 3000


def clip_of(frames: np.ndarray) -> nervid.Clip:
    return nervid.read(np.ascontiguousarray(frames))


@pytest.fixture(scope="module")
def waves() -> np.ndarray:
    """Sines that wander, uint8 [8, 32, 48, 3]."""
    rows, columns = np.mgrid[0:32, 0:48]
    return np.stack(
        [
            np.stack(
                [128 + 100 * np.sin((columns + 2 * i) / 6), 128 + 100 * np.cos((rows - i) / 5), rows * 4],
                axis=-1,
            )
            for i in range(8)
        ]
    ).astype(np.uint8)


@pytest.fixture(scope="module")
def encoded(waves: np.ndarray) -> nervid.Encoded:
    return nervid.encode(clip_of(waves), model="nervid", size=f"{SIZE}B", epochs=70)


def test_a_file_is_no_larger_than_asked_and_a_smaller_one_says_so(encoded: nervid.Encoded) -> None:
    assert 0.8 * SIZE <= len(encoded.data) <= SIZE
    assert bool(encoded.report.warnings) == (len(encoded.data) < 0.97 * SIZE)


def test_a_fresh_process_decodes_the_reported_quality(
    encoded: nervid.Encoded, waves: np.ndarray, tmp_path: Path
) -> None:
    played = psnr_when_played(encoded, waves, tmp_path)
    assert played == pytest.approx(encoded.report.psnr_db, abs=0.05)
    assert encoded.report.psnr_db > 24


def test_frames_come_in_any_order(encoded: nervid.Encoded) -> None:
    video = nervid.open(io.BytesIO(encoded.data))
    every = video[:]
    for index in (5, 0, 7, 5):
        assert (video[index] == every[index]).all()


def test_the_same_options_give_the_same_bytes(waves: np.ndarray) -> None:
    one, other = (
        nervid.encode(clip_of(waves), model="nervid", size="2500B", epochs=4).data for _ in range(2)
    )
    assert one == other


@pytest.mark.parametrize("frames", [1, 2])
def test_few_frames_make_a_file_no_larger_than_asked(waves: np.ndarray, frames: int) -> None:
    data = nervid.encode(clip_of(waves[:frames]), model="nervid", size="2kB", epochs=3).data
    assert len(data) <= 2000
    assert nervid.open(io.BytesIO(data))[:].shape == (frames, 3, 32, 48)


def hard(kind: str) -> np.ndarray:
    """Frames that leave little to learn, or break what there is, uint8 [8, 16, 24, 3]."""
    frames = np.zeros((8, 16, 24, 3), dtype=np.uint8)
    if kind == "noise":
        return np.random.default_rng(1).integers(0, 256, frames.shape, dtype=np.uint8)
    if kind == "cut":
        frames[4:, :, :12] = (200, 40, 90)
    if kind == "a line of one pixel moves":
        for index in range(8):
            frames[index, index + 4] = 255
    return frames


@pytest.mark.parametrize("kind", ["black", "noise", "cut", "a line of one pixel moves"])
@pytest.mark.parametrize("dial", [{"size": "2500B"}, {"quality": 1}, {"quality": 100}], ids=str)
def test_hard_clips_make_a_file_and_an_honest_number(kind: str, dial: dict[str, Any]) -> None:
    frames = hard(kind)
    encoded = nervid.encode(clip_of(frames), model="nervid", epochs=6, **dial)
    if "size" in dial:
        assert len(encoded.data) <= 2500
    drawn = nervid.open(io.BytesIO(encoded.data))[:].permute(0, 2, 3, 1).numpy().astype(float)
    errors = ((drawn - frames) ** 2).mean(axis=(1, 2, 3))
    with np.errstate(divide="ignore"):
        expected = np.minimum(10 * np.log10(255**2 / errors), 100)
    assert encoded.report.psnr_db == pytest.approx(np.mean(expected), abs=0.05)


def test_at_the_highest_price_of_a_bit_nearly_nothing_is_left() -> None:
    """Noise is not worth its bits: gray is drawn, by a header and the least streams."""
    encoded = nervid.encode(clip_of(hard("noise")), model="nervid", quality=1, epochs=40)
    assert len(encoded.data) < 1500
    gray = 10 * np.log10(255**2 / np.mean((hard("noise").astype(float) - 127.5) ** 2))
    assert encoded.report.psnr_db == pytest.approx(gray, abs=0.3)


def test_feature_grids_are_not_read_as_embeddings_of_frames(encoded: nervid.Encoded) -> None:
    file = NervFile.open(io.BytesIO(encoded.data))
    with pytest.raises(CorruptSectionError, match="an embedding for each frame, got nervid"):
        read_embeddings(file.read(MODL, 0), file.read(EMBD, 0), frames=8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": "9kB", "complexity": 0.01}, "multiply-accumulates a pixel, complexity allows 0.01"),
        ({"size": "900B"}, "need at least 1000 bytes for the smallest nervid network"),
        ({"size": "3kB", "init": "meta"}, "is for the models hnerv and nerv, got nervid"),
        (
            {"size": "3kB", "align": "conse", "align_layout": "direct"},
            "is for the model latent-inr, got nervid",
        ),
    ],
)
def test_what_it_cannot_do_is_refused_in_one_line(
    waves: np.ndarray, options: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        nervid.encode(clip_of(waves), model="nervid", **options)  # type: ignore[arg-type]


def test_a_time_limit_ends_a_fit_of_any_preset(waves: np.ndarray) -> None:
    seen: list[EncodeProgress] = []
    encoded = nervid.encode(
        clip_of(waves), model="nervid", size="2500B", preset="best", time="1s", on_progress=seen.append
    )
    assert seen[-1].fit.step == seen[-1].fit.steps < 12_500  # what the preset asks for
    assert seen[-1].share_done == 1
    assert len(encoded.data) <= 2500


def test_a_higher_quality_takes_more_bytes_for_less_distortion(waves: np.ndarray) -> None:
    clip, seen = clip_of(waves[:4]), list[EncodeProgress]()
    low, high = (
        nervid.encode(clip, model="nervid", quality=each, epochs=30, on_progress=seen.append)
        for each in (5, 65)
    )
    assert len(high.data) > 1.5 * len(low.data)
    assert high.report.psnr_db > low.report.psnr_db + 1
    assert not low.report.warnings
    # The display shows what the running fit takes by now, not a plan.
    assert seen[-1].projected_bytes == pytest.approx(len(high.data), rel=0.2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"model": "hnerv", "time": "2min"},
            "with bpp, size or quality, got model hnerv; use preset",
        ),
        (
            {"model": "nervid", "time": "2min", "psnr": 30.0},
            "got model nervid and psnr; use preset",
        ),
        ({"model": "nervid", "bits": 4}, "bits is not for the model nervid"),
        ({"model": "nervid", "sparsity": 0.2}, "sparsity is not for the model nervid"),
        ({"model": "nervid", "recipe": "hnerv"}, "recipe is not for the model nervid"),
        ({"model": "nervid", "time": "2min", "epochs": 3}, "one of time and epochs"),
        ({"model": "nervid", "time": "2 minutes"}, "such as 90s, 2min or 1h, got '2 minutes'"),
        ({"model": "nervid", "time": "0.5s"}, "1 second to 1000 hours"),
        ({"model": "nervid", "quality": 0.5}, "quality must be 1 to 100, got 0.5"),
        ({"model": "nervid", "quality": 50, "size": "1MB"}, "got size and quality"),
        ({"model": "hnerv", "quality": 50}, "quality is for the model nervid, got hnerv; use psnr"),
        ({"model": "hnerv", "complexity": 5}, "complexity is for the model nervid, got hnerv; omit it"),
        ({"model": "nervid", "complexity": 0}, "complexity must be above 0 and at most 1000, got 0"),
    ],
)
def test_options_that_it_cannot_keep_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        nervid.EncodeConfig(**options)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("2min", 120), ("1.5 h", 5400)])
def test_times_are_read_with_their_units(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds


def test_a_preset_says_how_many_steps_a_fit_takes(waves: np.ndarray) -> None:
    seen: list[EncodeProgress] = []
    nervid.encode(clip_of(waves), model="nervid", size="2500B", preset="ultrafast", on_progress=seen.append)
    # 20 epochs of 4 steps are fewer than 200; a quarter follows.
    assert {progress.fit.steps for progress in seen} == {250}


@pytest.mark.parametrize(
    ("width", "epochs", "wanted"), [(476, None, 200), (480, None, 120), (476, 7, 7), (480, 7, 7)]
)
def test_a_preset_takes_fewer_passes_over_large_frames(width: int, epochs: int | None, wanted: int) -> None:
    config = EncodeConfig(epochs=epochs)
    task = SegmentTask(number=0, frames=96, height=270, width=width, config=config, budget_bytes=30_000.0)
    assert plan_segment(task, 30_000.0, device="cpu").effort.epochs == wanted


def test_less_arithmetic_makes_a_smaller_network(waves: np.ndarray) -> None:
    usual, plain = (
        nervid.encode(clip_of(waves[:2]), model="nervid", size="40kB", epochs=1, complexity=complexity)
        for complexity in (None, 1)
    )
    assert plain.report.parameters < usual.report.parameters
