"""What holds for every test of the core: the guard.

It stands before clocks, entropy, sockets and threads.  Whoever asks them for something is the innermost caller
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

import dcl_comms_core
from dcl_comms_core import codec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


ON_EVERY_ENGINE = ("test_codec_every_field", "test_codec_rules", "test_codec_encode", "test_codec_peek",
                   "test_codec_tag13", "test_proto_messages", "test_proto_compare")  # fmt: skip
ON_PYTHON = ("test_codec_shapes",)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests of the codec's rules run on every engine; those of the Python engine's inside on that."""
    name = metafunc.module.__name__.rpartition(".")[2]
    if name in ON_EVERY_ENGINE + ON_PYTHON:
        names = list(codec.engines()) if name in ON_EVERY_ENGINE else ["python"]
        metafunc.parametrize("engine", names, indirect=True, scope="module")


@pytest.fixture(scope="module", autouse=True)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """The codec behind the public functions, by its name: the one that is asked for, or the usual one."""
    before = codec.active()
    codec.use(getattr(request, "param", before))
    yield codec.active()
    codec.use(before)
