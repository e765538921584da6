"""The initialization that an encoding's choices name: one that was learned, or what a .nerv file holds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nervid.container import EMBD, MODL, WGHT, NervFile
from nervid.container.reference import InitializationReference
from nervid.decoder.network import load_network
from nervid.encoder.config import AUTO, META, PREVIOUS, RANDOM, EncodeConfig
from nervid.errors import InputError
from nervid.initializations import Initialization
from nervid.initializations.library import find, shipped_file, title
from nervid.models.representation import Representation
from nervid.teachers.weights import checksum

VIDEO: Final = ".nerv"
"""What the name of a video ends with that a fit may start from."""


@dataclass(frozen=True, slots=True, eq=False)
class NamedInitialization:
    """An initialization, and how a file refers to it."""

    content: Initialization
    reference: InitializationReference
    option: str
    """What ``init`` was, the file's title in place of a path."""

    @classmethod
    def find(cls, config: EncodeConfig) -> "NamedInitialization | None":
        """Return the initialization that segments may start from; None if there is none to look for.

        ``auto`` goes without, where none ships for the family, unless weights are to be stored as changes.

        Raises:
            InputError: If the file is missing, damaged, or of another family.
            FormatError: If it is a damaged .nerv file.
        """
        if config.init in (RANDOM, PREVIOUS):
            return None
        if config.init == AUTO and not config.delta and not shipped_file(config.model).is_file():
            return None
        path = Path(config.init)
        if path.suffix == VIDEO:
            content, name = initialization_of(path, config.model), path.stem[:200]
            return cls(content, InitializationReference(name=name, sha256=checksum([path])), name)
        named = META if config.init == AUTO else config.init
        content = find(named, config.model)
        name = title(named, config.model)
        option = config.init if config.init in (META, AUTO) else name
        return cls(content, InitializationReference(name=name, sha256=content.sha256), option)


def initialization_of(path: Path, family: str) -> Initialization:
    """Return the weights of a .nerv file's longest segment as an initialization.

    Feature grids stay behind: they are of that video alone.

    Args:
        path: The file.
        family: Name of the network family that is wanted; only our own, "nervid", starts from files. Those of
            the papers' lack HNeRV's encoder.

    Raises:
        InputError: If the file cannot be read, or either family is another.
        FormatError: If it is damaged.
    """
    if family != "nervid":
        raise InputError(
            f"{path}: only the model nervid starts from a .nerv file, got {family}; name an initialization "
            "made by nervid meta-train"
        )
    with NervFile.open(path) as file:
        lengths = file.header.segments
        segment = lengths.index(max(lengths))
        modl, wght = file.read(MODL, segment), file.read(WGHT, segment)
        embd = file.read(EMBD, segment) if file.has(EMBD, segment) else None
    network: Representation[Any] = load_network(modl, wght, embd, frames=lengths[segment])
    if network.config.name != family:
        raise InputError(
            f"{path}: a video of the model {network.config.name}, wanted one of {family}; name another"
        )
    return Initialization(network.config, dict(network.named_weights()))
