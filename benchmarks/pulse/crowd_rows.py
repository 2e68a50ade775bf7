"""A crowd that moves, into one program: its share of a core.  Rows of ``make bench ONLY=pulse``.

The program is whole: asyncio, ``connect()`` into a realm, Pulse over a real socket, every PeerMoved read from the connection.  The realm
is in the same process, and costs next to nothing beside it.  The crowd is a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pairs import row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pairs import Row

PARTY = Path(__file__).with_name("crowd_party.py")
BENCH = "pulse"
SECONDS = 8.0
A_SECOND = 20
MOST, GOAL = 50.0, 25.0
UNIT = "% of a core"
ROUNDS = 3
CROWDS = (1, 100, 500)


def measure(subjects: int) -> dict[str, float]:
    """What the program heard of so many, and what it cost."""
    command = [sys.executable, str(PARTY)]
    with subprocess.Popen(
        [*command, "crowd", str(subjects)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as crowd:
        assert crowd.stdin is not None
        assert crowd.stdout is not None
        try:
            port = crowd.stdout.readline().strip()
            program = subprocess.run(
                [*command, "program", port, str(SECONDS)], stdout=subprocess.PIPE, text=True, check=True
            )
        finally:
            crowd.stdin.close()
    told: dict[str, float] = json.loads(program.stdout)
    return told


def run(only: str = "") -> Iterator[Row]:
    """Every row whose case has ``only`` in it."""
    for subjects in CROWDS:
        case = f"{subjects} players, {A_SECOND} movements a second each, into one program"
        if only not in case:
            continue
        told = [measure(subjects) for _ in range(ROUNDS)]
        pairs = [(100.0 * one["cpu"] / one["seconds"], 100.0) for one in told]
        found = row(BENCH, case, UNIT, "one core", pairs)
        found["heard"] = [round(one["moves"] / (subjects * A_SECOND * one["seconds"]), 3) for one in told]
        yield found


def verdict(rows: list[Row]) -> list[str]:
    """What was asked for, and whether it is so."""
    return [
        f"{one['case']}: {one['ours']} % of a core; {MOST:g} at most, goal {GOAL:g}"
        for one in rows
        if str(one["case"]).startswith(f"{CROWDS[-1]} players") and one["unit"] == UNIT
    ]
