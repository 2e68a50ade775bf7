"""Exceptions without what led to them, where that holds secrets.

A traceback keeps each frame's variables, and programs print them: Sentry, rich, ``pytest --showlocals``.  What parses a
secret, or sends it, is therefore to raise its own errors from outside of the frames that had it.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["bare", "raises_bare"]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_E = TypeVar("_E", bound=Exception)


def bare(error: _E) -> _E:
    """The same without its traceback.  Of what it came from an OSError is kept, without its own."""
    cause = error.__cause__
    error.__cause__ = bare(cause) if isinstance(cause, OSError) else None
    error.__context__ = None
    return error.with_traceback(None)


def raises_bare(*kinds: type[Exception]) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Decorates a function whose arguments may hold secrets: what it raises of these kinds is bare, and so is it."""

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        @wraps(function)
        def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            try:
                return function(*args, **kwargs)
            except kinds as error:
                problem = bare(error)
            del args, kwargs
            raise problem

        return call

    return decorate
