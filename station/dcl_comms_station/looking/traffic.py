"""How much goes to and fro, second by second, and in all."""

from __future__ import annotations

import time
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final, Protocol

from dcl_comms_station.forms import dump
from dcl_comms_station.looking.visit import visited
from dcl_comms_station.showing.faces import clock
from dcl_comms_station.terminal import put
from dcl_comms_station.visitor import NOBODY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_drivers.connection.stats import Stats

    from dcl_comms_station.loops import Loop
    from dcl_comms_station.visitor import Visitor

__all__ = ["JsonTold", "LinesTold", "Rates", "Told", "follow_traffic", "rates"]

_EVERY: Final = 1.0
_SLIVER: Final = 0.05
"""Seconds that are too few for a rate: a sleep may end a little early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What came and went in a while, each per second."""

    seconds: float
    """How long the while was."""
    received: float
    received_bytes: float
    sent: float
    sent_bytes: float
    rejected: float
    lost: Mapping[str, float]
    """By reason, as ``Stats.lost``; a reason that did not occur is absent."""
    round_trip: float | None
    """Seconds to the server and back, as measured last; None: never."""


def rates(before: Stats, after: Stats, seconds: float) -> Rates:
    """What came and went between two counts, ``seconds`` (above 0) apart."""
    lost = {reason: count - before.lost.get(reason, 0) for reason, count in after.lost.items()}
    return Rates(
        seconds=seconds,
        received=(after.received - before.received) / seconds,
        received_bytes=(after.received_bytes - before.received_bytes) / seconds,
        sent=(after.sent - before.sent) / seconds,
        sent_bytes=(after.sent_bytes - before.sent_bytes) / seconds,
        rejected=(after.rejected - before.rejected) / seconds,
        lost={reason: count / seconds for reason, count in lost.items() if count},
        round_trip=after.round_trip,
    )


class Told(Protocol):
    """How it is told."""

    def now(self, one: Rates) -> None:
        """Of the while that just ended."""
        ...

    def total(self, stats: Stats, seconds: float) -> None:
        """Of all, since we came."""
        ...


async def follow_traffic(
    loop: Loop, target: str, told: Told, *, seconds: float | None, patience: float = 20.0, visitor: Visitor = NOBODY
) -> None:
    """Tell the rates once a second until ``seconds`` have passed (None: never) or the room is over, then the sum.

    The sum is told when it is interrupted too.  ``patience``: seconds until the (first) room must be open.
    """
    async with visited(loop, target, patience=patience, visitor=visitor) as room:
        began = at = time.monotonic()
        before = room.stats
        try:
            while (left := (inf if seconds is None else seconds) - (at - began)) > _SLIVER:
                # Its answer is there when it is looked at.
                room.request_stats()
                await loop.sleep(min(_EVERY, left))
                now, stats = time.monotonic(), room.stats
                told.now(rates(before, stats, now - at))
                at, before = now, stats
        finally:
            told.total(room.stats, time.monotonic() - began)


class JsonTold:
    """One object a line."""

    def now(self, one: Rates) -> None:
        """With ``kind`` ``rates``."""
        put(
            dump(
                {
                    "kind": "rates",
                    "time": round(time.time(), 3),
                    "seconds": round(one.seconds, 3),
                    "received": round(one.received, 3),
                    "received_bytes": round(one.received_bytes, 3),
                    "sent": round(one.sent, 3),
                    "sent_bytes": round(one.sent_bytes, 3),
                    "rejected": round(one.rejected, 3),
                    "lost": {reason: round(rate, 3) for reason, rate in one.lost.items()},
                    "round_trip": one.round_trip,
                }
            )
        )

    def total(self, stats: Stats, seconds: float) -> None:
        """With ``kind`` ``sum``: counts, and not rates."""
        put(
            dump(
                {
                    "kind": "sum",
                    "time": round(time.time(), 3),
                    "seconds": round(seconds, 3),
                    "received": stats.received,
                    "received_bytes": stats.received_bytes,
                    "sent": stats.sent,
                    "sent_bytes": stats.sent_bytes,
                    "rejected": stats.rejected,
                    "lost": dict(stats.lost),
                    "round_trip": stats.round_trip,
                    "reconnects": stats.reconnects,
                }
            )
        )


class LinesTold:
    """For people."""

    def now(self, one: Rates) -> None:
        """One line, with the time of day."""
        lost = ", ".join(f"{reason} {rate:.1f}/s" for reason, rate in one.lost.items())
        put(
            f"{clock(time.time())}  in {one.received:6.1f}/s {one.received_bytes:8.0f} B/s"
            f"  out {one.sent:6.1f}/s {one.sent_bytes:8.0f} B/s"
            f"  rejected {one.rejected:.1f}/s  round trip {_round_trip(one.round_trip)}  lost {lost or 'nothing'}"
        )

    def total(self, stats: Stats, seconds: float) -> None:
        """One line."""
        lost = ", ".join(f"{reason} {count}" for reason, count in stats.lost.items())
        put(
            f"in {seconds:.1f} s: {stats.received} packets came ({stats.received_bytes} bytes),"
            f" {stats.rejected} rejected; {stats.sent} went out ({stats.sent_bytes} bytes);"
            f" reconnects {stats.reconnects}; round trip {_round_trip(stats.round_trip)}; lost {lost or 'nothing'}"
        )


def _round_trip(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.0f} ms"
