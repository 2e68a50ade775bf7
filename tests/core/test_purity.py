"""The core asks for no clock, entropy, socket, thread or loop, and loads nothing that could give it one."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import random
import socket
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import pytest

import dcl_comms_core

BANNED = frozenset(
    "asyncio trio socket ssl threading selectors time random os httpx websockets livekit".split()  # noqa: SIM905
)
MAKES_DATES = "dcl_comms_core.tools.labels"
"""Of seconds that it was told: ``event.time`` is a datetime."""
NEEDS_HYPOTHESIS = "dcl_comms_core.testing.strategies"


def core_modules() -> list[str]:
    found = [module.name for module in pkgutil.walk_packages(dcl_comms_core.__path__, "dcl_comms_core.")]
    return ["dcl_comms_core", *(name for name in found if name != NEEDS_HYPOTHESIS)]


def loaded_by(*modules: str) -> set[str]:
    """Top-level names of everything that a fresh interpreter has loaded after importing these."""
    script = "import sys\nfor name in sys.argv[1:]: __import__(name)\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script, *modules], check=True, capture_output=True, text=True)
    return {name.partition(".")[0] for name in run.stdout.split()}


def test_importing_the_core_loads_no_banned_module() -> None:
    modules = core_modules()
    assert {"dcl_comms_core.room.session", "dcl_comms_core.codec", "dcl_comms_core.testing.pair"} <= set(modules)
    extra = loaded_by(*modules) - loaded_by("betterproto2")
    assert "dcl_comms_core" in extra
    assert not extra & BANNED


def test_that_check_finds_a_banned_module() -> None:
    # One that betterproto2 does not load by itself on any Python that we support.
    assert "asyncio" in loaded_by("dcl_comms_core", "asyncio") - loaded_by("betterproto2")


@pytest.mark.parametrize("name", core_modules())
def test_no_source_of_the_core_imports_a_banned_module(name: str) -> None:
    path = importlib.import_module(name).__file__
    assert path is not None
    named: set[str] = set()
    allowed = {"datetime"} if name == MAKES_DATES else set[str]()
    for node in ast.walk(ast.parse(Path(path).read_text())):
        if isinstance(node, ast.Import):
            named |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            named.add((node.module or "").partition(".")[0])
    assert not named & (BANNED | {"datetime", "secrets", "uuid", "hypothesis"} - allowed)


def test_what_makes_dates_asks_no_clock() -> None:
    path = importlib.import_module(MAKES_DATES).__file__
    assert path is not None
    asked = {node.attr for node in ast.walk(ast.parse(Path(path).read_text())) if isinstance(node, ast.Attribute)}
    assert not asked & {"now", "utcnow", "today"}


# --- the guard of conftest.py


@pytest.fixture
def planted() -> types.ModuleType:
    """A module that claims to be the core's and asks for everything."""
    module = types.ModuleType("dcl_comms_core.planted")
    source = """
import os, random, socket, tempfile, threading, time, uuid
def clock(): return time.time()
def nap(): time.sleep(0)
def entropy(): return os.urandom(1)
def chance(): return random.random()
def generator(): return random.Random(1)
def connect(): return socket.socket()
def thread(): threading.Thread(target=print).start()
def through_the_library(): return uuid.uuid4()
def calls(function): return function()
"""
    exec(source, module.__dict__)  # noqa: S102 - ours
    return module


@pytest.mark.parametrize(
    "name", ["clock", "nap", "entropy", "chance", "generator", "connect", "thread", "through_the_library"]
)
def test_the_guard_bites(planted: types.ModuleType, name: str) -> None:
    with pytest.raises(AssertionError, match=r"dcl_comms_core.planted line \d+ asked for "):
        getattr(planted, name)()


def test_the_guard_lets_others_through(planted: types.ModuleType) -> None:
    assert time.monotonic() > 0.0
    assert 0.0 <= random.random() < 1.0
    socket.socket().close()
    done = threading.Event()
    threading.Thread(target=done.set).start()
    assert done.wait(10.0)
    # A callback of ours that the core calls is still ours.
    assert planted.calls(lambda: time.time()) > 0.0  # noqa: PLW0108 - the lambda is the frame that matters


def test_the_guard_covers_everything_that_it_should(guard: dict[object, tuple[str, ...]]) -> None:
    assert {"time", "monotonic", "perf_counter", "sleep"} <= set(guard[time])
    assert {"random", "randint", "choice", "seed"} <= set(guard[random])
