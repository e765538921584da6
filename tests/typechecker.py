"""The run-time type checker of the tests: as mypy does, it takes an int where a float is wanted.

Checks of every call took more than half the time of tests that fit networks, whose small functions are
called tens of thousands of times. So the first hundred calls of each function in each test are checked, and
then every fiftieth.
"""

from collections.abc import Callable
from dataclasses import is_dataclass
from functools import partial, wraps
from typing import Any, Final

import jaxtyping
from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
ALWAYS: Final = 100
"""Calls of a function that are checked in every test."""
THEN_EVERY: Final = 50
"""Of those that follow, one in so many is checked."""

_check_all = jaxtyping.jaxtyped
_tests = 0


def check_some_calls() -> None:
    """Let jaxtyping's import hook, which decorates every function, check some of its calls.

    To be called before the package is imported.
    """
    jaxtyping.jaxtyped = _check_some  # type: ignore[assignment]


def begin_test() -> None:
    """Check the first calls again."""
    global _tests
    _tests += 1


def _check_some(checked: Any = None, *, typechecker: Any) -> Any:  # noqa: ANN401 - as jaxtyped has it
    """Stand in for ``jaxtyping.jaxtyped``: of functions, and of the constructors of dataclasses."""
    if checked is None:
        return partial(_check_some, typechecker=typechecker)
    if not isinstance(checked, type):
        return _some_calls(checked, typechecker)
    if is_dataclass(checked):
        checked.__init__ = _some_calls(checked.__init__, typechecker)  # type: ignore[method-assign]
    return checked


def _some_calls(function: Callable[..., Any], typechecker: Any) -> Callable[..., Any]:  # noqa: ANN401
    """Return the function with some of its calls checked; it is decorated at the first of them."""
    every_call: Callable[..., Any] | None = None
    test, calls = -1, 0

    @wraps(function)
    def some_calls(*args: Any, **options: Any) -> Any:  # noqa: ANN401
        nonlocal every_call, test, calls
        if test != _tests:
            test, calls = _tests, 0
        calls += 1
        if calls > ALWAYS and calls % THEN_EVERY:
            return function(*args, **options)
        if every_call is None:
            every_call = _check_all(function, typechecker=typechecker)
        return every_call(*args, **options)

    return some_calls
