"""Rows about many rooms in one process: 1, 10 and 50, ours over both engines beside the public SDK's."""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from dcl_comms_drivers.livekit.choice import has_rtc
from pairs import Process, row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcl_comms_drivers.realm.livekit_server import LiveKitServer
    from pairs import Row

ROOMS = (1, 10, 50)
RATE, PACED = 20, 60
OURS = {"native": "native, asyncio", "rtc": "rtc, asyncio"}
SDK = "sdk"
A_ROOM = ("room_mb", "room_descriptors")
UNITS = (
    ("ms late, p50", "p50", 1e3),
    ("ms late, p99", "p99", 1e3),
    ("us CPU/delivery", "cpu", 1e6),
    ("MB a room", "room_mb", 1),
    ("threads", "threads", 1),
    ("descriptors a room", "room_descriptors", 1),
    ("delivered of 1", "delivered", 1),
)


def rows(server: LiveKitServer, only: str, rounds: int) -> Iterator[Row]:
    """Every row whose case has ``only`` in it."""
    for rooms in ROOMS:
        if only in f"{rooms} rooms, {RATE}/s":
            yield from _many(server, rooms, rounds)


def _many(server: LiveKitServer, rooms: int, rounds: int) -> Iterator[Row]:
    """One sender and ``rooms`` receivers, all in one process.

    One kind after the other, not interleaved: many rooms of the SDK keep a core busy even while nobody sends.
    """
    results: dict[str, list[dict[str, float]]] = {}
    kinds = [kind for kind in OURS if kind != "rtc" or has_rtc()]
    for kind in (*kinds, SDK):
        tokens = [server.token(f"{kind}-{number}", f"bench-{kind}-{rooms}") for number in range(rooms + 1)]
        command = [sys.executable, "-W", "ignore", str(Path(__file__).parent / "party.py"), kind, server.url]
        party = Process(kind, command, " ".join(tokens), {})
        try:
            results[kind] = []
            for _ in range(rounds):
                party.tell(do="paced", count=PACED, rate=RATE, size=60)
                results[kind].append(party.hear())
        finally:
            party.close()
    for kind in kinds:
        for unit, key, factor in UNITS:
            if key in A_ROOM and rooms == 1:
                continue  # what a room takes is told from those beyond the first
            divide = {"cpu": "delivered", "delivered": "expected"}.get(key)
            ours, theirs = (
                [result[key] * factor / (max(result[divide], 1) if divide else 1) for result in results[one]]
                for one in (kind, SDK)
            )
            pairs = list(zip(ours, theirs, strict=True))
            found = row("livekit", f"{rooms} rooms, {RATE}/s, {OURS[kind]}", unit, "livekit.rtc", pairs)
            found |= {
                "ours": round(median(ours), 4),
                "baseline": round(median(theirs), 4),
            }
            found["rounds"] = [[round(ours, 4), round(theirs, 4)] for ours, theirs in pairs]
            yield found
