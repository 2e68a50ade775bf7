"""Every attack we know of, on every loop, read and not read: how far memory grows, how long a loop works at once.

    make attacks [SECONDS=n] [ONLY=text]

Each is a process of its own (tests/rigs/attacks/attacked.py, whose servers are hostile_server.py; attacked_realm.py is
the other way round: our own realm, and clients that mean harm).  A row says how far memory grew, in MiB and in parts of
the bytes that the limits in force allow, the longest that the loop's thread worked between two waits, without the
interpreter's collections, and which limits were told.  ``!`` stands where either is beyond what is promised: 1.5 times
the limits, 50 ms.  A deaf application never reads; a polled one does not even poll.  It ends with 1 where anything is
beyond.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from rigs.attacks import hostile_client, hostile_livekit, hostile_peer, hostile_server  # noqa: E402 - where they are is known now

if TYPE_CHECKING:
    from collections.abc import Iterator

RIGS = ROOT / "tests/rigs/attacks"
LOOPS = ("asyncio", "trio", "polled")
MOST_RATIO, MOST_MS = 1.5, 50.0
PATIENCE = 60.0


def combinations() -> Iterator[tuple[str, ...]]:
    """The rig's name and its arguments, but for the seconds."""
    for loop in LOOPS:
        for how in ("reads", "deaf"):
            for attack in hostile_server.ROOMS:
                yield "attacked.py", loop, attack, how
                yield "attacked.py", loop, f"realm, {attack}", how
            for attack in (*hostile_server.ISLANDS, *hostile_server.ROUNDABOUTS):
                yield "attacked.py", loop, f"realm, {attack}", how
            for attack in hostile_peer.ATTACKS:
                yield "attacked.py", loop, f"livekit, {attack}", how
            for attack in hostile_livekit.ATTACKS:
                yield "attacked.py", loop, f"livekit server, {attack}", how
        for attack in (*hostile_server.PAGES, *hostile_server.LOGIN):
            yield "attacked.py", loop, f"realm, {attack}", "reads"
    for attack in hostile_client.ATTACKS:
        yield "attacked_realm.py", attack


def run(rig: str, *arguments: str, seconds: float, limits: str) -> dict[str, Any]:
    command = [sys.executable, "-P", "-W", "ignore", str(RIGS / rig), *arguments, str(seconds), limits]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT / "tests"), str(ROOT)))}
    try:
        done = subprocess.run(  # noqa: S603  # our own program
            command, capture_output=True, text=True, timeout=seconds + PATIENCE, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        return {"problem": f"not over after {seconds + PATIENCE} s"}
    if done.returncode:
        return {"problem": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}"}
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def row(name: str, result: dict[str, Any]) -> tuple[str, bool]:
    """A line of the table, and whether it is as promised."""
    if "problem" in result:
        return f"{name:64} !! {result['problem']}", False
    large, long = result["ratio"] > MOST_RATIO, result["longest_ms"] > MOST_MS
    figures = (
        f"{result['grown_mib']:8.1f} MiB {result['ratio']:6.2f}{'!' if large else ' '}"
        f" {result['longest_ms']:8.1f} ms{'!' if long else ' '} {result['events']:9,} events"
    )
    notes = ", ".join((*result["limits"], *(f"{count} {name}" for name, count in result["failures"].items())))
    return f"{name:64} {figures}  {notes}", not (large or long)


def main() -> None:
    parser = argparse.ArgumentParser(description="attack ourselves")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each combination")
    parser.add_argument("--only", nargs="*", default=(), help="those whose name has all of this in it")
    parser.add_argument("--limits", default="{}", help="JSON: limits that are not the defaults")
    arguments = parser.parse_args()
    well = True
    for rig, *what in combinations():
        name = ", ".join((rig.removesuffix(".py").replace("_", " "), *what))
        if not all(text in name for text in arguments.only):
            continue
        line, kept = row(name, run(rig, *what, seconds=arguments.seconds, limits=arguments.limits))
        print(line, flush=True)
        well = well and kept
    sys.exit(not well)


if __name__ == "__main__":
    main()
