"""How a file was made: what it says of that, and the name under which its work folder is found again."""

import hashlib
from dataclasses import asdict, replace
from typing import Any, Final

import torch

from nervid._version import __version__
from nervid.encoder.config import EncodeConfig
from nervid.encoder.named import NamedInitialization
from nervid.fit.distributed import Ranks, shared_recipe
from nervid.fit.recipe import RECIPES
from nervid.video import Clip

NOT_STORED: Final = frozenset({"device"})
"""Choices that do not belong to how a file was made: every device of a kind makes the same one."""


def provenance_of(config: EncodeConfig, named: NamedInitialization | None) -> dict[str, Any]:
    """Return nervid's version and every choice that is not the default, as a header keeps them.

    Of an initialization that stands for its name and checksum, never the path on the user's machine. Which
    start ``auto`` chose for a segment is not kept: it follows from the clip and these choices.
    """
    options = {
        name: value
        for name, value in asdict(config).items()
        if name not in NOT_STORED and value != EncodeConfig.__dataclass_fields__[name].default
    }
    if named is None:
        return {"nervid": __version__, "options": options}
    options["init"] = named.option
    return {"nervid": __version__, "options": options, "initialization": asdict(named.reference)}


def job_key(
    clip: Clip, config: EncodeConfig, named: NamedInitialization | None, *, device: str, ranks: Ranks
) -> str:
    """Return a name of clip, choices and version, the same for any number of devices of a kind."""
    kind = torch.device(device).type
    batch = shared_recipe(RECIPES[config.recipe], ranks.size).batch_size
    words = f"{__version__} {clip.fingerprint} {replace(config, device=kind)} {batch}"
    if named is not None:
        # Another file under the same path is another start.
        words += f" {named.reference.sha256}"
    return hashlib.sha256(words.encode()).hexdigest()
