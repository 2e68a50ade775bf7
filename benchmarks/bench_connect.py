"""The first connect of a process: how long it holds the loop, and what README's imports cost before it.

Each measurement is a process of its own (connect_party.py), and what it connects to is another.  Held is the longest gap of a millisecond's ticker
until the room is open, without the longest of the idle loop right before; the goal is 20 ms.  Imports are measured from the start of
the process, beside those of the loop alone, or, where ``BASE`` names another checkout with a ``.venv``, beside that one's: then the gaps too.
The rounds of all cases are interleaved; all are shown, as a busy machine makes some of them long.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from dcl_comms_drivers.realm.livekit_server import LiveKitServer
from pairs import row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pairs import Row

HERE = Path(__file__).parent
PARTY = HERE / "connect_party.py"
REALM = """
import sys
from dcl_comms_drivers.realm.embedded import realm_in_thread
with realm_in_thread(livekit=False) as realm:
    print(realm.url, flush=True)
    sys.stdin.read()
"""
"""A realm in a process of its own: says its URL, and ends with its standard input."""
LOOPS = ("asyncio", "trio")
KINDS = ("livekit:", "ws-room", "realm")
GOAL_MS = 20.0
BASE = os.environ.get("BASE", "")


@contextmanager
def realm() -> Iterator[str]:
    command = [sys.executable, "-c", REALM]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def ask(python: str, what: str, target: str = "") -> dict[str, float]:
    # Users have compiled modules, whatever is set for those who work on this.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.time()
    command = [python, "-W", "ignore", str(PARTY), what]
    run = subprocess.run(command, input=target + "\n", env=environment, check=True, capture_output=True, text=True)
    found = json.loads(run.stdout)
    return {"imports": (found["ready"] - began) * 1e3} if "ready" in found else found


def imports_alone(loop: str) -> float:
    began = time.time()
    code = f"import {loop}, time; print(time.time())"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return (float(run.stdout) - began) * 1e3


def cases(stack: ExitStack) -> Iterator[tuple[str, str, Callable[[], str]]]:
    """Name, loop and a fresh target; no target: imports."""
    address = stack.enter_context(realm())
    server = stack.enter_context(LiveKitServer.start(build=True))
    number = count()
    targets: dict[str, Callable[[], str]] = {
        "livekit:": lambda: server.connection_string(f"bot-{next(number)}", "first-connect"),
        "ws-room": lambda: f"ws-room:{address.replace('http', 'ws', 1)}/rooms/first-connect",
        "realm": lambda: address,
    }
    for loop in LOOPS:
        for kind in KINDS:
            yield f"longest hold of the loop, {kind} on {loop}", loop, targets[kind]
        yield f"README's imports, {loop}", loop, lambda: ""


def measure(case: tuple[str, str, Callable[[], str]]) -> tuple[float, float]:
    """Ours, and what stands beside it."""
    _, loop, target = case
    theirs = str(Path(BASE) / ".venv" / "bin" / "python") if BASE else ""
    if not target():
        ours = ask(sys.executable, f"imports-{loop}")["imports"]
        return ours, ask(theirs, f"imports-{loop}")["imports"] if theirs else imports_alone(loop)
    found = ask(sys.executable, loop, target())
    held = max(found["connect"] - found["idle"], 0.0)
    if not theirs:
        return held, GOAL_MS
    found = ask(theirs, loop, target())
    return held, max(found["connect"] - found["idle"], 0.0)


def run(rounds: int = 7, only: str = "") -> list[Row]:
    """Every row whose case has ``only`` in it."""
    with ExitStack() as stack:
        wanted = [case for case in cases(stack) if only in case[0]]
        for case in wanted:
            measure(case)  # compiles, and fills the caches of the disk
        measured: dict[str, list[tuple[float, float]]] = {case[0]: [] for case in wanted}
        for _ in range(rounds):
            for case in wanted:
                measured[case[0]].append(measure(case))
    beside = {True: "another checkout", False: "the goal"}[bool(BASE)]
    names = {
        case[0]: beside if BASE or not case[0].startswith("README") else f"import {case[1]} alone" for case in wanted
    }
    return [row("connect", name, "ms", names[name], found) for name, found in measured.items()]


def verdict(rows: list[Row]) -> list[str]:
    """The rounds, and the worst of them."""
    lines: list[str] = []
    for found in rows:
        ours = [first for first, _ in found["rounds"]]
        shown = " ".join(f"{value:.1f}" for value in ours)
        lines.append(f"{found['case']}: median {median(ours):.1f} ms, worst {max(ours):.1f} ms of [{shown}]")
    return lines
