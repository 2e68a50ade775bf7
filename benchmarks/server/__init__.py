"""Rooms of our own server beside livekit-server's: the same clients, sizes and rooms at both, in turns.

The clients do no more than they must (member.py), all of a crowd in one process; both servers run all the while, each in a process of its
own, which is idle while the other one is asked.  Identities are as long as wallets' addresses.  Told are packets that arrived a second,
the server's CPU for each of them (user and system), how late they came, and what a room takes of memory.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, Final

from dcl_comms_drivers.livekit.choice import has_rtc
from pairs import row

from server.parties import OFFICIAL, OURS, SERVERS, crowd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pairs import Row

    from server.parties import Server

BENCH: Final = "server"
SIZES: Final = (("60 B", 60), ("1 KiB", 1_024))
MEMBERS: Final = (2, 20)
WINDOW: Final = 64
DELIVERIES: Final = {60: 40_000, 1_024: 20_000}
"""So many in a round."""
ROOMS: Final = 200
ROOMS_WINDOW: Final = 4
PACED: Final = {"rate": 5, "seconds": 10, "size": 60}
"""In each of many rooms."""
FLOOD_SECONDS: Final = 60
HONEST: Final = {"rate": 50, "size": 60}
MOST_LATE: Final = 50.0
RATE, CPU = "packets/s", "us server CPU/packet"

Results = dict[str, dict[str, float]]


def _pushed(found: dict[str, float]) -> dict[str, float]:
    assert found["delivered"] == found["expected"], found
    return {RATE: found["delivered"] / found["seconds"], CPU: found["server"] / found["delivered"] * 1e6}


def _rows(case: str, rounds: list[Results]) -> Iterator[Row]:
    """A row for each unit, ours beside the other's."""
    for unit in rounds[0][OURS]:
        yield _row(case, unit, OFFICIAL, [(one[OURS][unit], one[OFFICIAL][unit]) for one in rounds])


def _row(case: str, unit: str, baseline: str, pairs: list[tuple[float, float]]) -> Row:
    return {
        **row(BENCH, case, unit, baseline, pairs),
        "ours": round(median(ours for ours, _ in pairs), 3),
        "baseline": round(median(theirs for _, theirs in pairs), 3),
    }


def _in_turns(servers: list[Server], rounds: int, one: Callable[[Server, int], dict[str, float]]) -> list[Results]:
    found: list[Results] = []
    for number in range(rounds):
        ordered = servers if number % 2 else servers[::-1]
        found.append({server.kind: one(server, number) for server in ordered})
    return found


def _pushing(servers: list[Server], members: int, name: str, size: int, rounds: int) -> Iterator[Row]:
    """One of a room sends as fast as the others get it."""
    with ExitStack() as stack:
        crowds = {
            one.kind: stack.enter_context(crowd(one, f"{name[:2]}-{members}", members=members)) for one in servers
        }
        order = {"size": size, "window": WINDOW, "count": DELIVERIES[size] // (members - 1)}
        for one in crowds.values():
            one.do("push", **{**order, "count": order["count"] // 4})
        found = _in_turns(servers, rounds, lambda server, _: _pushed(crowds[server.kind].do("push", **order)))
    yield from _rows(f"{name}, a room of {members}", found)


def _many(servers: list[Server], rounds: int) -> Iterator[Row]:
    """Many rooms of two: what each takes, how fast all together are, and how late what is said now and then."""
    with ExitStack() as stack:
        crowds, memory = {}, {}
        for one in servers:
            before = one.resident()
            crowds[one.kind] = stack.enter_context(crowd(one, "many", rooms=ROOMS))
            memory[one.kind] = {"MB a room": (one.resident() - before) / ROOMS}
        order = {"size": 60, "window": ROOMS_WINDOW, "count": 20_000}
        found = _in_turns(servers, rounds, lambda server, _: _pushed(crowds[server.kind].do("push", **order)))
        paced = _in_turns(servers, rounds, lambda server, _: _paced(crowds[server.kind].do("pace", **PACED)))
    yield from _rows(f"{ROOMS} rooms of 2", [memory])
    yield from _rows(f"{ROOMS} rooms of 2, 60 B", found)
    yield from _rows(f"{ROOMS} rooms of 2, 60 B, {PACED['rate']}/s in each", paced)


def _paced(found: dict[str, float]) -> dict[str, float]:
    return {
        "ms late, p50": found["p50"] * 1e3,
        "ms late, p99": found["p99"] * 1e3,
        CPU: found["server"] / max(found["delivered"], 1) * 1e6,
        "delivered of 1": found["delivered"] / found["expected"],
    }


def _flood(servers: list[Server], seconds: int) -> Iterator[Row]:
    """One sends all that the server takes into a room of his, and two in another room talk."""
    found: Results = {}
    for server in servers:
        with crowd(server, "flooding") as flooding, crowd(server, "honest") as honest:
            flooding.begin("flood", seconds=seconds)
            said = honest.do("pace", seconds=seconds, **HONEST)
            flooded = flooding.end()
            found[server.kind] = {**_paced(said), "packets/s of the flood": flooded["delivered"] / flooded["seconds"]}
            del found[server.kind][CPU]
    case = f"beside a flood of {seconds} s"
    yield from _rows(case, [found])
    late = found[OURS]["ms late, p99"]
    yield _row(case, "ms late, p99, of the most", "what it may be", [(late, MOST_LATE)])


def run(only: str = "", rounds: int = 7, seconds: int = FLOOD_SECONDS) -> Iterator[Row]:
    """Every row whose case has ``only`` in it, as soon as it is there."""
    if not has_rtc():
        print("(without our own engine: make rtc)", file=sys.stderr)
        return
    with ExitStack() as stack:
        servers = [stack.enter_context(make()) for make in SERVERS.values()]
        for members in MEMBERS:
            for name, size in SIZES:
                if only in f"{name}, a room of {members}":
                    yield from _pushing(servers, members, name, size, rounds)
        if only in f"{ROOMS} rooms of 2, 60 B, {PACED['rate']}/s in each":
            yield from _many(servers, min(rounds, 5))
        if only in f"beside a flood of {seconds} s":
            yield from _flood(servers, seconds)


def verdict(rows: list[Row]) -> list[str]:
    """What was asked for, and whether it is so."""
    said = []
    for one in rows:
        case, unit, ratio = one["case"], one["unit"], float(str(one["ratio"]))
        if unit == RATE:
            said.append(f"{case}: {ratio:.2f}x packets/s (must 0.7, goal 1.5)")
        elif unit == CPU and "in each" not in str(case):
            said.append(f"{case}: {ratio:.2f}x CPU a packet (must 1.5, goal 0.7)")
        elif unit == "ms late, p99, of the most":
            said.append(f"{case}: {one['ours']} ms late, p99 (must {MOST_LATE:g})")
    return said
