"""Sentence encoder: a text network whose output is averaged over the tokens."""

from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from nervid.teachers.library import load_model, load_tokenizer

MAX_TOKENS = 256
"""Length at which all-MiniLM-L6-v2 cuts text (its sentence_bert_config.json)."""


class SentenceEncoder:
    """A model of the sentence-transformers family, run without that library.

    Source:
        Sentence-BERT (Reimers and Gurevych, EMNLP 2019, arXiv:1908.10084), mean pooling.

    Raises:
        InputError: If the folder's files do not make up a model and its tokenizer.
        MissingExtraError: If transformers is not installed.
    """

    def __init__(self, folder: Path, *, teacher: str, device: str) -> None:
        self._tokenizer = load_tokenizer(folder, teacher=teacher)
        self._model = load_model(folder, "AutoModel", teacher=teacher, device=device)

    def __call__(self, texts: Sequence[str]) -> Float[Tensor, "texts dimension"]:
        """Return the mean of each text's token outputs, padding left out; rows have any length."""
        tokens = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        ).to(self._model.device)
        outputs: Tensor = self._model(**tokens).last_hidden_state
        mask: Tensor = tokens["attention_mask"][..., None].to(outputs.dtype)
        return (outputs * mask).sum(dim=1) / mask.sum(dim=1)
