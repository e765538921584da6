"""Teachers by name: one that a user gives, or one that a file names."""

import re
from pathlib import Path
from typing import Final

from nervid.errors import InputError
from nervid.teachers.conse import NAME as CONSE
from nervid.teachers.conse import open_conse
from nervid.teachers.hub import open_cached, open_folder, open_hub
from nervid.teachers.protocol import Teacher
from nervid.teachers.record import LOCAL, TeacherRecord
from nervid.teachers.weights import check_weights

_HUB_NAME: Final = r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*"


def load_teacher(name: str, *, device: str = "cpu", sha256: str | None = None) -> Teacher:
    """Open the teacher that a user names.

    Args:
        name: ``conse``, whose weights ``python -m nervid.teachers.fetch`` brings; a local folder with a CLIP
            or SigLIP model in the hub's layout; or such a model's name on the hub, owner and model.
        device: Where its networks run, such as ``cpu`` or ``cuda:0``.
        sha256: What its weights must be, from a file's record; compared before they are loaded. None takes
            any.

    Raises:
        InputError: If there is no such teacher, its files are missing, damaged or others than wanted, or the
            hub cannot be reached; the message says what to download and where to put it.
        MissingExtraError: If transformers is not installed.
    """
    if name == CONSE:
        teacher = open_conse(device=device)
        check_weights(name, teacher.record.sha256, sha256)
        return teacher
    if name and Path(name).is_dir():
        return open_folder(Path(name), device=device, sha256=sha256)
    if re.fullmatch(_HUB_NAME, name):
        return open_hub(name, device=device, sha256=sha256)
    raise InputError(
        f"no teacher named {name!r}: wanted {CONSE}, a folder with a CLIP or SigLIP model, or its name on "
        "the hub, such as openai/clip-vit-base-patch32"
    )


def load_recorded(record: TeacherRecord, *, device: str = "cpu") -> Teacher:
    """Open the teacher that a file names, whoever wrote the file.

    No folder is opened by that name and no hub is asked: only ``conse`` and the very commit of a model in the
    hub's cache are taken, and their weights' checksum is compared before they are loaded.

    Args:
        record: As the file has it.
        device: Where its networks run.

    Raises:
        InputError: If the teacher is not here, or its weights are others; the message says how to load it.
        MissingExtraError: If transformers is not installed.
    """
    name = record.name
    if name == CONSE:
        return load_teacher(name, device=device, sha256=record.sha256)
    if record.revision == LOCAL:
        raise InputError(f"teacher {name} was in a folder; give that folder as teacher (--teacher FOLDER)")
    teacher = open_cached(record, device=device) if re.fullmatch(_HUB_NAME, name) else None
    if teacher is None:
        raise InputError(
            f"teacher {name} {record.revision:.12} is not on this machine, and files do not get to choose "
            f"downloads; --teacher {name} loads it"
        )
    return teacher
