"""What the Station costs the connection that it looks at: its tap alone, and ``watch(room, tap)`` with a page that looks.

The room's own thread is what a bot feels; all threads together is what the machine does.  Musts: 1.15 of a connection without a tap, 5 us
a packet.
"""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcl_comms_station import watch
from pairs import Process
from unused.sides import BATCH, DATA, SLICES, Side

from dcl_comms_core import PeerId
from station.bounds import bounded, compared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from station.bounds import Row

ROUNDS = 7
PER_TURN = 64
PACKETS = 3_000
HOW: dict[str, Any] = {"reliable": False, "topic": "", "private": False, "verdict": "told"}


class _Tapped:
    """A connection with the Station's tap; what it saw is taken away, as the Station's thread does."""

    def __init__(self, stack: ExitStack) -> None:
        self._tap = watch.tap()
        self._side = Side(stack, PER_TURN, tap=self._tap)

    def slice(self) -> float:
        elapsed = self._side.slice()
        self._tap.take()
        return elapsed


class _Watched:
    """A connection that a page looks at, from a process of its own; ``clock``: whose time is taken."""

    def __init__(self, stack: ExitStack, clock: Callable[[], float]) -> None:
        tap = watch.tap()
        self._side = Side(stack, PER_TURN, tap=tap)
        shown = stack.enter_context(watch(self._side.room, tap, tell=lambda _: None))
        party = Path(__file__).parent / "page_party.py"
        page = Process("page", [sys.executable, str(party)], shown.url, {})
        stack.callback(page.close)
        self._clock = clock

    def slice(self) -> float:
        start = self._clock()
        self._side.slice()
        # What the Station's thread has to do of it is part of it.
        time.sleep(0.02)
        return self._clock() - start


class _Bare:
    """A connection without a tap, by the same clock."""

    def __init__(self, stack: ExitStack, clock: Callable[[], float]) -> None:
        self._side, self._clock = Side(stack, PER_TURN), clock

    def slice(self) -> float:
        start = self._clock()
        self._side.slice()
        time.sleep(0.02)
        return self._clock() - start


CASES: tuple[tuple[str, Callable[[ExitStack], tuple[Any, Any]]], ...] = (
    ("a connection with its tap, no page", lambda stack: (_Tapped(stack), Side(stack, PER_TURN))),
    (
        "watch() and a page: the room's thread",
        lambda stack: (_Watched(stack, time.thread_time), _Bare(stack, time.thread_time)),
    ),
    (
        "watch() and a page: all threads",
        lambda stack: (_Watched(stack, time.process_time), _Bare(stack, time.process_time)),
    ),
)


def _round(one: Any, other: Any) -> tuple[float, float]:
    """Seconds a packet of both, slice by slice in turn."""
    pairs = [(one.slice(), other.slice()) for _ in range(SLICES)]
    return sum(mine for mine, _ in pairs) / BATCH, sum(theirs for _, theirs in pairs) / BATCH


def _tap_alone() -> float:
    """Microseconds of a packet in the tap."""
    tap, who = watch.tap(), PeerId(f"0x{0:040x}")
    start = time.thread_time()
    for number in range(PACKETS):
        tap.received(number / 1_000, "island", who, DATA, **HOW)
    elapsed = time.thread_time() - start
    assert len(tap.take()) == PACKETS
    return elapsed / PACKETS * 1e6


def tap_rows(only: str) -> Iterator[Row]:
    """A row for each case that has this text in it."""
    if only in (case := "its tap: a packet, in the room's loop"):
        _tap_alone()
        yield bounded(case, "us/packet", [_tap_alone() for _ in range(ROUNDS)], 5.0)
    for case, sides in CASES:
        if only in case:
            with ExitStack() as stack:
                one, other = sides(stack)
                _round(one, other)  # what is done once
                pairs = [_round(one, other) for _ in range(ROUNDS)]
            yield compared(case, "no tap", pairs)
