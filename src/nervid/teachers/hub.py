"""CLIP and SigLIP by way of transformers, from a local folder or a model hub."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jaxtyping import Float, UInt8
from torch import Tensor

from nervid.errors import InputError
from nervid.teachers.download import FILES, download, find_cached
from nervid.teachers.images import Preprocessing
from nervid.teachers.library import load_model, load_tokenizer
from nervid.teachers.record import LOCAL, TeacherRecord
from nervid.teachers.vectors import unit_vectors
from nervid.teachers.weights import check_weights, checksum

_IMAGES, _TEXTS = 16, 64
"""Items per batch, untuned; they bound memory."""


@dataclass(frozen=True, slots=True)
class Family:
    """What differs between CLIP and SigLIP."""

    class_name: str
    center_crop: bool
    """Whether preprocessing crops where its file does not say."""
    padding: str
    """SigLIP was trained on texts padded to full length and unmasked; CLIP does not look at padding."""
    inputs: tuple[str, ...]
    """What the text network is given."""

    def dimension(self, config: Any) -> int:  # noqa: ANN401 - transformers' classes
        """Numbers in a vector, from transformers' configuration."""
        clip = self.class_name == "CLIPModel"
        return int(config.projection_dim if clip else config.vision_config.hidden_size)


FAMILIES: Final = {
    "clip": Family("CLIPModel", True, "longest", ("input_ids", "attention_mask")),
    "siglip": Family("SiglipModel", False, "max_length", ("input_ids",)),
}
"""By ``model_type`` in config.json; SigLIP 2 at fixed sizes is a ``siglip``, too."""


class HubTeacher:
    """A model with one network for pictures and one for text, in the hub's layout.

    Args:
        folder: Holds the model, its preprocessing and its tokenizer.
        name: For the record and messages.
        revision: Commit of the hub, or ``local``.
        device: Where both networks run.
        sha256: What the weights' checksum must be; compared before any of them is loaded.

    Raises:
        InputError: If a file is missing, cannot be read or does not belong to a CLIP or SigLIP model, or the
            weights are others.
        MissingExtraError: If transformers is not installed.
    """

    def __init__(
        self, folder: Path, *, name: str, revision: str, device: str = "cpu", sha256: str | None = None
    ) -> None:
        ours = checksum(weight_files(folder, name))
        check_weights(name, ours, sha256)
        model_type = _read_json(folder / "config.json", name).get("model_type")
        if model_type not in FAMILIES:
            raise InputError(
                f"teacher {name}: wanted a model of type {' or '.join(FAMILIES)}, got {model_type!r}; "
                "name another teacher"
            )
        self._family = FAMILIES[model_type]
        self._preprocessing = _read_preprocessing(folder, name, self._family)
        self._tokenizer = load_tokenizer(folder, teacher=name)
        self._model = load_model(folder, self._family.class_name, teacher=name, device=device)
        side = self._model.config.vision_config.image_size
        if self._preprocessing.output != (side, side):
            raise InputError(
                f"teacher {name}: its network takes {side}x{side} pixels, its preprocessing gives "
                f"{self._preprocessing.output}; fetch its files again"
            )
        self._device = device
        self._record = TeacherRecord(
            name=name,
            revision=revision,
            sha256=ours,
            dimension=self._family.dimension(self._model.config),
        )

    @property
    def record(self) -> TeacherRecord:
        """Which teacher this is."""
        return self._record

    def images(self, frames: UInt8[Tensor, "frames 3 height width"]) -> Float[Tensor, "frames dimension"]:
        """Return one vector per frame."""

        def compute(part: Tensor) -> Tensor:
            pixels = self._preprocessing(part).to(self._device)
            return _pooled(self._model.get_image_features(pixel_values=pixels))

        return unit_vectors(frames, compute, batch=_IMAGES, record=self.record)

    def text(self, queries: Sequence[str]) -> Float[Tensor, "queries dimension"]:
        """Return one vector per query; what exceeds the network's length of text is cut off."""
        longest = self._model.config.text_config.max_position_embeddings

        def compute(part: Sequence[str]) -> Tensor:
            tokens = self._tokenizer(
                list(part),
                padding=self._family.padding,
                truncation=True,
                max_length=longest,
                return_tensors="pt",
            )
            inputs = {key: tokens[key].to(self._device) for key in self._family.inputs}
            return _pooled(self._model.get_text_features(**inputs))

        return unit_vectors(queries, compute, batch=_TEXTS, record=self.record)


def open_folder(folder: Path, *, device: str = "cpu", sha256: str | None = None) -> HubTeacher:
    """Open a local folder in the hub's layout; its name in the record is the folder's own.

    Raises:
        InputError: As `HubTeacher`.
        MissingExtraError: If transformers is not installed.
    """
    return HubTeacher(folder, name=folder.resolve().name, revision=LOCAL, device=device, sha256=sha256)


def open_hub(name: str, *, device: str = "cpu", sha256: str | None = None) -> HubTeacher:
    """Open a model of the hub, downloading it where the hub's cache has no copy.

    Raises:
        InputError: If the hub cannot be reached or has no such model, or as `HubTeacher`.
        MissingExtraError: If transformers is not installed.
    """
    snapshot = download(name)
    # The hub's cache names the folder of a snapshot after its commit.
    return HubTeacher(snapshot, name=name, revision=snapshot.name, device=device, sha256=sha256)


def open_cached(record: TeacherRecord, *, device: str = "cpu") -> HubTeacher | None:
    """Open the very commit that a record names, if the hub's cache has it; the hub is not asked.

    Raises:
        InputError: As `HubTeacher`.
        MissingExtraError: If transformers is not installed.
    """
    snapshot = find_cached(record.name, record.revision)
    if snapshot is None:
        return None
    return HubTeacher(
        snapshot, name=record.name, revision=record.revision, device=device, sha256=record.sha256
    )


def weight_files(folder: Path, name: str) -> list[Path]:
    """Return the files that hold the weights, one or several shards, once the whole layout is there.

    Raises:
        InputError: If a file of the layout is missing; the message lists what the folder needs.
    """
    tokenizers = (("tokenizer.json",), ("spiece.model",), ("vocab.json", "merges.txt"))
    missing = [] if (folder / "config.json").is_file() else ["config.json"]
    if not any((folder / file).is_file() for file in ("preprocessor_config.json", "processor_config.json")):
        missing.append("preprocessor_config.json")
    if not any(all((folder / file).is_file() for file in files) for files in tokenizers):
        missing.append("tokenizer.json")
    weights = []
    # In the order in which transformers looks for them.
    for whole in ("model.safetensors", "pytorch_model.bin"):
        index = folder / f"{whole}.index.json"
        if (folder / whole).is_file():
            weights = [folder / whole]
        elif index.is_file():
            shards = _read_json(index, name).get("weight_map")
            names = sorted(set(map(str, shards.values()))) if isinstance(shards, dict) else []
            # Else transformers would load files that the checksum is not of.
            if strays := [shard for shard in names if Path(shard).name != shard]:
                raise InputError(
                    f"teacher {name}: {index} names {strays[0]!r:.80}, a file elsewhere; replace it"
                )
            weights = [folder / shard for shard in names]
        if weights:
            break
    missing += [path.name for path in weights if not path.is_file()] if weights else ["model.safetensors"]
    if missing:
        raise InputError(
            f"teacher {name}: {folder} lacks {', '.join(missing)}; put the model's {', '.join(FILES)} there"
        )
    return weights


def _read_preprocessing(folder: Path, name: str, family: Family) -> Preprocessing:
    path = folder / "preprocessor_config.json"
    if path.is_file():
        value: object = _read_json(path, name)
    else:
        # Where transformers 5 saves it, beside the tokenizer's.
        path = folder / "processor_config.json"
        value = _read_json(path, name).get("image_processor")
    source = f"teacher {name}: {path}"
    if not isinstance(value, dict):
        raise InputError(f"{source} holds no preprocessing of images; fetch the file again")
    return Preprocessing.from_json(value, source=source, center_crop=family.center_crop)


def _read_json(path: Path, name: str) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not JSON"
        raise InputError(f"teacher {name}: cannot read {path}: {said}; fetch the file again") from None
    if not isinstance(value, dict):
        raise InputError(f"teacher {name}: {path} holds no object; fetch the file again")
    return value


def _pooled(features: Any) -> Tensor:  # noqa: ANN401 - transformers' classes
    """What transformers 5 wraps and transformers 4 returns bare."""
    values: Tensor = getattr(features, "pooler_output", features)
    return values
