"""Every error that nervid raises on purpose.

NervidError
├── InputError (ValueError)      what was asked, or a source, cannot be used
├── OutputError (OSError)        a result cannot be written
├── FormatError (ValueError)     a .nerv file cannot be read
│   ├── NotNervError             it is some other kind of file
│   ├── UnsupportedVersionError  it was written by a newer nervid
│   └── CorruptSectionError      it is cut short or damaged
└── MissingExtraError (ImportError)  an optional dependency is not installed
"""


class NervidError(Exception):
    """Catch this to catch all of them. Its message is one line: what was wanted, what came, what to do."""


class InputError(NervidError, ValueError):
    """A source, option or argument cannot be used as given."""


class OutputError(NervidError, OSError):
    """A result cannot be written; nothing that existed before was touched."""


class FormatError(NervidError, ValueError):
    """A file cannot be read as .nerv."""


class NotNervError(FormatError):
    """The file does not begin with the .nerv signature."""


class UnsupportedVersionError(FormatError):
    """The file's format version is newer than this nervid reads."""


class CorruptSectionError(FormatError):
    """The file is cut short, or bytes of a section changed since it was written."""


class MissingExtraError(NervidError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs an optional dependency; install it with: pip install 'nervid[{extra}]'"
        )
