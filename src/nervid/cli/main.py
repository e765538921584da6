"""The command line: one subcommand of nervid a file; nothing heavy loads before one runs."""

import io
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr
from typing import Annotated, Final

import tyro

from nervid.cli.compare import Compare
from nervid.cli.decode import Decode
from nervid.cli.encode import Encode
from nervid.cli.info import Info
from nervid.cli.meta_train import MetaTrain
from nervid.cli.screen import print_error
from nervid.cli.search import Search
from nervid.errors import InputError, NervidError

Command = (
    Annotated[Encode, tyro.conf.subcommand("encode")]
    | Annotated[Decode, tyro.conf.subcommand("decode")]
    | Annotated[Info, tyro.conf.subcommand("info")]
    | Annotated[Compare, tyro.conf.subcommand("compare")]
    | Annotated[Search, tyro.conf.subcommand("search")]
    | Annotated[MetaTrain, tyro.conf.subcommand("meta-train")]
)

FAILED, WRONG_USAGE, STOPPED = 1, 2, 130
"""Exit codes: something cannot be read, fitted or written; the command makes no sense; stopped."""
SPINS: Final = "1000"
"""Turns for which a thread waits for the others before it sleeps. GNU OpenMP waits so long that a fit beside
other busy processes hardly moves; with so few turns it does, up to a sixth slower alone (docs/log.md)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a nervid error becomes one line, never a traceback."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    try:
        return _parse(argv).run()
    except InputError as error:
        print_error(error)
        return WRONG_USAGE
    except NervidError as error:
        print_error(error)
        return FAILED
    except BrokenPipeError:
        # The reader of our output left; say nothing, and keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return STOPPED


def _parse(argv: Sequence[str] | None) -> Command:
    printed = io.StringIO()
    try:
        with redirect_stderr(printed):
            return tyro.cli(
                Command,
                args=argv,
                prog="nervid",
                description="Video stored as a neural network: one small file, any frame in any order.",
                config=(tyro.conf.FlagCreatePairsOff,),
            )
    except SystemExit as stop:
        # A config that refuses its values is our own one-line error, which tyro would put into a box.
        behind: BaseException | None = stop
        while behind is not None:
            if isinstance(behind, InputError):
                raise behind from None
            behind = behind.__context__
        sys.stderr.write(printed.getvalue())
        raise


if __name__ == "__main__":
    sys.exit(main())
