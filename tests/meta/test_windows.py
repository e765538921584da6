"""Windows show consecutive frames of shots, mirrored and cropped, and are functions of their number."""

import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nervid.errors import InputError
from nervid.meta.corpus import Corpus
from nervid.meta.shots import Shot, Shots
from nervid.meta.windows import AHEAD, Rotation, Windows, cut_window

from .samples import LEVELS, counting, frame, write_image, write_shard


def whole(count: int, *, height: int = 32, width: int = 48) -> Tensor:
    """A shot of counting frames."""
    frames = np.stack([frame(index, width=width, height=height) for index in range(count)])
    return torch.from_numpy(frames).permute(0, 3, 1, 2)


def indices(window: Tensor) -> list[int]:
    return [round(float(value) / LEVELS) for value in window[:, 0].float().mean(dim=(1, 2))]


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    for name, count in (("a.mkv", 40), ("b.mkv", 20), ("c.mkv", 12)):
        counting(tmp_path / name, count)
    (tmp_path / "d.mkv").write_bytes(b"broken")
    return Corpus.find([tmp_path, write_image(tmp_path / "e.png", frame(20, width=64, height=64))])


def windows(corpus: Corpus, **options: int) -> Windows:
    usual = {
        "height": 16,
        "width": 16,
        "frames": 4,
        "seed": 3,
        "reuse": 4,
        "held_shots": 3,
        "shot_frames": 12,
    }
    return Windows(corpus, **(usual | options))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 300))
def test_the_rotation_is_that_of_a_pool_whose_members_are_replaced_in_turn(
    held: int, reuse: int, number: int
) -> None:
    rotation = Rotation(held=held, reuse=reuse)
    # The obvious way: members with the uses that are left to them, and a new one when there are none.
    members, left = list(range(held)), [reuse - place * reuse // held for place in range(held)]
    used: Counter[int] = Counter()
    for window in range(number + 1):
        place = window % held
        if left[place] == 0:
            members[place], left[place] = members[place] + held, reuse
        left[place] -= 1
        assert rotation.shot(window) == members[place]
        used[members[place]] += 1
    assert max(used.values()) <= reuse


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 300), st.integers(0, 5))
def test_upcoming_shots_are_those_of_the_next_windows(held: int, reuse: int, number: int, ahead: int) -> None:
    rotation = Rotation(held=held, reuse=reuse)
    later = [rotation.shot(window) for window in range(number, number + held * (reuse + 1) * (ahead + 2))]
    assert rotation.upcoming(number, ahead) == list(dict.fromkeys(later))[: held + ahead]


def test_neighboring_windows_come_from_different_shots() -> None:
    rotation = Rotation(held=16, reuse=16)
    for first in range(0, 2000, 37):
        assert len({rotation.shot(window) for window in range(first, first + 16)}) == 16


def test_frames_follow_one_another_at_each_speed_in_both_directions() -> None:
    shot, firsts = whole(24), set()
    steps: Counter[int] = Counter()
    for number in range(300):
        shown = indices(cut_window(shot, 5, 16, 16, np.random.default_rng(number)))
        step = shown[1] - shown[0]
        assert shown == list(range(shown[0], shown[0] + 5 * step, step))
        assert set(shown) <= set(range(24))
        steps[step] += 1
        firsts.add(min(shown))
    assert set(steps) == {-3, -2, -1, 1, 2, 3}
    assert min(steps.values()) > 25
    assert firsts >= {0, 19}


def test_a_short_shot_is_not_played_quicker_than_it_can_be() -> None:
    for number in range(40):
        shown = indices(cut_window(whole(5), 4, 16, 16, np.random.default_rng(number)))
        assert abs(shown[1] - shown[0]) == 1
    assert cut_window(whole(1), 1, 16, 16, np.random.default_rng(0)).shape == (1, 3, 16, 16)


def test_crops_have_the_aspect_of_the_window_and_sizes_up_to_the_whole_shot() -> None:
    shot, shares, mirrored = whole(2, height=64, width=96), [], 0
    for number in range(200):
        window = cut_window(shot, 2, 16, 24, np.random.default_rng(number)).float()
        # Green rises by 255 over the shot's width, blue over its height.
        across = float(window[0, 1, :, -1].mean() - window[0, 1, :, 0].mean()) / 255
        down = float(window[0, 2, -1].mean() - window[0, 2, 0].mean()) / 255
        mirrored += across < 0
        assert down > 0
        assert abs(across) == pytest.approx(down, abs=0.04)
        shares.append(down)
    assert 70 < mirrored < 130
    # From 16 of 64 rows to all; the outermost pixels of a resized window lie inside the crop.
    assert min(shares) == pytest.approx(15 / 63, abs=0.02)
    assert max(shares) == pytest.approx(60 / 63, abs=0.05)
    # Evenly distributed logarithm: half of them below half of the shot.
    assert 75 < sum(share < 0.5 for share in shares) < 125


def test_a_crop_of_the_windows_own_size_is_not_resampled() -> None:
    shot = whole(3, height=16, width=16)
    window = cut_window(shot, 3, 16, 16, np.random.default_rng(5))
    assert any(
        torch.equal(window, candidate.flip(flips))
        for flips in ([], [3])
        for candidate in (shot, shot.flip(0))
    )


def test_a_small_shot_is_enlarged() -> None:
    window = cut_window(whole(3, height=8, width=12), 2, 16, 16, np.random.default_rng(1))
    assert window.shape == (2, 3, 16, 16)


def test_windows_are_the_same_in_any_order_after_a_restart_and_with_more_workers(corpus: Corpus) -> None:
    with windows(corpus) as ours:
        expected = [ours.window(number) for number in range(40)]
        for number in (39, 0, 17, 17, 3, 30):
            assert torch.equal(ours.window(number), expected[number])
    with windows(Corpus(corpus.files), workers=3) as resumed:
        for number in range(25, 40):
            assert torch.equal(resumed.window(number), expected[number])
    with windows(corpus, seed=4) as other:
        assert not all(torch.equal(other.window(number), expected[number]) for number in range(4))


def test_a_window_is_uint8_of_its_size_and_the_callers_own(corpus: Corpus) -> None:
    with windows(corpus, height=12, width=20) as ours:
        window = ours.window(5)
        before = window.clone()
        assert (window.shape, window.dtype, window.is_contiguous()) == ((4, 3, 12, 20), torch.uint8, True)
        window.zero_()
        assert torch.equal(ours.window(5), before)


def test_a_window_is_cut_out_of_its_shot(corpus: Corpus) -> None:
    with windows(corpus) as ours:
        shots = [ours.shot(number) for number in range(60)]
        assert {Path(shot.name).name for shot in shots} == {"a.mkv", "b.mkv", "c.mkv", "e.png"}
        for number in range(60):
            if not shots[number].name.endswith("e.png"):
                assert set(indices(ours.window(number))) <= set(indices(shots[number].frames))


def test_each_shot_is_decoded_once_and_few_are_held(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    original = Shots.shot

    def shot(self: Shots, number: int) -> Shot:
        decoded.append(number)
        return original(self, number)

    monkeypatch.setattr(Shots, "shot", shot)
    with windows(corpus) as ours:
        for number in range(60):
            ours.window(number)
            assert len(ours._decoded) <= 3 + AHEAD
        rotation = Rotation(held=3, reuse=4)
        needed = {rotation.shot(number) for number in range(60)}
    assert len(decoded) == len(set(decoded))
    assert needed <= set(decoded) <= needed | set(rotation.upcoming(59, AHEAD))
    assert ours.largest_bytes == (3 + AHEAD + 2) * 12 * 3 * 2 * 32 * 32


def test_a_shard_gives_the_windows_of_the_folder_that_it_was_made_from(tmp_path: Path) -> None:
    for name in ("one/a.mkv", "one/b.mkv", "two/a.avi"):
        counting(tmp_path / "folder" / name, 15, first=len(name))
    (tmp_path / "folder" / "two" / "b.mp4").write_bytes(b"broken")
    files = sorted((tmp_path / "folder").rglob("*.*"))
    members = {str(file.relative_to(tmp_path / "folder")): file.read_bytes() for file in files}
    shard = Corpus.find([write_shard(tmp_path / "train-0.tar", members)])
    folder = Corpus.find([tmp_path / "folder"])
    with windows(shard) as ours, windows(folder) as others:
        for number in range(12):
            assert torch.equal(ours.window(number), others.window(number))
            name = others.shot(number).name.removeprefix(f"{tmp_path}/folder")
            assert ours.shot(number).name == f"{tmp_path}/train-0.tar{name}"


def test_close_ends_the_threads_and_says_so(corpus: Corpus) -> None:
    ours = windows(corpus)
    ours.window(0)
    assert any(thread.name.startswith("nervid-shots") for thread in threading.enumerate())
    ours.close()
    ours.close()
    assert not any(thread.name.startswith("nervid-shots") for thread in threading.enumerate())
    with pytest.raises(InputError, match="windows: closed already"):
        ours.window(1)


def test_what_a_thread_met_is_raised_where_the_window_is_asked_for(tmp_path: Path) -> None:
    counting(tmp_path / "a.mkv", 3)
    with windows(Corpus.find([tmp_path])) as ours:
        for _ in range(2):
            with pytest.raises(InputError, match=r"no clip has the 4 frames .* the longest found has 3"):
                ours.window(0)


def test_options_and_numbers_out_of_range_are_refused(corpus: Corpus) -> None:
    for name in ("height", "width", "frames", "reuse", "held_shots", "workers"):
        with pytest.raises(InputError, match=f"windows: {name} must be 1 or more, got 0"):
            windows(corpus, **{name: 0})
    with pytest.raises(InputError, match="needed of 1 to frames"):
        windows(corpus, frames=13)
    with windows(corpus) as ours, pytest.raises(InputError, match="a number must be 0 or more, got -1"):
        ours.window(-1)
