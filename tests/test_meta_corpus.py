"""The sources of the shipped initialization: two sides that share nothing, and a page that names them all."""

from pathlib import Path

import pytest

from benchmarks import meta_corpus
from benchmarks.clips import load_table
from benchmarks.meta_corpus import HELD_OUT, NEITHER, TRAINING
from nervid.errors import InputError


def test_every_clip_is_on_one_side_or_on_neither() -> None:
    assert sorted([*TRAINING, *HELD_OUT, *NEITHER]) == sorted(load_table())
    assert HELD_OUT == ("bikes", "vtest", "cup", "woman", "city", "park")


def test_photographs_have_checksums_names_and_free_licenses_of_their_own() -> None:
    photographs = list(meta_corpus.load_photographs().values())
    assert len(photographs) == 43
    assert len({photograph.sha256 for photograph in photographs}) == 43
    assert all(len(bytes.fromhex(photograph.sha256)) == 32 for photograph in photographs)
    assert {photograph.license for photograph in photographs} == {
        "CC BY 2.0",
        "CC BY 4.0",
        "CC BY-SA 3.0",
        "CC BY-SA 4.0",
        "CC0",
        "CC0 1.0",
        "GPL-2+",
        "LGPL-3",
        "public domain",
    }
    assert all(photograph.author for photograph in photographs)
    # In the folder of the clips, so none may have a clip's name.
    clips = {clip.filename for clip in load_table().values()}
    names = {photograph.filename for photograph in photographs}
    assert len(names) == 43
    assert not names & clips


def test_the_page_is_the_one_that_the_tables_give() -> None:
    assert meta_corpus.PAGE.read_text(encoding="utf-8") == meta_corpus.page()


def test_the_corpus_is_all_training_sources_and_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"52 files are missing \(bbb-film\.mp4, …\); run python -m"):
        meta_corpus.training_corpus(tmp_path)
    for source in [*meta_corpus.training_sources(), *meta_corpus.held_out_sources()]:
        (tmp_path / source.filename).write_bytes(b"x")
    corpus = meta_corpus.training_corpus(tmp_path)
    assert [Path(file.name).stem for file in corpus.videos] == list(TRAINING)
    assert len(corpus.photographs) == 43
    held_out = {source.filename for source in meta_corpus.held_out_sources()}
    assert not held_out & {Path(file.name).name for file in corpus.files}
