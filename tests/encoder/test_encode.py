import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nervid
from nervid.container import EMBD, MODL, WGHT
from nervid.encoder.encode import Interrupted
from nervid.encoder.progress import EncodeProgress

QUICK = nervid.EncodeConfig(model="hnerv", size="4kB", epochs=3)


@pytest.fixture(scope="module")
def quick(shared_frames: np.ndarray) -> nervid.Encoded:
    """The tiny clip as ``QUICK`` encodes it in one go."""
    return nervid.encode(nervid.read(shared_frames, frame_rate=10), QUICK)


def decoder(encoded: nervid.Encoded) -> nervid.Decoder:
    return nervid.open(io.BytesIO(encoded.data))


@pytest.mark.parametrize("model", ["hnerv", "nerv"])
def test_a_clip_goes_in_and_frames_of_its_size_come_out(tiny_clip: nervid.Clip, model: str) -> None:
    encoded = nervid.encode(tiny_clip, size="6kB", epochs=2, model=model)
    video = decoder(encoded)
    assert video[:].shape == (8, 3, 32, 48)
    assert encoded.report.size_bytes == len(encoded.data)
    assert encoded.report.bits_per_pixel == 8 * len(encoded.data) / (8 * 32 * 48)


def test_the_reported_quality_is_that_of_the_decoded_frames(
    tiny_clip: nervid.Clip, quick: nervid.Encoded
) -> None:
    original = torch.from_numpy(tiny_clip.load()).permute(0, 3, 1, 2)
    measured = float(nervid.psnr(original, decoder(quick)[:]).mean())
    assert quick.report.psnr_db == pytest.approx(measured, abs=1e-9)


@pytest.mark.parametrize("size", [3000, 5000, 9000])
@pytest.mark.parametrize("model", ["hnerv", "nerv"])
def test_the_size_is_kept_within_three_percent_below(tiny_clip: nervid.Clip, size: int, model: str) -> None:
    encoded = nervid.encode(tiny_clip, size=f"{size}B", epochs=2, model=model)
    assert 0.97 * size <= len(encoded.data) <= size
    assert encoded.report.warnings == ()


@pytest.mark.parametrize("options", [{"bits": 4}, {"bits": 8}, {"sparsity": 0.4}])
def test_the_size_is_kept_for_other_bits_and_pruned_weights(
    tiny_clip: nervid.Clip, options: dict[str, Any]
) -> None:
    encoded = nervid.encode(tiny_clip, model="hnerv", size="5kB", epochs=2, **options)
    assert 0.97 * 5000 <= len(encoded.data) <= 5000


def test_a_pruned_file_holds_the_asked_share_of_exact_zeros(tiny_clip: nervid.Clip) -> None:
    from nervid.compress.prune import sparsity_of
    from nervid.container import NervFile
    from nervid.decoder.network import load_network

    encoded = nervid.encode(tiny_clip, model="hnerv", size="5kB", epochs=2, sparsity=0.6)
    with NervFile.open(io.BytesIO(encoded.data)) as file:
        network = load_network(file.read(MODL, 0), file.read(WGHT, 0), file.read(EMBD, 0), frames=8)
    assert sparsity_of(dict(network.named_weights())) >= 0.6 - 1e-3


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(
    tiny_clip: nervid.Clip, quick: nervid.Encoded
) -> None:
    assert nervid.encode(tiny_clip, QUICK).data == quick.data
    assert nervid.encode(tiny_clip, replace(QUICK, seed=2)).data != quick.data


@pytest.mark.parametrize("stop_at", [3, 12])
def test_a_stopped_encoding_goes_on_to_the_same_bytes(
    tiny_clip: nervid.Clip, quick: nervid.Encoded, tmp_path: Path, stop_at: int
) -> None:
    """Once in float weights (5 steps), once while fine-tuning (10)."""
    steps: list[EncodeProgress] = []
    with pytest.raises(Interrupted):
        nervid.encode(
            tiny_clip,
            QUICK,
            workdir=tmp_path / "job",
            on_progress=steps.append,
            should_stop=lambda: len(steps) == stop_at,
        )
    resumed: list[EncodeProgress] = []
    encoded = nervid.encode(tiny_clip, QUICK, workdir=tmp_path / "job", on_progress=resumed.append)
    assert encoded.data == quick.data
    assert len(steps) + len(resumed) == 15


def test_the_work_folder_goes_only_when_the_result_is_saved(tiny_clip: nervid.Clip, tmp_path: Path) -> None:
    encoded = nervid.encode(tiny_clip, size="3kB", epochs=1, workdir=tmp_path / "job")
    with pytest.raises(nervid.OutputError):
        encoded.save(tmp_path / "no such folder" / "a.nerv")
    assert (tmp_path / "job").is_dir()
    encoded.save(tmp_path / "a.nerv")
    assert [path.name for path in tmp_path.iterdir()] == ["a.nerv"]


def test_finished_segments_are_not_fitted_again(tmp_path: Path) -> None:
    clip = nervid.read(np.random.default_rng(1).integers(0, 255, (16, 3, 32, 48), dtype=np.uint8))
    config = nervid.EncodeConfig(size="8kB", epochs=1, max_segment_frames=8)
    steps: list[EncodeProgress] = []
    with pytest.raises(Interrupted):
        nervid.encode(
            clip,
            config,
            workdir=tmp_path / "job",
            on_progress=steps.append,
            should_stop=lambda: bool(steps) and steps[-1].segment == 1,
        )
    resumed: list[EncodeProgress] = []
    encoded = nervid.encode(clip, config, workdir=tmp_path / "job", on_progress=resumed.append)
    assert {progress.segment for progress in resumed} == {1}
    assert encoded.data == nervid.encode(clip, config).data


def test_every_segment_keeps_to_its_share_of_the_size(tiny_frames: np.ndarray) -> None:
    """Three segments of which the last is noise, the first one color: none gets what another leaves."""
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 255, tiny_frames.shape, dtype=np.uint8)
    clip = nervid.read(np.concatenate([np.full_like(tiny_frames, 90), tiny_frames, noise]))
    encoded = nervid.encode(clip, model="hnerv", size="12kB", epochs=2, max_segment_frames=8)
    assert 0.97 * 12_000 <= len(encoded.data) <= 12_000
    with nervid.NervFile.open(io.BytesIO(encoded.data)) as file:
        sizes = [sum(len(file.read(tag, number)) for tag in (MODL, WGHT, EMBD)) for number in range(3)]
    assert max(sizes) - min(sizes) <= 0.03 * max(sizes)


def test_progress_rises_from_segment_to_segment(tiny_clip: nervid.Clip) -> None:
    reports: list[EncodeProgress] = []
    nervid.encode(tiny_clip, size="8kB", epochs=1, max_segment_frames=4, on_progress=reports.append)
    shares = [report.share_done for report in reports]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    assert [report.segment for report in reports] == sorted(report.segment for report in reports)
    assert reports[-1].segments == 2


def test_a_quality_is_reached_or_the_report_says_so(tiny_clip: nervid.Clip) -> None:
    reached = nervid.encode(tiny_clip, psnr=12.0, epochs=5)
    assert reached.report.psnr_db >= 12.0
    assert reached.report.warnings == ()
    missed = nervid.encode(tiny_clip, psnr=40.0, epochs=1)
    assert "asked for 40 dB, reached" in missed.report.warnings[-1]


@pytest.mark.parametrize("size", ["100B", "700B"])
def test_an_impossible_size_is_refused_before_any_fitting(
    tiny_clip: nervid.Clip, size: str, tmp_path: Path
) -> None:
    reports: list[EncodeProgress] = []
    with pytest.raises(nervid.InputError, match="ask for more"):
        nervid.encode(tiny_clip, size=size, on_progress=reports.append, workdir=tmp_path / "job")
    assert reports == []
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_device_is_refused(tiny_clip: nervid.Clip) -> None:
    with pytest.raises(nervid.InputError, match="device must be"):
        nervid.encode(tiny_clip, QUICK, device="abacus")


@pytest.mark.parametrize(
    ("frames", "height", "width"), [(1, 16, 16), (2, 17, 31), (3, 64, 36), (1, 16, 200), (5, 33, 50)]
)
def test_any_size_and_length_works(frames: int, height: int, width: int) -> None:
    rng = np.random.default_rng(frames)
    clip = nervid.read(rng.integers(0, 255, (frames, 3, height, width), dtype=np.uint8))
    for model in ("hnerv", "nerv"):
        encoded = nervid.encode(clip, size="6kB", epochs=1, model=model)
        assert decoder(encoded)[:].shape == (frames, 3, height, width)
