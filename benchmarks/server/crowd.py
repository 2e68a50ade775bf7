"""Participants of many rooms in one process: ``crowd.py URL``.

Told by the first line of standard input who is in which room, as JSON: a list of rooms, each a list of tokens; and then orders as JSON,
which are answered with JSON lines.  The first of each room sends, all others receive.

* ``push``: so many packets in all, of which no more than a window is on its way in each room;
* ``pace``: so many a second for so many seconds, in turn in each room; how late each came;
* ``flood``: as many as the engine takes, small reliable ones and large lossy ones in turn, for so many seconds.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from itertools import chain
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from livekit_party import cpu, orders, say

from server.member import Member, payload

AT_ONCE = 8
"""So many join at a time."""
PATIENCE = 20.0
SMALL, LARGE = 60, 1_024
FLOODED = 256
"""As many packets of a flood wait for room in the engine, at most."""


class Room:
    """Those of one room."""

    def __init__(self, members: list[Member]) -> None:
        self.sender, *self.receivers = members
        self.sent = 0
        self._before: list[int] = []
        self.reset()

    def reset(self) -> None:
        self.sent = 0
        self._before = [one.received for one in self.receivers]

    @property
    def arrived(self) -> int:
        """How many packets the slowest has."""
        return min(one.received - before for one, before in zip(self.receivers, self._before, strict=True))

    @property
    def deliveries(self) -> int:
        return sum(one.received for one in self.receivers) - sum(self._before)

    def push(self, size: int, window: int, left: int) -> int:
        """Send as many more as the window has room for, of those that are left; gives how many."""
        count = min(window - (self.sent - self.arrived), left)
        # One at a time would be the worst case of everybody: half a window, or what is left.
        if count < min(window // 2, left) or count <= 0:
            return 0
        for _ in range(count):
            self.sender.put(payload(size))
        self.sent += count
        self.sender.flush()
        return count


async def push(rooms: list[Room], order) -> None:
    """Every room sends its share, each as fast as its receivers get it."""
    for room in rooms:
        room.reset()
    left = [order["count"] // len(rooms)] * len(rooms)
    done = asyncio.Event()
    expected = sum(left[place] * len(room.receivers) for place, room in enumerate(rooms))

    def told(place: int) -> None:
        left[place] -= rooms[place].push(order["size"], order["window"], left[place])
        if not left[place] and rooms[place].arrived == rooms[place].sent:
            finished.add(place)
            if len(finished) == len(rooms):
                done.set()

    finished: set[int] = set()
    before, start = cpu(), time.monotonic()
    for place, room in enumerate(rooms):
        for one in room.receivers:
            one.told = lambda place=place: told(place)
    for place in range(len(rooms)):
        told(place)
    end = None
    try:
        async with asyncio.timeout(order.get("patience", PATIENCE)):
            await done.wait()
            end = time.monotonic()
    except TimeoutError:
        end = time.monotonic()
    for room in rooms:
        for one in room.receivers:
            one.told = lambda: None
    delivered = sum(room.deliveries for room in rooms)
    say(did="push", delivered=delivered, expected=expected, seconds=end - start, cpu=cpu() - before)


async def pace(rooms: list[Room], order) -> None:
    """Everybody who sends says something as often, spread over the second."""
    late: list[float] = []
    for room in rooms:
        room.reset()
        for one in room.receivers:
            one.late = late
    count, rate = order["rate"] * order["seconds"] * len(rooms), order["rate"] * len(rooms)
    before, start = cpu(), time.monotonic()
    for number in range(count):
        pause = start + number / rate - time.monotonic()
        if pause > 0:
            await asyncio.sleep(pause)
        sender = rooms[number % len(rooms)].sender
        sender.put(payload(order["size"]))
        sender.flush()
    expected = sum(len(room.receivers) for room in rooms) * order["rate"] * order["seconds"]
    patience = time.monotonic() + PATIENCE
    while len(late) < expected and time.monotonic() < patience:
        await asyncio.sleep(0.05)
    found = sorted(late)
    for room in rooms:
        for one in room.receivers:
            one.late = None
    say(
        did="pace",
        delivered=len(found),
        expected=expected,
        seconds=time.monotonic() - start,
        cpu=cpu() - before,
        p50=found[len(found) // 2] if found else PATIENCE,
        p99=found[int(len(found) * 0.99)] if found else PATIENCE,
        most=found[-1] if found else PATIENCE,
    )


async def flood(rooms: list[Room], order) -> None:
    """As many packets as there is room for."""
    start = time.monotonic()
    sent = 0
    for room in rooms:
        room.reset()
    while time.monotonic() - start < order["seconds"]:
        for room in rooms:
            while room.sender.waiting < FLOODED:
                room.sender.put(payload(SMALL))
                room.sender.put(payload(LARGE), reliable=False)
                sent += 2
            room.sender.flush()
        await asyncio.sleep(0)
    seconds = time.monotonic() - start
    say(did="flood", sent=sent, delivered=sum(room.deliveries for room in rooms), seconds=seconds)


async def obey(url: str, tokens: list[list[str]]) -> None:
    members = [[Member() for _ in room] for room in tokens]
    gate = asyncio.Semaphore(AT_ONCE)

    async def join(member: Member, token: str) -> None:
        async with gate:
            await member.join(url, token)

    everybody = list(chain.from_iterable(members))
    pairs = zip(everybody, chain.from_iterable(tokens), strict=True)
    await asyncio.gather(*(join(member, token) for member, token in pairs))
    rooms = [Room(one) for one in members]
    gc.freeze()
    say(did="connect")
    lines = orders()
    while True:
        while lines.empty():
            await asyncio.sleep(0.02)
        order = lines.get()
        if order is None:
            break
        await {"push": push, "pace": pace, "flood": flood}[order["do"]](rooms, order)
    for member in everybody:
        await member.leave()


def main() -> None:
    tokens = json.loads(sys.stdin.readline())
    asyncio.run(obey(sys.argv[1], tokens))


if __name__ == "__main__":
    main()
