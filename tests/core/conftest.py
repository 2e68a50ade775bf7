"""What holds for every test of the core: one Hypothesis profile, and the guard.

The guard stands before clocks, entropy, sockets and threads.  Whoever asks them for something is the innermost caller
that is neither the standard library nor betterproto2: if that is a module of dcl_comms_core, the guard raises, and for
pytest, Hypothesis and the tests themselves it lets the call through.  It replaces attributes, so a name that was
imported from its module earlier gets past it; that the core imports none of these modules is test_purity's business.
"""

from __future__ import annotations

import _thread
import functools
import os
import random
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import betterproto2
import pytest
from hypothesis import HealthCheck, settings

import dcl_comms_core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

settings.register_profile(
    "core",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    # The machines are slow and shared; a test that really is slow meets its time limit.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("core")

GUARDED: dict[Any, tuple[str, ...]] = {
    time: ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "sleep"),
    os: ("urandom",),
    random: tuple(name for name in random.__all__ if not isinstance(getattr(random, name), type)),
    random.Random: ("__init__",),
    socket: ("create_connection", "getaddrinfo", "socketpair"),
    socket.socket: ("__init__",),
    threading.Thread: ("start",),
    _thread: ("start_new_thread",),
}
"""Attributes that raise when the core asks."""

_TRANSPARENT = sys.stdlib_module_names | {betterproto2.__name__}


class CoreIsNotPure(AssertionError):
    """The core asked for something that it must be given."""


def _guarded(function: Callable[..., Any], what: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def guard(*args: Any, **kwargs: Any) -> Any:
        frame = sys._getframe(1)
        while frame is not None:
            name = str(frame.f_globals.get("__name__", ""))
            package = name.partition(".")[0]
            if package == dcl_comms_core.__name__:
                msg = f"{name} line {frame.f_lineno} asked for {what}"
                raise CoreIsNotPure(msg)
            if package not in _TRANSPARENT:
                break
            frame = frame.f_back
        return function(*args, **kwargs)

    return guard


@pytest.fixture(scope="module", autouse=True)
def guard() -> Iterator[dict[Any, tuple[str, ...]]]:
    """Guard the core for one module of tests; gives what is guarded."""
    with pytest.MonkeyPatch.context() as patch:
        for owner, names in GUARDED.items():
            for name in names:
                patch.setattr(owner, name, _guarded(getattr(owner, name), f"{owner.__name__}.{name}"))
        yield GUARDED
