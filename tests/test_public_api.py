"""The public names are sorted, exist, explain themselves and cost nothing until used."""

import subprocess
import sys

import nervid


def test_public_names_are_sorted_and_unique() -> None:
    assert list(nervid.__all__) == sorted(set(nervid.__all__))


def test_every_public_name_exists() -> None:
    missing = [name for name in nervid.__all__ if not hasattr(nervid, name)]
    assert missing == []


def test_every_public_name_shows_in_dir() -> None:
    assert set(nervid.__all__) <= set(dir(nervid))


def test_every_public_class_and_function_has_a_docstring() -> None:
    public = {name: getattr(nervid, name) for name in nervid.__all__}
    assert [name for name, value in public.items() if callable(value) and not value.__doc__] == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(nervid, "no_such_name")


def test_importing_nervid_loads_neither_torch_nor_av() -> None:
    code = "import sys, nervid; print(sorted({'av', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
