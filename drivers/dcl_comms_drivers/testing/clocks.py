"""Clocks that stand still under run_bot: whoever asks them is told."""

from __future__ import annotations

import inspect
import sysconfig
import time
import warnings
from contextlib import contextmanager
from functools import wraps
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["ClockWarning", "watched_clocks"]

_CLOCKS: Final = ("time", "time_ns", "monotonic", "monotonic_ns", "sleep")
_OTHERS: Final = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
"""Where the code is that is nobody's bot."""
_OURS: Final = "dcl_comms_"


class ClockWarning(UserWarning):
    """A bot under ``run_bot`` asked for the machine's time, which does not pass there."""


@contextmanager
def watched_clocks(*bots: object) -> Generator[None]:
    """Warn once a place that calls ``time.monotonic()`` and its like.

    Names that were imported by themselves are seen in the modules of these functions only.
    """
    warned: set[tuple[str, int]] = set()
    watched = {
        clock: _watched(name, clock, warned) for name, clock in ((name, getattr(time, name)) for name in _CLOCKS)
    }
    before = [
        (names, name, value)
        for names in ({id(names): names for names in (time.__dict__, *map(_globals_of, bots))}).values()
        for name, value in names.items()
        if isinstance(value, BuiltinFunctionType) and value in watched
    ]
    for names, name, value in before:
        names[name] = watched[value]
    try:
        yield
    finally:
        for names, name, value in before:
            names[name] = value


def _globals_of(bot: object) -> dict[str, Any]:
    return getattr(bot, "__globals__", {})


def _watched(name: str, clock: Callable[..., Any], warned: set[tuple[str, int]]) -> Callable[..., Any]:
    @wraps(clock)
    def watched(*args: Any) -> Any:
        here = inspect.currentframe()
        caller = None if here is None else here.f_back
        if caller is None:
            return clock(*args)  # a Python without frames
        place = caller.f_code.co_filename, caller.f_lineno
        module = str(caller.f_globals.get("__name__"))
        if place not in warned and not module.startswith(_OURS) and not place[0].startswith(_OTHERS):
            warned.add(place)
            told = (
                f"time.{name}() does not know of run_bot's clock, which jumps: ask the loop "
                "(asyncio.get_running_loop().time(), trio.current_time()) or take event.at, and sleep by the loop"
            )
            warnings.warn(told, ClockWarning, stacklevel=2)
        return clock(*args)

    return watched
