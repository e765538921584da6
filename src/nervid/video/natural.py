"""Natural order of names: 2.png before 10.png."""

import re


def natural_key(name: str) -> list[tuple[int, str]]:
    """Return what sorts names with runs of digits by value and the rest by letter.

    >>> sorted(["b1", "a10", "a2"], key=natural_key)
    ['a2', 'a10', 'b1']
    """
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if index % 2 else (0, part) for index, part in enumerate(parts)]
