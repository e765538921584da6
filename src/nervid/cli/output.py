"""The file that a command is to write."""

from pathlib import Path

from nervid.errors import OutputError


def check_output(output: Path, *, example: str) -> None:
    """Find out before hours of work, not after, that a file cannot be written; nothing stays behind.

    Args:
        output: The file.
        example: Name of such a file, for the message.

    Raises:
        OutputError: If it is a folder, or its folder is missing or cannot be written to.
    """
    if output.is_dir():
        raise OutputError(f"{output} is a folder; name a file such as {output / example}")
    folder = output.parent
    if not folder.is_dir():
        raise OutputError(f"cannot write {output}: no folder {folder}; create it first")
    probe = folder / f".{output.name}.probe"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(f"cannot write {output}: {error.strerror}; choose another folder") from error
