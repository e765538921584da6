"""Teachers by name."""

import re
from pathlib import Path

from nervid.errors import InputError
from nervid.teachers.conse import NAME as CONSE
from nervid.teachers.conse import open_conse
from nervid.teachers.hub import open_folder, open_hub
from nervid.teachers.protocol import Teacher


def load_teacher(name: str, *, device: str = "cpu") -> Teacher:
    """Open the teacher of that name.

    Args:
        name: ``conse``, whose weights ``python -m nervid.teachers.fetch`` brings; a local folder with a CLIP
            or SigLIP model in the hub's layout; or such a model's name on the hub, owner and model.
        device: Where its networks run, such as ``cpu`` or ``cuda:0``.

    Raises:
        InputError: If there is no such teacher, its files are missing or damaged, or the hub cannot be
            reached; the message says what to download and where to put it.
        MissingExtraError: If transformers is not installed.
    """
    if name == CONSE:
        return open_conse(device=device)
    if name and Path(name).is_dir():
        return open_folder(Path(name), device=device)
    if re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", name):
        return open_hub(name, device=device)
    raise InputError(
        f"no teacher named {name!r}: wanted {CONSE}, a folder with a CLIP or SigLIP model, or its name on "
        "the hub, such as openai/clip-vit-base-patch32"
    )
