"""Parts of a video: trimming, skipping, resizing, segments, fingerprints."""

import gc
import weakref
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from nervid.errors import InputError
from nervid.video import read
from nervid.video.sources.repair import repair_timestamps

from .samples import Recipe, make_video, seconds


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """50 frames at 25 per second, 2 seconds, with sound."""
    return make_video(tmp_path_factory.mktemp("parts") / "a.mp4", Recipe(frames=50, audio="aac"))


def test_trimming_takes_the_range_and_starts_at_zero(video: Path) -> None:
    clip = read(video, start_seconds=0.4, duration_seconds=0.8)
    assert len(clip) == 20
    assert np.array_equal(clip.load(), read(video).load(10, 30))
    assert seconds(clip) == [Fraction(n, 25) for n in range(20)]
    (audio,) = clip.tracks
    whole = {packet.data: packet for packet in read(video).tracks[0].packets}
    assert all(0 <= packet.pts < 0.8 * 48000 for packet in audio.packets if packet.pts is not None)
    assert [whole[packet.data].pts for packet in audio.packets] == [
        None if packet.pts is None else packet.pts + 19200 for packet in audio.packets
    ]
    assert clip.source_bits_per_pixel is not None


def test_every_third_frame_keeps_its_time(video: Path) -> None:
    clip = read(video, every=3)
    assert len(clip) == 17
    assert np.array_equal(clip.load(), read(video).load()[::3])
    assert seconds(clip) == [Fraction(3 * n, 25) for n in range(17)]
    assert clip.info.frame_rate == Fraction(25, 3)


def test_iter_frames_takes_indices_like_a_slice(video: Path) -> None:
    clip = read(video, every=2)
    frames = clip.load()
    assert np.array_equal(np.stack(list(clip.iter_frames(3, 7))), frames[3:7])
    assert np.array_equal(np.stack(list(clip.iter_frames(-2))), frames[-2:])
    assert list(clip.iter_frames(9, 9)) == []


def test_resizing_keeps_the_shape_on_screen(video: Path) -> None:
    clip = read(video, size=(24, 32))
    assert clip.load(0, 2).shape == (2, 32, 24, 3)
    assert clip.info.pixel_aspect == 2
    flat = read(np.full((1, 64, 64, 3), 77, dtype=np.uint8), size=(32, 16))
    assert np.array_equal(flat.load(), np.full((1, 16, 32, 3), 77, dtype=np.uint8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start_seconds": 2.5}, "start must be before the end at 2 seconds, got 2.5"),
        ({"start_seconds": -1.0}, "start must be 0 seconds or more, got -1.0"),
        ({"start_seconds": float("nan")}, "start must be 0 seconds or more, got nan"),
        ({"duration_seconds": 0.0}, "duration must be above 0 seconds, got 0.0"),
        ({"every": 0}, "every must be 1 or more, got 0"),
        ({"size": (15, 100)}, "got 15x100"),
        ({"size": (100, 4097)}, "got 100x4097"),
    ],
)
def test_options_out_of_range_are_refused(video: Path, options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(video, **options)  # type: ignore[arg-type]


def test_segments_come_in_one_pass_and_are_not_kept(video: Path) -> None:
    clip = read(video)
    frames = clip.load()
    segments = [range(20), range(20, 35), range(35, 50)]
    alive: list[weakref.ref[np.ndarray]] = []
    iterator = clip.iter_segments(segments)
    for segment in segments:
        gathered = next(iterator)
        assert np.array_equal(gathered, frames[segment.start : segment.stop])
        alive.append(weakref.ref(gathered))
        del gathered
        gc.collect()
        assert [reference() for reference in alive] == [None] * len(alive)
    assert next(iterator, None) is None


def test_segments_can_begin_later_and_leave_gaps(video: Path) -> None:
    clip = read(video)
    parts = list(clip.iter_segments([range(5), range(10, 12), range(20, 23)], first=1))
    assert [len(part) for part in parts] == [2, 3]
    assert np.array_equal(parts[1], clip.load(20, 23))
    assert list(clip.iter_segments([range(5)], first=1)) == []


def test_the_fingerprint_names_content_and_options_but_not_the_file_name(video: Path, tmp_path: Path) -> None:
    copy = tmp_path / "other.mp4"
    copy.write_bytes(video.read_bytes())
    fingerprint = read(video).fingerprint
    assert len(fingerprint) == 64
    assert read(copy).fingerprint == fingerprint
    assert read(video, every=2).fingerprint != fingerprint
    changed = bytearray(video.read_bytes())
    changed[-1] ^= 1
    copy.write_bytes(changed)
    assert read(copy).fingerprint != fingerprint


def test_timestamps_are_repaired_to_increase() -> None:
    untouched, repaired = repair_timestamps([0, 2, 4], 2)
    assert (untouched.tolist(), repaired) == ([0, 2, 4], 0)
    timestamps, repaired = repair_timestamps([1, 3, 2, None, 4, 4], 1)
    assert timestamps.tolist() == [1, 2, 3, 4, 5, 6]
    assert repaired == 5


def test_a_file_whose_times_are_out_of_order_is_repaired_with_a_warning(tmp_path: Path) -> None:
    # AVI stores decoding times, so frames that refer to later ones come out in the wrong order.
    clip = read(make_video(tmp_path / "b.avi", Recipe(options={"bf": "2", "b-adapt": "0"})))
    assert np.all(np.diff(clip.timestamps) > 0)
    assert len(clip) == 24
    (warning,) = clip.warnings
    assert "were missing, repeated or out of order and were repaired" in warning
