"""Shots are consecutive frames without a cut, and depend on files, seed and number alone."""

from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from nervid.errors import InputError
from nervid.meta.corpus import Corpus
from nervid.meta.shots import Shot, Shots

from .samples import LEVELS, counting, frame, plain, write_image, write_video


def indices(shot: Shot) -> list[int]:
    """Frame indices that a shot of a counting video shows."""
    red = shot.frames[:, 0].float()
    assert float((red - red.mean(dim=(1, 2), keepdim=True)).abs().max()) <= 1
    return [round(float(value) / LEVELS) for value in red.mean(dim=(1, 2))]


def consecutive(first: int, count: int) -> list[int]:
    return list(range(first, first + count))


def test_a_shot_is_the_frames_of_one_place_made_small(tmp_path: Path) -> None:
    corpus = Corpus.find([counting(tmp_path / "a.mkv", 60)])
    shots = Shots(corpus, short_side=16, needed=4, frames=12)
    firsts = set()
    for number in range(20):
        shot = shots.shot(number)
        assert shot.name == str(tmp_path / "a.mkv")
        assert shot.frames.shape == (12, 3, 16, 24)
        assert indices(shot) == consecutive(indices(shot)[0], 12)
        firsts.add(indices(shot)[0])
    assert len(firsts) > 10
    assert min(firsts) < 12
    assert 36 < max(firsts) <= 48


def test_a_small_video_keeps_its_size_and_its_very_pixels(tmp_path: Path) -> None:
    corpus = Corpus.find([counting(tmp_path / "a.mkv", 5)])
    shot = Shots(corpus, short_side=100, needed=5, frames=48).shot(0)
    whole = np.stack([frame(index) for index in range(5)])
    assert torch.equal(shot.frames, torch.from_numpy(whole).permute(0, 3, 1, 2))


def test_the_same_number_gives_the_same_bytes_in_any_order_and_with_any_knowledge(tmp_path: Path) -> None:
    for name, count in (("a.mkv", 40), ("b.mkv", 3), ("c.mkv", 50)):
        counting(tmp_path / name, count)
    (tmp_path / "d.mkv").write_bytes(b"broken" * 1000)
    write_image(tmp_path / "e.png", frame(20, width=64, height=64))
    paths = [tmp_path, tmp_path / "e.png"]
    shots = Shots(Corpus.find(paths), short_side=24, needed=4, frames=8, seed=7)
    forward = {number: shots.shot(number) for number in range(12)}
    for number in reversed(range(12)):
        # One that knows by now which files are flawed, one that begins anew.
        fresh = Shots(Corpus.find(paths), short_side=24, needed=4, frames=8, seed=7)
        for other in (shots.shot(number), fresh.shot(number)):
            assert other.name == forward[number].name
            assert torch.equal(other.frames, forward[number].frames)
    other_seed = Shots(Corpus.find(paths), short_side=24, needed=4, frames=8, seed=8)
    assert any(not torch.equal(other_seed.shot(number).frames, forward[number].frames) for number in range(3))


def test_files_that_cannot_serve_are_listed_with_the_reason(tmp_path: Path) -> None:
    good = counting(tmp_path / "good.mkv", 10)
    short = counting(tmp_path / "short.mkv", 3)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"broken" * 5000)
    corpus = Corpus.find([tmp_path])
    shots = Shots(corpus, short_side=32, needed=8, frames=10)
    assert {shots.shot(number).name for number in range(30)} == {str(good)}
    assert corpus.skipped == {
        str(short): "it has 3 frames, 8 were wanted",
        str(broken): "not a video that can be read; replace or remove it",
    }
    # What is too short for some windows serves for shorter ones.
    assert str(short) in {Shots(corpus, short_side=32, needed=3).shot(n).name for n in range(200)}


@pytest.mark.parametrize("whole", [14, 3])
def test_a_damaged_file_serves_where_it_can_and_the_order_does_not_matter(tmp_path: Path, whole: int) -> None:
    good = counting(tmp_path / "good.mkv", 12)
    damaged = counting(tmp_path / "damaged.mkv", 40)
    with av.open(str(damaged)) as container:
        places = [packet.pos or 0 for packet in container.demux(video=0) if packet.size]
    data = damaged.read_bytes()
    damaged.write_bytes(data[: places[whole]] + bytes(len(data) - places[whole]))
    corpus = Corpus.find([tmp_path])
    shots = Shots(corpus, short_side=32, needed=6, frames=8)
    forward = [shots.shot(number) for number in range(16)]
    firsts = set()
    for number in reversed(range(16)):
        fresh = Shots(Corpus.find([tmp_path]), short_side=32, needed=6, frames=8).shot(number)
        for other in (fresh, shots.shot(number)):
            assert other.name == forward[number].name
            assert torch.equal(other.frames, forward[number].frames)
        shown = indices(fresh)
        assert shown == consecutive(shown[0], len(shown))
        if fresh.name == str(damaged):
            firsts.add(shown[0])
    if whole == 3:
        assert {shot.name for shot in forward} == {str(good)}
        said = "3 of 40 frames follow one another from its start; it is cut short or damaged"
        assert corpus.skipped == {str(damaged): said}
    else:
        assert len(firsts) > 1
        assert corpus.skipped == {}


def test_no_shot_crosses_a_gap_in_time(tmp_path: Path) -> None:
    times = [*range(15), *range(30, 40)]
    path = write_video(tmp_path / "a.mkv", [frame(index) for index in range(25)], times=times)
    shots = Shots(Corpus.find([path]), short_side=32, needed=4, frames=10)
    firsts = set()
    for number in range(24):
        shown = indices(shots.shot(number))
        # Frame 15 comes 16 frame times after frame 14, and looks as if it came after one.
        assert not {14, 15} <= set(shown)
        firsts.add(shown[0])
    assert min(firsts) < 5
    assert max(firsts) >= 15


def test_a_corpus_without_a_long_enough_file_is_refused_in_one_line(tmp_path: Path) -> None:
    counting(tmp_path / "a.mkv", 3)
    counting(tmp_path / "b.mkv", 5)
    shots = Shots(Corpus.find([tmp_path]), short_side=32, needed=8)
    message = "no clip has the 8 frames without a cut that the schedule needs; the longest found has 5; name"
    for _ in range(2):
        with pytest.raises(InputError, match=message):
            shots.shot(0)


def test_no_shot_crosses_a_cut(tmp_path: Path) -> None:
    dark = [frame(index) // 4 for index in range(20)]
    bright = [255 - frame(index) // 4 for index in range(25)]
    path = write_video(tmp_path / "a.mkv", dark + bright)
    shots = Shots(Corpus.find([path]), short_side=32, needed=6, frames=16)
    seen: Counter[bool] = Counter()
    for number in range(24):
        red = shots.shot(number).frames[:, 0].float().mean(dim=(1, 2))
        assert len(red) >= 6
        is_bright = red > 127
        assert bool((is_bright == is_bright[0]).all())
        seen[bool(is_bright[0])] += 1
    assert seen[False] > 3
    assert seen[True] > 3


def test_a_video_that_cuts_all_the_time_is_passed_over_but_not_blamed(tmp_path: Path) -> None:
    slides = write_video(
        tmp_path / "a.mkv", [plain(32, 48, (level, level, level)) for level in (0, 255) * 20]
    )
    shots = Shots(corpus := Corpus.find([slides]), short_side=32, needed=4, frames=12)
    with pytest.raises(
        InputError, match=r"no clip has the 4 frames without a cut .* the longest found has 1;"
    ):
        shots.shot(0)
    assert corpus.skipped == {}


def test_a_wide_video_is_cut_off_so_that_memory_is_bounded(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", [frame(index, width=200, height=32) for index in range(6)])
    shots = Shots(Corpus.find([path]), short_side=16, needed=6, frames=6)
    lefts = set()
    for number in range(8):
        frames = shots.shot(number).frames
        assert frames.shape == (6, 3, 16, 32)
        lefts.add(int(frames[0, 1, 0, 0]))
    assert shots.largest_bytes == frames.numel() == 6 * 3 * 16 * 32
    assert len(lefts) > 4


def test_a_film_is_drawn_more_often_than_a_clip(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (36, 16, 16, 3), dtype=np.uint8)
    film = write_video(tmp_path / "film.avi", list(noise))
    clip = write_video(tmp_path / "clip.avi", list(noise[:4]))
    sizes = film.stat().st_size, clip.stat().st_size
    shots = Shots(Corpus.find([tmp_path]), short_side=16, needed=1, frames=2)
    drawn = Counter(shots.shot(number).name for number in range(200))
    assert drawn[str(film)] / 200 == pytest.approx(sizes[0] / sum(sizes), abs=0.08)
    assert drawn[str(clip)] > 0


def test_the_share_of_photographs_is_that_asked_for(tmp_path: Path) -> None:
    counting(tmp_path / "a.mkv", 4)
    photograph = write_image(tmp_path / "b.png", frame(1, width=40, height=40))
    corpus = Corpus.find([tmp_path, photograph])

    def drawn(share: float) -> int:
        shots = Shots(corpus, short_side=8, needed=2, frames=2, photographs=share)
        return sum(shots.shot(number).name == str(photograph) for number in range(100))

    assert drawn(0) == 0
    assert drawn(1) == 100
    assert 15 < drawn(0.3) < 45


def test_photographs_serve_where_no_video_can(tmp_path: Path) -> None:
    counting(tmp_path / "a.mkv", 2)
    photograph = write_image(tmp_path / "b.png", frame(1, width=40, height=40))
    shots = Shots(Corpus.find([tmp_path, photograph]), short_side=8, needed=5, photographs=0)
    assert {shots.shot(number).name for number in range(3)} == {str(photograph)}


@pytest.mark.parametrize(
    "options", [{"short_side": 0}, {"needed": 0}, {"needed": 9}, {"seed": -1}, {"photographs": 1.5}]
)
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    usual: dict[str, float] = {"short_side": 32, "needed": 4, "frames": 8}
    with pytest.raises(InputError, match="shots: wanted short_side of 1 or more"):
        Shots(Corpus([]), **(usual | options))  # type: ignore[arg-type]
