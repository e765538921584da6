"""The initialization that an encoding's choices name."""

from dataclasses import dataclass

from nervid.container.reference import InitializationReference
from nervid.encoder.config import AUTO, META, PREVIOUS, RANDOM, EncodeConfig
from nervid.initializations import Initialization
from nervid.initializations.library import find, shipped_file, title


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
        """
        if config.init in (RANDOM, PREVIOUS):
            return None
        if config.init == AUTO and not config.delta and not shipped_file(config.model).is_file():
            return None
        named = META if config.init == AUTO else config.init
        content = find(named, config.model)
        name = title(named, config.model)
        option = config.init if config.init in (META, AUTO) else name
        return cls(content, InitializationReference(name=name, sha256=content.sha256), option)
