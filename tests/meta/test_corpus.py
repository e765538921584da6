"""A corpus lists what paths stand for, in one order, and opens nothing."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervid.errors import InputError
from nervid.meta.corpus import Corpus, CorpusFile

from .samples import write_shard


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"no video")


def names(corpus: Corpus, folder: Path) -> list[str]:
    return [file.name.removeprefix(f"{folder}/") for file in corpus.files]


def test_a_folder_of_classes_gives_its_videos_in_natural_order_unopened(tmp_path: Path) -> None:
    videos = ["Archery/v_g10.avi", "Archery/v_g2.avi", "Bowling/deep/v_g1.MP4", "Bowling/v.webm"]
    others = ["Archery/readme.txt", "Archery/preview.jpg", ".cache/v.mp4", "Bowling/._v.mp4"]
    touch(*(tmp_path / name for name in videos + others))
    corpus = Corpus.find([tmp_path])
    assert names(corpus, tmp_path) == [
        "Archery/v_g2.avi",
        "Archery/v_g10.avi",
        "Bowling/deep/v_g1.MP4",
        "Bowling/v.webm",
    ]
    assert {(file.kind, file.bytes, file.offset) for file in corpus.files} == {("video", 8, None)}
    assert corpus.skipped == {}
    assert repr(corpus) == "Corpus(4 videos, 0 photographs)"


def test_the_order_of_the_paths_and_a_path_named_twice_change_nothing(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("b.mp4", "a.png", "c.mkv")]
    touch(*files)
    corpus = Corpus.find([*files, tmp_path, files[0]])
    assert names(corpus, tmp_path) == ["a.png", "b.mp4", "c.mkv"]
    assert [file.kind for file in corpus.files] == ["photograph", "video", "video"]
    assert (len(corpus.videos), len(corpus.photographs)) == (2, 1)
    assert corpus.fingerprint == Corpus.find([files[2], files[1], files[0]]).fingerprint


def test_another_size_or_name_is_another_fingerprint(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp4")
    first = Corpus.find([tmp_path]).fingerprint
    (tmp_path / "a.mp4").write_bytes(b"a longer video")
    second = Corpus.find([tmp_path]).fingerprint
    (tmp_path / "a.mp4").rename(tmp_path / "b.mp4")
    assert len({first, second, Corpus.find([tmp_path]).fingerprint}) == 3


def test_a_glob_gives_videos_and_photographs(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("x/1.jpg", "x/y/2.jpg", "x/y/3.txt", "4.jpg")))
    corpus = Corpus.find([tmp_path / "x" / "**" / "*"])
    assert names(corpus, tmp_path) == ["x/1.jpg", "x/y/2.jpg"]
    assert len(corpus.photographs) == 2


@given(st.lists(st.binary(max_size=1500), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_members_of_a_shard_are_found_at_their_bytes(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], shuffler: random.Random
) -> None:
    members = {f"./{index:06}.mp4": data for index, data in enumerate(contents)}
    others = {"000000.json": b"{}", "000000.cls": b"3", "folder/.hidden.mp4": b"x"}
    mixed = list((members | others).items())
    shuffler.shuffle(mixed)
    shard = write_shard(tmp_path_factory.mktemp("shard") / "train-0.tar", dict(mixed))
    corpus = Corpus.find([shard])
    assert [file.name for file in corpus.files] == [f"{shard}/{name[2:]}" for name in members]
    whole = shard.read_bytes()
    for file, data in zip(corpus.files, contents, strict=True):
        assert file.offset is not None
        assert whole[file.offset : file.offset + file.bytes] == data
        assert file.location == f"subfile,,start,{file.offset},end,{file.offset + len(data)},,:file:{shard}"


def test_shards_in_a_folder_are_read_and_a_broken_one_is_listed(tmp_path: Path) -> None:
    write_shard(tmp_path / "good.tar", {"a.mp4": b"video", "b.png": b"image"})
    write_shard(tmp_path / "packed.tar", {"c.mp4": b"video"}, mode="w:gz")
    corpus = Corpus.find([tmp_path])
    assert names(corpus, tmp_path) == ["good.tar/a.mp4", "good.tar/b.png"]
    assert list(corpus.skipped) == [str(tmp_path / "packed.tar")]
    assert corpus.skipped[str(tmp_path / "packed.tar")].startswith("wanted a whole, uncompressed .tar")


def test_each_path_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path) -> None:
    touch(tmp_path / "text" / "a.txt", tmp_path / "images" / "1.jpg", tmp_path / "images" / "2.jpg")
    write_shard(tmp_path / "texts.tar", {"a.txt": b"x"})
    write_shard(tmp_path / "packed.tar", {"a.mp4": b"x"}, mode="w:gz")
    cut = tmp_path / "cut.tar"
    cut.write_bytes(write_shard(tmp_path / "whole.tar", {"a.mp4": bytes(2000)}).read_bytes()[:700])
    wanted = r"wanted at least one video \(\.avi, .*\.y4m\)"
    for name, message in {
        "gone.mp4": r"gone\.mp4: no such file or folder; check the path",
        "text": rf"text: {wanted} or a \.tar shard, found none; name another folder",
        "images": rf"images: {wanted} or .* found none; it holds 2 images: .* such as .*images/\*\*/\*\.jpg$",
        "text/a.txt": rf"a\.txt: {wanted}, a photograph, a folder or a \.tar shard; got \.txt",
        "text/*.mp4": rf"text/\*\.mp4: {wanted} or photograph, found none; check the pattern",
        "texts.tar": rf"texts\.tar: {wanted} in the shard, found none; name another shard",
        "packed.tar": r"packed\.tar: wanted a whole, uncompressed \.tar, got something else",
        "cut.tar": r"cut\.tar: wanted a whole, uncompressed \.tar, got something else",
    }.items():
        with pytest.raises(InputError, match=message) as refusal:
            Corpus.find([tmp_path / name])
        assert "\n" not in str(refusal.value)
    with pytest.raises(InputError, match=rf"a corpus: {wanted}, got no path"):
        Corpus.find([])


def test_a_folder_whose_only_shard_is_broken_says_so(tmp_path: Path) -> None:
    write_shard(tmp_path / "packed.tar", {"c.mp4": b"video"}, mode="w:gz")
    with pytest.raises(
        InputError, match=r"found none; its shard .*packed\.tar cannot be used: wanted a whole"
    ):
        Corpus.find([tmp_path])


def test_a_flaw_is_kept_with_the_frames_that_there_are() -> None:
    file = CorpusFile(name="a.mp4", kind="video", path="a.mp4", bytes=1)
    corpus = Corpus([file])
    assert corpus.flaw(file) is None
    corpus.skip(file, "it has 3 frames, 8 were wanted", frames=3)
    flaw = corpus.flaw(file)
    assert flaw is not None
    assert (flaw.frames, flaw.is_final) == (3, True)
    assert corpus.skipped == {"a.mp4": "it has 3 frames, 8 were wanted"}
