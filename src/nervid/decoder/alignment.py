"""Alignment: a file's embeddings as vectors in its teacher's space, read without drawing a frame."""

import json
import struct
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Float32, Float64
from torch import Tensor

from nervid.compress.streams import QuantizedTensor, decode_tensors, encode_tensors
from nervid.container import ALGN, EMBD, MODL, NervFile, canonical_json
from nervid.decoder.network import read_embeddings
from nervid.errors import CorruptSectionError, InputError
from nervid.teachers.record import TeacherRecord

_LENGTH = struct.Struct("<I")
_CURE = "copy or encode the file again"
_DIRECT: Final = "direct"
MAX_INPUTS = 4096
"""Most numbers of an embedding that a head reads."""
LEAST_LENGTH = 1e-6
"""Length below which a vector has no direction, as far as single precision tells."""


@dataclass(frozen=True, slots=True, eq=False)
class AlignmentHead:
    """The linear map from embeddings to a teacher's space: ``vector = weight @ numbers[:inputs] + bias``.

    One for the whole file; its numbers are as they were quantized.
    """

    weight: QuantizedTensor
    """[dimension, inputs]."""
    bias: QuantizedTensor
    """[dimension]."""

    @property
    def inputs(self) -> int:
        """How many of an embedding's numbers, its first ones, it reads."""
        return self.weight.codes.shape[1]

    def __call__(self, embeddings: Float[Tensor, "frames numbers"]) -> Float[Tensor, "frames dimension"]:
        """Return the vectors of some embeddings, flattened; not normalized; differentiable by them."""
        weight, bias = (tensor.values().to(embeddings.device) for tensor in (self.weight, self.bias))
        return embeddings[:, : self.inputs] @ weight.T + bias


@dataclass(frozen=True, slots=True, eq=False)
class StoredAlignment:
    """What section ALGN says: whose vectors a file's embeddings lead to, and how."""

    teacher: TeacherRecord
    """Whose space it is."""
    head: AlignmentHead | None
    """The map into it; None in the layout ``direct``, where an embedding's first numbers are the vector."""

    @property
    def inputs(self) -> int:
        """How many of an embedding's numbers, its first ones, lead to its vector."""
        return self.teacher.dimension if self.head is None else self.head.inputs

    def vectors(self, embeddings: Float[Tensor, "frames numbers"]) -> Float[Tensor, "frames dimension"]:
        """Return the vectors of some embeddings, flattened; not normalized."""
        return embeddings[:, : self.inputs] if self.head is None else self.head(embeddings)

    def to_bytes(self) -> bytes:
        """Return the payload of section ALGN (docs/format.md)."""
        how: dict[str, Any] = {"layout": _DIRECT} if self.head is None else {"inputs": self.inputs}
        description = canonical_json(how | {"teacher": self.teacher.to_json()})
        tensors = b"" if self.head is None else encode_tensors([self.head.weight, self.head.bias])
        return _LENGTH.pack(len(description)) + description + tensors

    @classmethod
    def from_bytes(cls, payload: bytes) -> "StoredAlignment":
        """Undo :meth:`to_bytes`.

        Raises:
            CorruptSectionError: If the payload is damaged.
        """
        if len(payload) < _LENGTH.size:
            raise CorruptSectionError(f"section ALGN: {len(payload)} bytes are too few; {_CURE}")
        end = _LENGTH.size + _LENGTH.unpack_from(payload)[0]
        how = _read_description(payload[_LENGTH.size : end])
        teacher, tensors = TeacherRecord.from_json(how["teacher"]), payload[end:]
        if "layout" in how:
            if how["layout"] != _DIRECT:
                raise CorruptSectionError(
                    f"section ALGN: layout must be {_DIRECT!r}, got {how['layout']!r:.40}; {_CURE}"
                )
            if tensors:
                raise CorruptSectionError(f"section ALGN: {len(tensors)} bytes too many; {_CURE}")
            return cls(teacher, None)
        inputs = how["inputs"]
        if type(inputs) is not int or not 1 <= inputs <= MAX_INPUTS:
            raise CorruptSectionError(
                f"section ALGN: inputs must be 1 to {MAX_INPUTS}, got {inputs!r:.40}; {_CURE}"
            )
        weight, bias = decode_tensors(tensors, [(teacher.dimension, inputs), (teacher.dimension,)])
        return cls(teacher, AlignmentHead(weight, bias))


def read_alignment(file: NervFile) -> StoredAlignment | None:
    """Return how a file was aligned, or None if it was not.

    Raises:
        FormatError: If the section is damaged.
    """
    return StoredAlignment.from_bytes(file.read(ALGN)) if file.has(ALGN) else None


@dataclass(frozen=True, slots=True, eq=False)
class FrameVectors:
    """The vectors of a file's frames, of length 1, kept as the few numbers that lead to them.

    A vector is ``weight @ numbers + bias`` over its length; with no weight the numbers over theirs. Cosines
    and lengths follow from the numbers alone, so that a long film never has all its vectors in memory.
    """

    numbers: Float32[np.ndarray, "frames inputs"]
    """The first numbers of each frame's embedding."""
    weight: Float32[np.ndarray, "dimension inputs"] | None = None
    bias: Float32[np.ndarray, " dimension"] | None = None
    lengths: Float64[np.ndarray, " frames"] = field(init=False)
    """The length that each vector has before it is divided by it."""

    def __post_init__(self) -> None:
        """Compute the lengths, which every use needs."""
        object.__setattr__(self, "lengths", self._lengths())

    @property
    def shape(self) -> tuple[int, int]:
        """Frames, and numbers in a vector."""
        return len(self.numbers), (self.numbers if self.weight is None else self.weight.T).shape[1]

    def cosines(self, query: Float[np.ndarray, " dimension"]) -> Float64[np.ndarray, " frames"]:
        """Return the cosine of each vector with a query of length 1."""
        direction = query.astype(np.float64)
        if self.weight is None or self.bias is None:
            products: np.ndarray = self.numbers @ direction
        else:
            products = self.numbers @ (direction @ self.weight) + self.bias @ direction
        return np.asarray(products / self.lengths)

    def rows(self, frames: slice = slice(None)) -> Float32[np.ndarray, "frames dimension"]:
        """Return the vectors of some frames, or of all."""
        numbers = self.numbers[frames]
        if self.weight is None or self.bias is None:
            rows = numbers.astype(np.float32)
        else:
            rows = numbers @ self.weight.T + self.bias
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)

    def _lengths(self) -> Float64[np.ndarray, " frames"]:
        numbers = self.numbers.astype(np.float64)
        if self.weight is None or self.bias is None:
            return np.asarray(np.sqrt(np.einsum("ij,ij->i", numbers, numbers)))
        # |W e + b|^2 = e W'W e + 2 b'W e + b'b, and W'W is small.
        weight, bias = self.weight.astype(np.float64), self.bias.astype(np.float64)
        squares = np.einsum("ij,ij->i", numbers @ (weight.T @ weight), numbers)
        squares = squares + numbers @ (2 * bias @ weight) + bias @ bias
        return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


def read_frame_vectors(file: NervFile, alignment: StoredAlignment) -> FrameVectors:
    """Return what a file has of its frames' vectors.

    Only the sections MODL and EMBD are read; no network is built.

    Args:
        file: An open file.
        alignment: Its own, from :func:`read_alignment`.

    Raises:
        FormatError: If a section is damaged, or an embedding is not finite or leads to a vector of no
            length.
    """
    parts = []
    for segment, frames in enumerate(file.header.segments):
        embd = file.read(EMBD, segment) if file.has(EMBD, segment) else b""
        embeddings = read_embeddings(file.read(MODL, segment), embd, frames=frames)
        if embeddings.shape[1] < alignment.inputs:
            raise CorruptSectionError(
                f"section ALGN: reads {alignment.inputs} numbers of embeddings that have "
                f"{embeddings.shape[1]}; {_CURE}"
            )
        parts.append(embeddings[:, : alignment.inputs].numpy())
    head = alignment.head
    maps = () if head is None else (head.weight.values().numpy(), head.bias.values().numpy())
    vectors = FrameVectors(np.concatenate(parts), *maps)
    lengths = vectors.lengths
    if not np.isfinite(lengths).all() or bool((lengths < LEAST_LENGTH).any()):
        raise CorruptSectionError(
            f"section EMBD: an embedding has no direction in the teacher's space; {_CURE}"
        )
    return vectors


def read_vectors(file: NervFile) -> Float32[np.ndarray, "frames dimension"]:
    """Return a vector of length 1 in the teacher's space for every frame.

    Raises:
        InputError: If the file was not aligned.
        FormatError: As :func:`read_alignment` and :func:`read_frame_vectors`.
    """
    alignment = read_alignment(file)
    if alignment is None:
        raise InputError(
            "the file has no alignment with a teacher, so it cannot be searched; encode it with --align"
        )
    return read_frame_vectors(file, alignment).rows()


def _read_description(data: bytes) -> dict[str, Any]:
    """The JSON object in front of the tensors, with the keys of one of the layouts."""
    try:
        value = json.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise CorruptSectionError(f"section ALGN: its description is not JSON; {_CURE}") from error
    if not isinstance(value, dict) or set(value) not in ({"inputs", "teacher"}, {"layout", "teacher"}):
        raise CorruptSectionError(
            f"section ALGN: wanted teacher and either inputs or layout in its description; {_CURE}"
        )
    return value
