"""What luck.py's processes of pytest load: it finds the tests that use sockets, processes or clocks, and notes what became of them.

A test uses what its code names, and the code of the fixtures and of the helpers in the tests' folder that it names: a module of
``OUTSIDE``, anything of the drivers or of the station, Hypothesis' ``find``.  Fixtures that every test gets unasked do not count: a guard
that stands before the clock does not use it.  A marker of ``MARKERS`` says so by itself.
"""

from __future__ import annotations

import dis
import inspect
import json
import os
import time
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

OUTSIDE = {
    "socket": "sockets", "select": "sockets", "selectors": "sockets", "http": "sockets", "websockets": "sockets",
    "urllib": "sockets", "urllib.parse": None,
    "asyncio": "loops", "trio": "loops", "dcl_comms_drivers": "loops", "dcl_comms_drivers.wallet": None, "dcl_comms_station": "loops",
    "subprocess": "processes", "multiprocessing": "processes", "signal": "processes",
    "threading": "threads", "concurrent": "threads",
    "time": "clocks",
    "hypothesis.find": "search",
}  # fmt: skip
"""Modules and functions by which the world comes into a test, and what that is called in the table; None: by these it does not."""
MARKERS = {"livekit": "sockets", "node": "processes"}


def function_of(nodeid: str) -> str:
    """A test without its parameters."""
    return nodeid.partition("[")[0]


class Uses:
    """What the code of the tests uses."""

    def __init__(self, fixtures: dict[str, FunctionType]) -> None:
        self._fixtures = fixtures
        self._known: dict[int, set[str]] = {}

    def of(self, item: pytest.Function) -> set[str]:
        """What a test uses, in the table's words."""
        found = {word for marker, word in MARKERS.items() if item.get_closest_marker(marker)}
        function = inspect.unwrap(item.function)
        function = getattr(getattr(function, "hypothesis", None), "inner_test", function)
        return found | self._function(function)

    def _function(self, function: Any) -> set[str]:
        function = inspect.unwrap(function)
        if not isinstance(function, FunctionType) or id(function) in self._known:
            return self._known.get(id(function), set())
        found = self._known[id(function)] = set()
        for operation, name in set(_names(function.__code__)):
            if operation == "IMPORT_NAME":
                found |= _outside(name)
            elif name in function.__globals__:
                found |= self._value(function.__globals__[name])
        for name in inspect.signature(function).parameters:
            if name in self._fixtures:
                found |= self._function(self._fixtures[name])
        return found

    def _value(self, value: Any) -> set[str]:
        if isinstance(value, ModuleType):
            return _outside(value.__name__)
        module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
        if not isinstance(module, str):
            return set()
        if found := _outside(f"{module}.{name}".replace("hypothesis.core.", "hypothesis.")):
            return found
        if isinstance(value, type) and id(value) not in self._known and _is_ours(value):
            self._known[id(value)] = set()
            return set().union(*(self._function(part) for part in _parts(value)))
        return self._function(value) if inspect.isfunction(value) and _is_ours(value) else set()


def _outside(name: str) -> set[str]:
    while name not in OUTSIDE and name:
        name = name.rpartition(".")[0]
    word = OUTSIDE.get(name)
    return set() if word is None else {word}


def _names(code: CodeType) -> Iterator[tuple[str, str]]:
    for step in dis.get_instructions(code):
        if step.opname in {"IMPORT_NAME", "LOAD_GLOBAL", "LOAD_NAME"}:
            yield step.opname, step.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _is_ours(value: Any) -> bool:
    """Helpers are followed where they are the tests' own."""
    try:
        return (
            "site-packages" not in (path := inspect.getfile(value))
            and "/dcl_comms_core/" not in path
            and "/lib/python" not in path
        )
    except TypeError:
        return False


def _parts(cls: type) -> Iterator[Any]:
    for kind in cls.__mro__:
        for part in vars(kind).values():
            yield from (part.fget,) if isinstance(part, property) else (getattr(part, "__func__", part),)


def _fixtures(places: list[Any]) -> dict[str, FunctionType]:
    """Functions behind fixtures, by their names: those of plugins and conftests, and of a module of tests."""
    kind = type(pytest.fixture(lambda: None))
    return {
        name: function
        for place in places
        for name, value in vars(place).items()
        if isinstance(value, kind) and isinstance(function := inspect.unwrap(value), FunctionType)
    }


class Luck:
    """Keeps the tests that are asked for, and writes a line for each: what it uses, and what became of it.

    They run in rounds: of what a test leaves behind only what the session's fixtures hold is there in the next.  After
    ``seconds`` no round is begun.
    """

    def __init__(self, report: Path, wanted: set[str] | None, *, rounds: int = 1, seconds: float = 0.0) -> None:
        self._report = report.open("a", encoding="utf-8")
        self._wanted = wanted
        self._rounds = rounds
        self._seconds = seconds
        self._round = 0
        self._outcomes: dict[str, tuple[str, float, str]] = {}

    def _tell(self, **fields: Any) -> None:
        print(json.dumps(fields), file=self._report, flush=True)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Choose."""
        plugins = [plugin for plugin in config.pluginmanager.get_plugins() if isinstance(plugin, ModuleType)]
        by_module: dict[ModuleType, Uses] = {}
        kept: list[pytest.Item] = []
        for item in items:
            if not isinstance(item, pytest.Function):
                continue
            uses = by_module.setdefault(item.module, Uses(_fixtures([*plugins, item.module])))
            if self._wanted is not None:
                if function_of(item.nodeid) in self._wanted:
                    kept.append(item)
            elif used := uses.of(item):
                kept.append(item)
                self._tell(test=item.nodeid, uses=sorted(used))
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run them again and again."""
        if session.testsfailed or session.config.option.collectonly or not session.items:
            return None
        end = time.monotonic() + self._seconds
        for number in range(self._rounds):
            self._round = number
            if number and time.monotonic() > end:
                break
            # To the session itself: that takes down whatever belongs to a test, a class or a module.
            for item, following in zip(session.items, [*session.items[1:], session], strict=True):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                if session.shouldstop:
                    raise session.Interrupted(session.shouldstop)
        return True

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """It may be the last that this process does."""
        self._tell(round=self._round, test=nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what became of it, from its setup to its teardown."""
        before, seconds, text = self._outcomes.get(report.nodeid, ("passed", 0.0, ""))
        outcome = report.outcome if before == "passed" else before
        if report.outcome != "passed" and not text:
            text = report.longrepr[2] if isinstance(report.longrepr, tuple) else _last_line(report)
        self._outcomes[report.nodeid] = outcome, seconds + report.duration, text
        if report.when == "teardown":
            outcome, seconds, text = self._outcomes.pop(report.nodeid)
            text = " ".join(text.split())[:200]
            self._tell(round=self._round, test=report.nodeid, outcome=outcome, seconds=round(seconds, 2), text=text)


def _last_line(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return (
        report.longreprtext.rpartition("\n")[2]
        if crash is None
        else f"{Path(crash.path).name}:{crash.lineno}: {crash.message}"
    )


def pytest_configure(config: pytest.Config) -> None:
    if report := os.environ.get("LUCK_REPORT"):
        names = os.environ.get("LUCK_TESTS")
        wanted = None if names is None else set(Path(names).read_text(encoding="utf-8").splitlines())
        rounds, seconds = int(os.environ.get("LUCK_ROUNDS", "1")), float(os.environ.get("LUCK_SECONDS", "0"))
        config.pluginmanager.register(Luck(Path(report), wanted, rounds=rounds, seconds=seconds), "luck")
