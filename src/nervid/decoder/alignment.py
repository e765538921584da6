"""Alignment: a file's latents as vectors in its teacher's space, read without drawing a frame."""

import json
import struct
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nervid.compress.streams import QuantizedTensor, decode_tensors, encode_tensors
from nervid.container import ALGN, EMBD, MODL, NervFile, canonical_json
from nervid.decoder.network import read_embeddings
from nervid.errors import CorruptSectionError, InputError
from nervid.teachers.record import TeacherRecord

_LENGTH = struct.Struct("<I")
_CURE = "copy or encode the file again"
MAX_INPUTS = 4096
"""Most numbers of a latent that a head reads."""


@dataclass(frozen=True, slots=True, eq=False)
class AlignmentHead:
    """The linear map from latents to a teacher's space: ``vector = weight @ latent[:inputs] + bias``.

    One for the whole file; its numbers are as they were quantized.
    """

    teacher: TeacherRecord
    """Whose space it maps to."""
    weight: QuantizedTensor
    """[dimension, inputs]."""
    bias: QuantizedTensor
    """[dimension]."""

    @property
    def inputs(self) -> int:
        """How many of a latent's numbers, its first ones, it reads."""
        return self.weight.codes.shape[1]

    def __call__(self, latents: Float[Tensor, "frames numbers"]) -> Float[Tensor, "frames dimension"]:
        """Return the vectors of some latents, not normalized; differentiable by the latents."""
        weight, bias = (tensor.values().to(latents.device) for tensor in (self.weight, self.bias))
        return latents[:, : self.inputs] @ weight.T + bias

    def to_bytes(self) -> bytes:
        """Return the payload of section ALGN (docs/format.md)."""
        head = canonical_json({"inputs": self.inputs, "teacher": self.teacher.to_json()})
        return _LENGTH.pack(len(head)) + head + encode_tensors([self.weight, self.bias])

    @classmethod
    def from_bytes(cls, payload: bytes) -> "AlignmentHead":
        """Undo :meth:`to_bytes`.

        Raises:
            CorruptSectionError: If the payload is damaged.
        """
        if len(payload) < _LENGTH.size:
            raise CorruptSectionError(f"section ALGN: {len(payload)} bytes are too few; {_CURE}")
        end = _LENGTH.size + _LENGTH.unpack_from(payload)[0]
        try:
            head = json.loads(payload[_LENGTH.size : end].decode("utf-8"))
        except (UnicodeDecodeError, ValueError, RecursionError) as error:
            raise CorruptSectionError(f"section ALGN: its description is not JSON; {_CURE}") from error
        if not isinstance(head, dict) or set(head) != {"inputs", "teacher"}:
            raise CorruptSectionError(f"section ALGN: wanted inputs and teacher in its description; {_CURE}")
        inputs = head["inputs"]
        if type(inputs) is not int or not 1 <= inputs <= MAX_INPUTS:
            raise CorruptSectionError(
                f"section ALGN: inputs must be 1 to {MAX_INPUTS}, got {inputs!r}; {_CURE}"
            )
        teacher = TeacherRecord.from_json(head["teacher"])
        weight, bias = decode_tensors(payload[end:], [(teacher.dimension, inputs), (teacher.dimension,)])
        return cls(teacher, weight, bias)


def read_head(file: NervFile) -> AlignmentHead | None:
    """Return a file's alignment head, or None if it was not aligned.

    Raises:
        FormatError: If the section is damaged.
    """
    return AlignmentHead.from_bytes(file.read(ALGN)) if file.has(ALGN) else None


def read_teacher(file: NervFile) -> TeacherRecord | None:
    """Return the record of the teacher that a file was aligned to, or None if it was not.

    Raises:
        FormatError: If the section is damaged.
    """
    head = read_head(file)
    return None if head is None else head.teacher


def read_vectors(file: NervFile) -> Float[np.ndarray, "frames dimension"]:
    """Return a vector of length 1 in the teacher's space for every frame, float32.

    Only the sections ALGN, MODL and EMBD are read; no network is built.

    Raises:
        InputError: If the file was not aligned.
        FormatError: If a section is damaged, or a latent is not finite or leads to a vector of no length.
    """
    head = read_head(file)
    if head is None:
        raise InputError(
            "the file has no alignment with a teacher, so it cannot be searched; encode it with --align"
        )
    vectors = []
    for segment, frames in enumerate(file.header.segments):
        embd = file.read(EMBD, segment) if file.has(EMBD, segment) else b""
        latents = read_embeddings(file.read(MODL, segment), embd, frames=frames)
        if latents.shape[1] < head.inputs:
            raise CorruptSectionError(
                f"section ALGN: reads {head.inputs} numbers of latents that have {latents.shape[1]}; {_CURE}"
            )
        vectors.append(head(latents))
    rows = torch.cat(vectors)
    lengths = rows.norm(dim=1, keepdim=True)
    if not bool(torch.isfinite(rows).all()) or bool((lengths == 0).any()):
        raise CorruptSectionError(f"section EMBD: a latent has no direction in the teacher's space; {_CURE}")
    return np.asarray((rows / lengths).numpy(), dtype=np.float32)
