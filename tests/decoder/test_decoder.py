import hashlib
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nervid
from nervid.container import EMBD, MODL, WGHT, NervFile
from nervid.errors import CorruptSectionError, InputError

from .conftest import FRAMES, TIMES


def test_indexing_is_that_of_a_sequence(path: Path) -> None:
    with nervid.open(path) as video:
        everything = video[:]
        assert len(video) == FRAMES
        assert everything.shape == (FRAMES, 3, 32, 48)
        assert everything.dtype == torch.uint8
        assert torch.equal(video[3], everything[3])
        assert torch.equal(video[-1], everything[-1])
        assert torch.equal(video[2:9:3], everything[2:9:3])
        assert torch.equal(video[::-1], everything.flip(0))
        assert torch.equal(video[[0, 11, 5, 5]], everything[[0, 11, 5, 5]])
        assert torch.equal(video[np.array([1, 2])], everything[1:3])
        assert video[5:5].shape == (0, 3, 32, 48)
        assert torch.equal(torch.stack(list(video)), everything)


@pytest.mark.parametrize("index", [FRAMES, -FRAMES - 1])
def test_an_index_beyond_the_ends_says_what_there_is(path: Path, index: int) -> None:
    with nervid.open(path) as video, pytest.raises(IndexError, match=r"12 frames \(0 to 11\)"):
        video[index]


@given(order=st.lists(st.integers(0, FRAMES - 1), min_size=1, max_size=8), size=st.integers(1, FRAMES))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_frames_are_the_same_bits_in_any_order_and_batch(path: Path, order: list[int], size: int) -> None:
    with nervid.open(path) as video:
        batched = torch.cat(list(video.batches(size)))
    with nervid.open(path) as video:
        assert torch.equal(video[order], batched[order])


def test_a_new_process_decodes_the_same_bits_from_the_file_alone(path: Path, tmp_path: Path) -> None:
    alone = tmp_path / "elsewhere.nerv"
    alone.write_bytes(path.read_bytes())
    code = (
        "import hashlib, sys, nervid; v = nervid.open(sys.argv[1]);"
        "assert 'nervid.fit.trainer' not in sys.modules;"
        "print(hashlib.sha256(b''.join(v[i].numpy().tobytes() for i in reversed(range(len(v))))).hexdigest())"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code, str(alone)], check=True, capture_output=True, text=True
    ).stdout.strip()
    with nervid.open(path) as video:
        here = hashlib.sha256(b"".join(frame.numpy().tobytes() for frame in video[::-1])).hexdigest()
    assert printed == here


def test_timestamps_and_tags_are_those_of_the_source(path: Path, source: Path) -> None:
    with nervid.open(path) as video:
        np.testing.assert_array_equal(video.timestamps, nervid.read(source).timestamps)
        assert [video.seconds_of(i) for i in range(FRAMES)] == pytest.approx((TIMES / 1000).tolist())
        assert video.metadata.tags["title"] == "Uneven"
        assert video.metadata.size_bytes == path.stat().st_size
        assert video.metadata.bits_per_pixel == 8 * path.stat().st_size / (FRAMES * 32 * 48)


@given(seconds=st.floats(0, 0.559))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_frame_at_a_time_is_the_last_that_appeared(path: Path, seconds: float) -> None:
    with nervid.open(path) as video:
        index = max(i for i in range(FRAMES) if TIMES[i] / 1000 <= seconds + 0.0005)
        assert torch.equal(video.frame_at(seconds), video[index])


def test_a_frame_is_found_at_its_own_time(path: Path) -> None:
    with nervid.open(path) as video:
        for index in range(FRAMES):
            assert torch.equal(video.frame_at(seconds=video.seconds_of(index)), video[index])


@pytest.mark.parametrize("seconds", [-0.1, 5.0, float("nan")])
def test_a_time_off_the_clip_is_refused_with_its_duration(path: Path, seconds: float) -> None:
    with nervid.open(path) as video, pytest.raises(nervid.InputError, match=r"plays from 0 s to 0\.6"):
        video.frame_at(seconds)


def test_one_frame_reads_only_the_head_and_its_segments_sections(path: Path) -> None:
    with NervFile.open(path) as file:
        head = file.bytes_read
        sections = sum(len(file.read(tag, 1)) for tag in (MODL, WGHT, EMBD))
        assert len(file.header.segments) > 1
    with nervid.open(path) as video:
        _ = video[file.header.segments[0]]
        assert video.bytes_read == head + sections
        assert video.bytes_read < path.stat().st_size


def test_a_damaged_section_is_named_and_others_still_play(path: Path, tmp_path: Path) -> None:
    with NervFile.open(path) as file:
        entry = next(entry for entry in file.entries if entry.tag == WGHT and entry.segment == 1)
    data = bytearray(path.read_bytes())
    data[entry.offset + entry.length // 2] ^= 1
    damaged = tmp_path / "damaged.nerv"
    damaged.write_bytes(data)
    with nervid.open(damaged) as video:
        assert video[0].shape == (3, 32, 48)
        with pytest.raises(CorruptSectionError, match="WGHT of segment 1"):
            video[file.header.segments[0]]


def test_batches_of_no_frames_are_refused(path: Path) -> None:
    with nervid.open(path) as video, pytest.raises(nervid.InputError, match="batch size"):
        next(video.batches(0))


def test_the_metadata_is_readable(path: Path) -> None:
    with nervid.open(path) as video:
        assert repr(video).startswith("Decoder(VideoMetadata(width=48, height=32, frames=12,")


def test_a_mix_of_no_share_is_the_frame_itself(path: Path) -> None:
    with nervid.open(path) as video:
        assert torch.equal(video.mix(1, 3, 0.0), video[1])
        assert torch.equal(video.mix(1, 3, 1.0), video[3])
        between = video.mix(1, 3, 0.5)
        assert between.shape == video[1].shape
        assert not torch.equal(between, video[1])
        assert torch.equal(video.mix(-12, 2, 0.25), video.mix(0, 2, 0.25))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((1, 8, 0.5), "no network"), ((1, 2, 1.5), "share must be 0 to 1, got 1.5")],
)
def test_what_cannot_be_mixed_is_refused(path: Path, arguments: tuple[int, int, float], message: str) -> None:
    with nervid.open(path) as video, pytest.raises(nervid.InputError, match=message):
        video.mix(*arguments)


def test_a_network_without_embeddings_cannot_mix(tiny_frames: np.ndarray) -> None:
    encoded = nervid.encode(nervid.read(tiny_frames), size="6kB", epochs=1, model="nerv")
    with (
        nervid.open(io.BytesIO(encoded.data)) as video,
        pytest.raises(nervid.InputError, match="stored ones"),
    ):
        video.mix(0, 1, 0.5)


def test_a_frame_is_drawn_at_any_size(path: Path) -> None:
    with nervid.open(path) as video:
        own = video.frame_at(video.seconds_of(3))
        assert torch.equal(video.frame_at(video.seconds_of(3), size=(32, 48)), own)
        large = video.frame_at(video.seconds_of(3), size=(64, 96))
        assert large.shape == (3, 64, 96)
        # Four pixels in the place of one have about its color.
        means = large.float().unfold(1, 2, 2).unfold(2, 2, 2).mean(dim=(3, 4))
        assert float((means - own.float()).abs().mean()) < 3
        assert torch.equal(video.mix(3, 3, 0, size=(64, 96)), large)


@pytest.mark.parametrize("size", [(0, 48), (32, 8193)])
def test_a_size_out_of_range_is_refused(path: Path, size: tuple[int, int]) -> None:
    with nervid.open(path) as video, pytest.raises(InputError, match="height and a width of 1 to 8192"):
        video.frame_at(video.seconds_of(0), size=size)
