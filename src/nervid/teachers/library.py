"""transformers, loaded when a teacher first needs it, and models read with it."""

import contextlib
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from nervid.errors import InputError, MissingExtraError


def transformers() -> ModuleType:
    """Import transformers, which takes seconds, and return the module.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        # By name: mypy would otherwise check all of transformers with us.
        return importlib.import_module("transformers")
    except ImportError as error:
        raise MissingExtraError("a teacher of text", "search") from error


def load_model(folder: Path, class_name: str, *, teacher: str, device: str) -> Any:  # noqa: ANN401 - transformers' classes
    """Read a model from a local folder, as float32 and ready to run; no code in the folder is run.

    Args:
        folder: Holds config.json and the weights.
        class_name: Class of transformers, such as ``CLIPModel``.
        teacher: Name for messages.
        device: Where it will run.

    Raises:
        InputError: If the folder's files do not make up that model, all its weights included, or the
            device is not there.
        MissingExtraError: If transformers is not installed.
    """
    with _one_line(f"teacher {teacher}: cannot read the model in {folder}"), _quiet():
        model, report = getattr(transformers(), class_name).from_pretrained(
            folder,
            local_files_only=True,
            dtype=torch.float32,
            output_loading_info=True,
            # Of pickled weights: tensors and nothing else, whatever the default becomes.
            weights_only=True,
        )
        # transformers draws what is missing at random and goes on.
        if lacking := sorted(map(str, [*report["missing_keys"], *report["mismatched_keys"]])):
            raise ValueError(f"{len(lacking)} weights missing or of another shape, such as {lacking[0]}")
    with _one_line(f"teacher {teacher}: cannot run on device {device}"):
        return model.eval().requires_grad_(False).to(device)


def load_tokenizer(folder: Path, *, teacher: str) -> Any:  # noqa: ANN401 - transformers' classes
    """Read a tokenizer from a local folder; no code in the folder is run.

    Raises:
        InputError: If the folder's files do not make up a tokenizer.
        MissingExtraError: If transformers is not installed.
    """
    with _one_line(f"teacher {teacher}: cannot read the tokenizer in {folder}"), _quiet():
        return transformers().AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )


@contextlib.contextmanager
def _one_line(what: str) -> Iterator[None]:
    """Turn whatever transformers, tokenizers and safetensors raise over bad files into one line."""
    try:
        yield
    except MissingExtraError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{what}: {said or type(error).__name__}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from writing progress bars and advice while a model is read."""
    log = transformers().utils.logging
    verbosity, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(verbosity)
        if bars:
            log.enable_progress_bar()
