"""Which callback the engine calls: the native one, which queues events without Python's lock, or ctypes'.

The native one where it was built, unless the environment variable ``DCL_COMMS_CALLBACK`` says ``ctypes`` (then the
native one is not even loaded) or ``native`` (then the engine does not start without it).  It is read when the engine
starts, once in a process; ``Engine.get().callback`` says which one that was.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_drivers.livekit.errors import EngineProblem, EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["VARIABLE", "choose", "load_native"]

VARIABLE: Final = "DCL_COMMS_CALLBACK"
_MODULE: Final = "dcl_comms_drivers.livekit._native._events"


def load_native() -> Any:  # the extension's module; ffi.py gives it its type
    """The extension, or why there is none."""
    try:
        return import_module(_MODULE)
    except ImportError as problem:
        return str(problem)


def choose(load: Callable[[], Any] = load_native) -> tuple[Any, str]:
    """The extension and "", or None and the reason.  EngineUnavailable: the environment asks for what is not there."""
    asked = os.environ.get(VARIABLE, "")
    if asked not in {"", "native", "ctypes"}:
        raise EngineUnavailable(EngineProblem.NO_CALLBACK, f"{VARIABLE} can be native or ctypes")
    if asked == "ctypes":
        return None, f"{VARIABLE}=ctypes"
    found = load()
    if not isinstance(found, str):
        return found, ""
    if asked == "native":
        raise EngineUnavailable(EngineProblem.NO_CALLBACK, f"{VARIABLE}=native, but: {found}")
    return None, found
