"""Items are what a decoder draws, alone or in a batch, in this process or in a loader's workers."""

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.data import DataLoader, Subset

import nervid
from nervid.container import WGHT, NervFile
from nervid.decoder import decoder
from nervid.errors import CorruptSectionError, InputError

GOLDEN = Path(__file__).parents[1] / "golden"
FILES = [GOLDEN / "hnerv_v1.nerv", GOLDEN / "nerv_v1.nerv"]
"""Of 5 frames 40x24 each, in segments of 2 and 3."""

# Machines with one core, and Python 3.12 on the threads of a process that forks.
may_start_workers = [
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def frames() -> Tensor:
    """All frames of both files, uint8 [10, 3, 24, 40]."""
    drawn = []
    for path in FILES:
        with nervid.open(path) as video:
            drawn.append(video[:])
    return torch.cat(drawn)


def count_calls(monkeypatch: pytest.MonkeyPatch, name: str) -> list[Any]:
    """Replace a function of the decoder by one that notes its first argument."""
    calls: list[Any] = []
    function = getattr(decoder, name)

    def noting(*words: object, **options: object) -> object:
        calls.append(words[0])
        return function(*words, **options)

    monkeypatch.setattr(decoder, name, noting)
    return calls


def items(dataset: nervid.Dataset) -> list[Tensor]:
    return [dataset[index] for index in range(len(dataset))]


def test_single_frames_are_those_of_the_files_one_after_the_other(frames: Tensor) -> None:
    dataset = nervid.Dataset(FILES)
    assert len(dataset) == 10
    assert torch.equal(torch.stack([dataset[index] for index in range(10)]), frames)
    assert torch.equal(torch.stack(items(dataset)), frames)
    assert torch.equal(dataset[-1], frames[9])
    assert dataset[3].dtype == torch.uint8


def test_one_path_is_a_dataset_too(frames: Tensor) -> None:
    assert torch.equal(torch.stack(items(nervid.Dataset(str(FILES[1])))), frames[5:])


def test_clips_stay_within_their_file(frames: Tensor) -> None:
    dataset = nervid.Dataset(FILES, frames_per_item=2, step=2)
    starts = [0, 1, 2, 5, 6, 7]
    assert len(dataset) == 6
    for item, start in zip(items(dataset), starts, strict=True):
        assert torch.equal(item, frames[[start, start + 2]])
    dataset = nervid.Dataset(FILES, frames_per_item=2, every=3)
    assert [dataset.locate(index) for index in range(len(dataset))] == [
        (path, frames) for path in FILES for frames in (range(2), range(3, 5))
    ]


def test_one_frame_is_no_clip_and_a_clip_of_all_frames_is_one_item(frames: Tensor) -> None:
    assert nervid.Dataset(FILES, every=4)[1].shape == (3, 24, 40)
    dataset = nervid.Dataset(FILES, frames_per_item=5)
    assert len(dataset) == 2
    assert torch.equal(dataset[1], frames[5:])


@given(indices=st.lists(st.integers(-6, 5), max_size=12), open_files=st.integers(1, 2))
@settings(max_examples=20)
def test_batches_are_their_single_items_in_the_order_asked_for(indices: list[int], open_files: int) -> None:
    dataset = nervid.Dataset(FILES, frames_per_item=2, step=2, open_files=open_files)
    items = dataset.__getitems__(indices)
    assert len(items) == len(indices)
    for item, index in zip(items, indices, strict=True):
        assert torch.equal(item, dataset[index])


def test_a_batch_loads_each_network_once_and_draws_each_frame_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loads = count_calls(monkeypatch, "load_network")
    draws = count_calls(monkeypatch, "draw_frame")
    dataset = nervid.Dataset(FILES, frames_per_item=3, open_files=1)
    dataset.__getitems__([0, 3, 1, 4, 2, 5])
    assert len(loads) == 4
    assert len(draws) == 10
    # The file that is still open is drawn from before the other takes its place.
    dataset.__getitems__([0, 3])
    assert len(loads) == 4 + 2


def test_every_item_has_memory_of_its_own_that_a_transform_may_change(frames: Tensor) -> None:
    dataset = nervid.Dataset(FILES, transform=lambda item: item.bitwise_not_())
    first, other, again = dataset.__getitems__([0, 1, 0])
    assert torch.equal(first, 255 - frames[0])
    assert torch.equal(again, 255 - frames[0])
    assert torch.equal(other, 255 - frames[1])
    assert first.untyped_storage().nbytes() == frames[0].numel()


def test_what_the_transform_returns_is_the_item() -> None:
    dataset = nervid.Dataset(FILES, frames_per_item=2, transform=lambda item: {"shape": list(item.shape)})
    assert dataset[0] == {"shape": [2, 3, 24, 40]}


def test_pickling_leaves_files_and_networks_behind(frames: Tensor) -> None:
    dataset = nervid.Dataset(FILES)
    fresh = len(pickle.dumps(dataset))
    assert torch.equal(dataset[9], frames[9])
    data = pickle.dumps(dataset)
    assert len(data) == fresh < 2000
    assert torch.equal(pickle.loads(data)[9], frames[9])
    assert torch.equal(dataset[0], frames[0])


def test_a_relative_path_is_found_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frames: Tensor
) -> None:
    shutil.copy(FILES[0], tmp_path / "a.nerv")
    monkeypatch.chdir(tmp_path)
    dataset = nervid.Dataset("a.nerv")
    monkeypatch.chdir(os.sep)
    assert torch.equal(dataset[2], frames[2])


@pytest.mark.parametrize("start", ["spawn", "fork"])
class TestWorkers:
    pytestmark = may_start_workers

    def test_two_workers_deliver_a_shuffled_epoch(self, start: str, frames: Tensor) -> None:
        dataset = nervid.Dataset(FILES, frames_per_item=2)
        # Open here before the workers start: they must not use this process's files and networks.
        assert torch.equal(dataset[0], frames[:2])
        order = torch.randperm(8, generator=torch.Generator().manual_seed(1)).tolist()
        loader = DataLoader(
            dataset, batch_size=3, sampler=order, num_workers=2, multiprocessing_context=start
        )
        batches = list(loader)
        assert [batch.shape[0] for batch in batches] == [3, 3, 2]
        starts = torch.tensor([0, 1, 2, 3, 5, 6, 7, 8])[order]
        assert torch.equal(torch.cat(batches), torch.stack([frames[i : i + 2] for i in starts.tolist()]))


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_damaged_section_is_named_by_a_worker(tmp_path: Path) -> None:
    with NervFile.open(FILES[0]) as file:
        entry = next(entry for entry in file.entries if entry.tag == WGHT and entry.segment == 1)
    content = bytearray(FILES[0].read_bytes())
    content[entry.offset] ^= 1
    (tmp_path / "damaged.nerv").write_bytes(content)
    dataset = nervid.Dataset(tmp_path / "damaged.nerv")
    assert dataset[1].shape == (3, 24, 40)
    loader = DataLoader(Subset(dataset, [1, 2]), batch_size=2, num_workers=1, multiprocessing_context="fork")
    batches = iter(loader)
    with pytest.raises(CorruptSectionError, match="WGHT of segment 1"):
        next(batches)
    # An iterator that is not exhausted waits five seconds for its workers when it is dropped.
    assert next(batches, None) is None


@pytest.mark.parametrize("index", [10, -11])
def test_an_item_beyond_the_ends_says_what_there_is(index: int) -> None:
    with pytest.raises(IndexError, match=r"10 items \(0 to 9\)"):
        nervid.Dataset(FILES)[index]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames_per_item": 0}, "frames_per_item must be at least 1, got 0"),
        ({"step": 0}, "step must be"),
        ({"every": -1}, "every must be"),
        ({"open_files": 0}, "open_files must be"),
        ({"frames_per_item": 4, "step": 2}, r"spans 7 frames; the longest file, .*hnerv_v1\.nerv, has 5"),
        ({"device": "cuda:7"}, "cuda:7"),
    ],
)
def test_what_cannot_be_met_is_refused_at_once(
    options: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match=message):
        nervid.Dataset(FILES, **options)


def test_no_files_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"at least one \.nerv file"):
        nervid.Dataset([])
    with pytest.raises(InputError, match=r"missing\.nerv"):
        nervid.Dataset([FILES[0], tmp_path / "missing.nerv"])


def test_frames_of_different_sizes_need_a_transform(path: Path) -> None:
    with pytest.raises(InputError, match=r"40x24 in .*hnerv_v1\.nerv and 48x32 in .*video\.nerv"):
        nervid.Dataset([*FILES, path])
    dataset = nervid.Dataset([*FILES, path], transform=lambda frame: frame[:, :24, :40])
    loader = DataLoader(dataset, batch_size=22)
    assert next(iter(loader)).shape == (22, 3, 24, 40)


def test_the_representation_counts_items_and_files() -> None:
    assert repr(nervid.Dataset(FILES)) == "Dataset(10 frames, 2 files)"
    assert repr(nervid.Dataset(FILES[0], frames_per_item=2)) == "Dataset(4 clips of 2 frames, 1 files)"
