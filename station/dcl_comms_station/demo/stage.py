"""The stage: three threads with a loop each, a curtain, a verdict."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Final, cast

from dcl_comms_station.clean import clean
from dcl_comms_station.demo import on_asyncio, on_polled, on_trio
from dcl_comms_station.demo.part import Part
from dcl_comms_station.demo.script import CAST
from dcl_comms_station.demo.transcript import Transcript
from dcl_comms_station.demo.venue import find_venue
from dcl_comms_station.demo.verdict import judge, table
from dcl_comms_station.exits import Interrupted
from dcl_comms_station.loops import signals_interrupt
from dcl_comms_station.terminal import put

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dcl_comms_station.demo.venue import Ticket, Venue

__all__ = ["perform"]

PLAYERS: Final = {"Ada": on_asyncio.play, "Tro": on_trio.play, "Eve": on_polled.play}
_LEAVING_SECONDS: Final = 15.0
_GLANCE_SECONDS: Final = 0.1


def perform(*, memory: bool, seconds: float, build: bool = False, write: Callable[[str], object] = put) -> bool:
    """Play, write transcript and verdict; True: every check passed.

    ``seconds`` bounds the play, not the start of a server, which ``build`` makes if there is none.  Interrupted: a
    signal ended it.
    """
    with signals_interrupt() as seen:
        try:
            with find_venue(memory=memory, build=build) as venue:
                return _perform(venue, seconds, Transcript(write))
        except KeyboardInterrupt:
            raise Interrupted(seen[0] if seen else signal.SIGINT) from None


def _perform(venue: Venue, seconds: float, transcript: Transcript) -> bool:
    identities = {name: ticket.identity for name, ticket in venue.tickets.items()}
    parts = [Part(role, identities, transcript, sound=venue.sound, whispers=venue.whispers) for role in CAST]
    for line in venue.news:
        transcript.plain(line)
    transcript.plain(", ".join(f"{role.name} is on {role.loop}" for role in CAST) + ".")
    transcript.plain()
    crashed = _play(parts, venue.tickets, seconds, transcript)
    transcript.plain()
    checks = judge(parts, islands=venue.islands, whispers=venue.whispers, sound=venue.sound)
    for line in table(parts, checks):
        transcript.plain(line)
    passed = not crashed and all(check.passed for check in checks)
    transcript.plain()
    transcript.plain("All is well." if passed else "Something is wrong: see above.")
    return passed


def _play(parts: list[Part], tickets: Mapping[str, Ticket], seconds: float, transcript: Transcript) -> bool:
    """Let each part play in a thread of its own; True: one of them failed to.

    Ends within ``seconds`` and the time to leave.
    """
    curtain = threading.Event()
    failures: list[str] = []

    def play(part: Part) -> None:
        name = part.role.name
        try:
            PLAYERS[name](tickets[name], part, curtain)
        except Exception as error:  # noqa: BLE001 - a thread's exception must not get lost: it fails the demo
            failures.append(name)
            for cause in _causes(error):
                transcript.note(name, f"fails: {type(cause).__name__}: {clean(str(cause), limit=300)}")

    # Daemons, so that not even a loop that hangs could keep the process.
    threads = [threading.Thread(target=play, args=(part,), name=part.role.name, daemon=True) for part in parts]
    end = time.monotonic() + seconds
    try:
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads) and time.monotonic() < end:
            time.sleep(_GLANCE_SECONDS)
    finally:
        # Also on Ctrl-C: they leave their rooms before the server goes.
        if any(thread.is_alive() for thread in threads):
            transcript.plain(f"The curtain falls: not everything came within {seconds:g} s, or we were interrupted.")
        curtain.set()
        end = time.monotonic() + _LEAVING_SECONDS
        for thread in threads:
            if thread.ident is not None:
                thread.join(max(end - time.monotonic(), 0.0))
    stuck = [thread.name for thread in threads if thread.is_alive()]
    for name in stuck:
        transcript.note(name, f"does not end within {_LEAVING_SECONDS:g} s")
    return bool(failures or stuck)


def _causes(error: Exception) -> Iterator[Exception]:
    """What is in a group, and in the groups in it."""
    if isinstance(error, ExceptionGroup):
        for inner in cast("ExceptionGroup[Exception]", error).exceptions:
            yield from _causes(inner)
    else:
        yield error
