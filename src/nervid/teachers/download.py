"""Models of a hub: brought into the hub's own cache, or found there."""

import importlib
import re
from pathlib import Path
from typing import Final

from nervid.errors import InputError
from nervid.teachers.library import transformers

FILES: Final = (
    "config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "model.safetensors",
)
"""What a folder needs; the variants below are taken where a model has them instead."""
_VARIANTS: Final = (
    "processor_config.json",
    "special_tokens_map.json",
    "spiece.model",
    "vocab.json",
    "merges.txt",
    "model.safetensors.index.json",
    "model-*-of-*.safetensors",
)
_OLD_WEIGHTS: Final = ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*-of-*.bin")


def download(name: str) -> Path:
    """Return the folder of a model's newest snapshot; without a network, of the one in the cache.

    Only the files that a teacher needs are fetched: weights as safetensors, or as pickled tensors where the
    model has no others. huggingface_hub's own settings (``HF_HOME``, ``HF_ENDPOINT``, …) hold.

    Args:
        name: Owner and model, such as ``openai/clip-vit-base-patch32``.

    Raises:
        InputError: If the hub cannot be reached, or has no such model, and the cache does not have it.
        MissingExtraError: If transformers, which brings huggingface_hub along, is not installed.
    """
    transformers()
    hub = importlib.import_module("huggingface_hub")
    try:
        folder = Path(hub.snapshot_download(name, allow_patterns=[*FILES, *_VARIANTS]))
        if not any(folder.glob("*.safetensors")):
            hub.snapshot_download(name, allow_patterns=list(_OLD_WEIGHTS))
    # The hub's library raises a dozen kinds of errors: its own, its HTTP client's, ValueError for a bad name.
    except Exception as error:
        said = " ".join(str(error).split())[:160]
        raise InputError(
            f"teacher {name}: it could not be downloaded ({said}); on a machine that reaches the hub run "
            f"'hf download {name} --local-dir FOLDER', then name that folder as the teacher"
        ) from error
    return folder


def find_cached(name: str, revision: str) -> Path | None:
    """Return the folder of one snapshot in the hub's cache, or None; the hub is not asked.

    Args:
        name: Owner and model.
        revision: Its commit, 40 hexadecimal digits; anything else, such as a branch, is never there.

    Raises:
        MissingExtraError: If transformers, which brings huggingface_hub along, is not installed.
    """
    transformers()
    hub = importlib.import_module("huggingface_hub")
    if re.fullmatch("[0-9a-f]{40}", revision) is None:
        return None
    try:
        return Path(hub.snapshot_download(name, revision=revision, local_files_only=True))
    except (OSError, ValueError):  # what it raises for a snapshot or a name that is not there
        return None
