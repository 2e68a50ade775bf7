"""ENet: CPU per message, ours beside Debian's libenet7 that a loop of ctypes calls.  Rows of ``make bench ONLY=pulse``.

Each end is a process of its own, over real sockets; the other end is libenet7 always, so that only one thing differs.  A burst goes out
every millisecond: of one message (a datagram each) or of 16 (which share datagrams).  Told are user and system CPU of the sender, and
of the receiver, apart.  With many peers of a host the messages go to, or come from, all of them in turn, each in a datagram of its own
as with one peer.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from pairs import Process, row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pairs import Row

HERE = Path(__file__).parent
BENCH = "pulse"
SIZE = 60
COUNT = 3_000
BURST_TICK = 0.001
MANY = 500
MOST, GOAL = 15.0, 8.0


def _process(kind: str, *arguments: str) -> Process:
    return Process(kind, [sys.executable, str(HERE / "enet_party.py"), kind, *arguments], "", {})


class Duo:
    """One end that is measured, and one of the library's."""

    def __init__(self, kind: str, role: str, peers: int) -> None:
        self.role = role
        self.peers = peers
        host_kind, client_kind = (kind, "libenet") if role == "host" else ("libenet", kind)
        self.host = _process(host_kind, "host", str(peers))
        self.host.tell(do="port")
        port = str(int(self.host.hear()["port"]))
        self.client = _process(client_kind, "client", str(peers), port)

    def round(self, *, sends: bool, reliable: bool, burst: int, apart: bool, count: int) -> dict[str, float]:
        """Microseconds per message of the end that is measured, which sends or receives; and how many came."""
        ours, other = (self.host, self.client) if self.role == "host" else (self.client, self.host)
        sender, receiver = (ours, other) if sends else (other, ours)
        for end in (receiver, sender):
            end.tell(do="expect", peers=self.peers)
            end.hear()
        tick = BURST_TICK
        sender.tell(do="send", count=count, burst=burst, size=SIZE, reliable=reliable, apart=apart, tick=tick)
        sent = sender.hear()
        receiver.tell(do="result", count=count, patience=5.0 if reliable else 1.0)
        got = receiver.hear()
        measured = sent if sends else got
        scale = 1e6 / count
        return {
            "user": measured["user"] * scale,
            "system": measured["system"] * scale,
            "cpu": (measured["user"] + measured["system"]) * scale,
            "got": got["got"],
        }

    def close(self) -> None:
        self.client.close()
        self.host.close()


def _rounds(role: str, peers: int, rounds: int, **how: object) -> list[tuple[dict[str, float], dict[str, float]]]:
    """The same for ours and the library, in turn."""
    duos = []
    try:
        duos = [Duo(kind, role, peers) for kind in ("ours", "libenet")]
        for duo in duos:
            duo.round(**how)
        return [(duos[0].round(**how), duos[1].round(**how)) for _ in range(rounds)]
    finally:
        for duo in duos:
            duo.close()


def run(rounds: int = 5, only: str = "") -> Iterator[Row]:
    """Every row whose case has ``only`` in it."""
    cases = [
        (f"{'reliable' if reliable else 'unreliable'}, {burst} a turn, {end}", "client", 1, end, reliable, burst, False)
        for reliable, burst, end in product((False, True), (1, 16), ("sender", "receiver"))
    ]
    cases += [
        (f"unreliable, 16 apart, host of {peers}, {end}", "host", peers, end, False, 16, True)
        for peers, end in product((1, MANY), ("sender", "receiver"))
    ]
    for name, role, peers, end, reliable, burst, apart in cases:
        case = f"ENet, {name}"
        if only not in case:
            continue
        count = COUNT if burst == 1 else COUNT * 4
        how = {"sends": end == "sender", "reliable": reliable, "burst": burst, "apart": apart, "count": count}
        results = _rounds(role, peers, rounds, **how)
        for unit in ("cpu", "user", "system"):
            pairs = [(ours[unit], theirs[unit]) for ours, theirs in results]
            found = row(BENCH, case, f"us {unit}/message", "libenet7", pairs)
            found["delivered"] = [[int(ours["got"]), int(theirs["got"]), count] for ours, theirs in results]
            yield found


def verdict(rows: list[Row]) -> list[str]:
    """What was asked for, and whether it is so."""
    totals = {str(one["case"]): one for one in rows if one["unit"] == "us cpu/message"}
    lines = [
        f"{case}: {one['ratio']} times libenet7; {MOST:g} at most, goal {GOAL:g}"
        for case, one in totals.items()
        if float(str(one["ratio"])) > GOAL
    ]
    for end in ("sender", "receiver"):
        one, many = (totals.get(f"ENet, unreliable, 16 apart, host of {peers}, {end}") for peers in (1, MANY))
        if one is not None and many is not None:
            times = float(str(many["ours"])) / float(str(one["ours"]))
            lines.append(f"ENet, {end}: a message of a host of {MANY} peers costs {times:.2f} times one of a host of 1")
    return lines
