"""CLIP and SigLIP are loaded from the hub's layout, and what is missing is named."""

import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from nervid.errors import InputError
from nervid.teachers import Teacher, TeacherRecord, load_recorded, load_teacher

TEXTS = ["a cat", "cup", "cat"]


@pytest.fixture
def frames() -> Tensor:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 3, 40, 56), dtype=np.uint8)
    return torch.from_numpy(pixels)


@pytest.fixture
def folder(clip_folder: Path, tmp_path: Path) -> Path:
    """A copy of the CLIP folder, to be damaged."""
    return Path(shutil.copytree(clip_folder, tmp_path / "copy"))


def load(folder: Path) -> Teacher:
    return load_teacher(str(folder))


def test_clips_record_names_the_folder_and_its_weights(clip_folder: Path) -> None:
    digest = hashlib.sha256((clip_folder / "model.safetensors").read_bytes()).hexdigest()
    assert load(clip_folder).record.to_json() == {
        "name": "tiny-clip",
        "revision": "local",
        "sha256": digest,
        "dimension": 24,
    }


def test_siglips_dimension_is_the_width_of_its_networks(siglip_folder: Path) -> None:
    assert load(siglip_folder).record.dimension == 32


@pytest.mark.parametrize("family", ["clip", "siglip"])
def test_vectors_are_unit_rows_fit_for_a_loss(
    family: str, frames: Tensor, request: pytest.FixtureRequest
) -> None:
    teacher = load(request.getfixturevalue(f"{family}_folder"))
    for rows, count in ((teacher.images(frames), 20), (teacher.text(TEXTS), 3)):
        assert rows.shape == (count, teacher.record.dimension)
        assert rows.dtype == torch.float32
        assert torch.allclose(rows.norm(dim=1), torch.ones(count))
        assert not rows.is_inference()
    assert teacher.text([]).shape == teacher.images(frames[:0]).shape == (0, teacher.record.dimension)


def test_clips_vectors_are_the_librarys_for_each_item_alone(
    clip_folder: Path, frames: Tensor, transformers: ModuleType
) -> None:
    teacher, model = load(clip_folder), transformers.CLIPModel.from_pretrained(clip_folder).eval()
    preprocessing = json.loads((clip_folder / "preprocessor_config.json").read_text())
    mean, std = (torch.tensor(preprocessing[name]).view(3, 1, 1) for name in ("image_mean", "image_std"))
    # start, tokens, end; "cat" is one token, "cup" three letters: c u p</w>.
    ids = {"a cat": [54, 26, 53, 55], "cup": [54, 2, 20, 41, 55], "cat": [54, 53, 55]}
    with torch.no_grad():
        for text, row in zip(TEXTS, teacher.text(TEXTS), strict=True):
            alone = model.get_text_features(input_ids=torch.tensor([ids[text]]))
            alone = getattr(alone, "pooler_output", alone)[0]
            assert torch.allclose(row, alone / alone.norm(), atol=1e-5)
        small = frames[:, :, 4:36, 12:44]
        expected = model.get_image_features(pixel_values=(small / 255 - mean) / std)
        expected = getattr(expected, "pooler_output", expected)
    assert torch.allclose(teacher.images(small), expected / expected.norm(dim=1, keepdim=True), atol=1e-5)


def test_siglip_reads_texts_padded_to_full_length_without_a_mask(
    siglip_folder: Path, transformers: ModuleType
) -> None:
    teacher, model = load(siglip_folder), transformers.SiglipModel.from_pretrained(siglip_folder).eval()
    ids = torch.tensor([[2, 3, 1, 1, 1, 1, 1, 1], [4, 1, 1, 1, 1, 1, 1, 1], [3, 1, 1, 1, 1, 1, 1, 1]])
    with torch.no_grad():
        expected = model.get_text_features(input_ids=ids)
        expected = getattr(expected, "pooler_output", expected)
    assert torch.allclose(teacher.text(TEXTS), expected / expected.norm(dim=1, keepdim=True), atol=1e-5)


def test_siglips_own_tokenizer_is_read_and_drops_case_and_punctuation(
    siglip_folder: Path, tmp_path: Path
) -> None:
    sentencepiece = pytest.importorskip("sentencepiece", reason="needs the extra search")
    folder = Path(shutil.copytree(siglip_folder, tmp_path / "copy"))
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "SiglipTokenizer"}))
    with (folder / "spiece.model").open("wb") as file:
        # <unk>, <s>, </s> and nine pieces; the network above knows five, so it gets a wider table.
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["a cat", "a cup", "a box"]),
            model_writer=file,
            vocab_size=12,
            minloglevel=2,
        )
    weights = load_file(folder / "model.safetensors")
    table = "text_model.embeddings.token_embedding.weight"
    weights[table] = torch.randn(12, 32, generator=torch.Generator().manual_seed(0))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["vocab_size"] = 12
    (folder / "config.json").write_text(json.dumps(config))
    plain, shouted, other = load(folder).text(["a cup", "A CUP!", "a cat"])
    assert torch.equal(plain, shouted)
    assert not torch.allclose(plain, other)


@pytest.mark.parametrize("family", ["clip", "siglip"])
def test_text_beyond_the_networks_length_is_cut_off(family: str, request: pytest.FixtureRequest) -> None:
    teacher = load(request.getfixturevalue(f"{family}_folder"))
    long, longer = teacher.text(["cat " * 40, "cat " * 80])
    assert torch.equal(long, longer)


def test_texts_and_pictures_differ_from_each_other(clip_folder: Path, frames: Tensor) -> None:
    teacher = load(clip_folder)
    assert len(torch.unique(teacher.images(frames), dim=0)) == 20
    assert len(torch.unique(teacher.text(TEXTS), dim=0)) == 3


def test_weights_in_shards_are_hashed_in_the_order_of_their_names(folder: Path, frames: Tensor) -> None:
    before = load(folder).images(frames)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    shards = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for shard, part in shards.items():
        save_file({name: weights[name] for name in part}, folder / shard, {"format": "pt"})
    index = {name: shard for shard, part in shards.items() for name in part}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    after = load(folder)
    both = b"".join((folder / shard).read_bytes() for shard in sorted(shards))
    assert after.record.sha256 == hashlib.sha256(both).hexdigest()
    assert torch.equal(after.images(frames), before)


def test_older_weights_without_safetensors_are_read(folder: Path, frames: Tensor) -> None:
    before = load(folder).images(frames)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert torch.equal(load(folder).images(frames), before)


def test_a_preprocessing_saved_beside_the_tokenizers_is_found(folder: Path, frames: Tensor) -> None:
    before = load(folder).images(frames)
    value = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").unlink()
    (folder / "processor_config.json").write_text(json.dumps({"image_processor": value}))
    assert torch.equal(load(folder).images(frames), before)


@pytest.mark.parametrize(
    ("gone", "lacks"),
    [
        ("config.json", "config.json"),
        ("preprocessor_config.json", "preprocessor_config.json"),
        ("merges.txt", "tokenizer.json"),
        ("model.safetensors", "model.safetensors"),
    ],
)
def test_a_missing_file_is_named_with_all_that_is_needed(folder: Path, gone: str, lacks: str) -> None:
    (folder / gone).unlink()
    with pytest.raises(InputError) as caught:
        load(folder)
    assert str(caught.value) == (
        f"teacher copy: {folder} lacks {lacks}; put the model's config.json, preprocessor_config.json, "
        "tokenizer.json, tokenizer_config.json, model.safetensors there"
    )


def test_a_missing_shard_is_named(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match=r"lacks model-00001-of-00002.safetensors, model-00002-of-00002"):
        load(folder)


def test_weights_that_the_file_lacks_are_not_drawn_at_random(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["visual_projection.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match="1 weights missing or of another shape, such as visual_projection"):
        load(folder)


def test_damaged_weights_are_one_line(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(InputError, match=r"^teacher copy: cannot read the model in ") as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_a_teacher_that_yields_nan_is_one_line(folder: Path, frames: Tensor) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["visual_projection.weight"][3, 5] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    teacher = load(folder)
    with pytest.raises(
        InputError, match=r"^teacher copy: wanted finite vectors, got NaN or infinity; "
    ) as caught:
        teacher.images(frames)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "content", "wanted"),
    [
        ("config.json", "{", "cannot read .*config.json: it is not JSON"),
        ("config.json", "[]", "config.json holds no object"),
        ("config.json", '{"model_type": "bert"}', "wanted a model of type clip or siglip, got 'bert'"),
        ("preprocessor_config.json", "{}", "preprocessor_config.json: wanted the preprocessing .* 'size'"),
        ("vocab.json", "{", "cannot read the tokenizer in"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(folder: Path, file: str, content: str, wanted: str) -> None:
    (folder / file).write_text(content)
    with pytest.raises(InputError, match=r"^teacher copy: .*" + wanted) as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_pictures_of_a_size_the_network_does_not_take_are_refused(folder: Path) -> None:
    value = json.loads((folder / "preprocessor_config.json").read_text())
    value["crop_size"] = {"height": 24, "width": 24}
    (folder / "preprocessor_config.json").write_text(json.dumps(value))
    with pytest.raises(InputError, match=r"takes 32x32 pixels, its preprocessing gives \(24, 24\)"):
        load(folder)


def test_a_device_that_is_not_there_is_one_line(clip_folder: Path) -> None:
    with pytest.raises(InputError, match=r"^teacher tiny-clip: cannot run on device no-such: "):
        load_teacher(str(clip_folder), device="no-such")


@pytest.fixture
def offline_cache(transformers: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, which cannot be reached."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_a_model_in_the_hubs_cache_is_recorded_with_its_commit(
    offline_cache: Path, clip_folder: Path
) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    model = offline_cache / "models--someone--tiny-clip"
    shutil.copytree(clip_folder, model / "snapshots" / commit)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(commit)
    record = load_teacher("someone/tiny-clip").record
    assert (record.name, record.revision) == ("someone/tiny-clip", commit)
    assert record.sha256 == load(clip_folder).record.sha256


@pytest.mark.usefixtures("offline_cache")
def test_a_hub_out_of_reach_says_what_to_do() -> None:
    with pytest.raises(InputError) as caught:
        load_teacher("openai/clip-vit-base-patch32")
    message = str(caught.value)
    assert message.startswith("teacher openai/clip-vit-base-patch32: it could not be downloaded (")
    assert message.endswith(
        "run 'hf download openai/clip-vit-base-patch32 --local-dir FOLDER', then name that folder as the "
        "teacher"
    )
    assert "\n" not in message


COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cached(offline_cache: Path, clip_folder: Path) -> TeacherRecord:
    """The record of a model in the hub's cache, under a commit that no branch points to."""
    model = offline_cache / "models--someone--tiny-clip"
    shutil.copytree(clip_folder, model / "snapshots" / COMMIT)
    return replace(load(clip_folder).record, name="someone/tiny-clip", revision=COMMIT)


def test_a_file_may_name_the_commit_of_a_model_in_the_hubs_cache(cached: TeacherRecord) -> None:
    assert load_recorded(cached).record == cached


@pytest.mark.parametrize("revision", ["main", "../../snapshots/" + COMMIT, COMMIT[:8], "f" * 40])
def test_a_file_names_a_commit_and_nothing_else_of_the_cache(cached: TeacherRecord, revision: str) -> None:
    with pytest.raises(InputError, match=r"is not on this machine.*--teacher someone/tiny-clip loads it$"):
        load_recorded(replace(cached, revision=revision))


def test_weights_other_than_the_files_are_refused_before_they_are_loaded(
    cached: TeacherRecord, clip_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nervid.teachers.hub.load_model", lambda *_, **__: pytest.fail("loaded them"))
    monkeypatch.setattr("nervid.teachers.hub.load_tokenizer", lambda *_, **__: pytest.fail("loaded it"))
    line = f"SHA-256 of its weights is {cached.sha256}, wanted {'0' * 64}; its vectors mean something else"
    with pytest.raises(InputError, match=line):
        load_recorded(replace(cached, sha256="0" * 64))
    with pytest.raises(InputError, match=line):
        load_teacher(str(clip_folder), sha256="0" * 64)


class Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_pickled_weights_run_no_code(folder: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    (folder / "model.safetensors").unlink()
    torch.save({"weights": Touch(ran)}, folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"^teacher copy: cannot read the model in "):
        load(folder)
    assert not ran.exists()
    torch.load(folder / "pytorch_model.bin", weights_only=False)
    assert ran.exists()


def test_an_index_that_names_files_elsewhere_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder.parent / "away.safetensors")
    index = {"metadata": {}, "weight_map": {"logit_scale": "../away.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match=r"names '\.\./away\.safetensors', a file elsewhere; replace it$"):
        load(folder)
