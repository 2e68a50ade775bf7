"""Whoever waits has a deadline: sessions of any kind, held against the tables of what bounds each of their states."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from dcl_comms_core import (
    ARCHIPELAGO_WAITS,
    ROOM_WAITS,
    STAGE_WAITS,
    STAY_WAITS,
    WAY_WAITS,
    WORLD_WAITS,
    ArchipelagoSession,
    Backoff,
    Limits,
    Timer,
    WorldSession,
    WsRoomSession,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

STAGED = (ArchipelagoSession, WsRoomSession)


class Machine(NamedTuple):
    """One machine of a session, as the session shows it."""

    name: str
    state: Any
    bounds: Mapping[Any, Any]
    timers: Callable[[], Mapping[Timer, float]]
    """Asked of who waits only: this is looked at all the time."""


def machines(session: Any) -> Iterator[Machine]:
    """All machines of a session, those of its rooms too."""
    session = getattr(session, "session", session)  # what a journal records
    if isinstance(session, WorldSession):
        yield Machine("world", session.state, WORLD_WAITS, lambda: session.timers)
        for role, standing in session.standing.items():
            timers = partial(getattr, standing, "timers")
            yield Machine(f"{role}'s stay", standing.stay, STAY_WAITS, timers)
            yield Machine(f"{role}'s way", standing.way, WAY_WAITS, timers)
        for room in session.rooms.values():
            yield from machines(room)
        return
    name = f"{session.room} {session.link.link}" if hasattr(session, "link") else session.room
    bounds = ARCHIPELAGO_WAITS if isinstance(session, ArchipelagoSession) else ROOM_WAITS
    yield Machine(name, session.state, bounds, lambda: session.timers)
    if isinstance(session, STAGED):
        yield Machine(f"{name}'s handshake", session.stage, STAGE_WAITS, lambda: session.timers)


def check(session: Any) -> list[Machine]:
    """Each machine that waits has a timer of those that the tables name, and the session a deadline no later."""
    found = list(machines(session))
    deadline = session.deadline()
    for name, state, bounds, ask in found:
        bound = bounds[state]
        if isinstance(bound, str):
            continue
        timers = ask()
        due = [timers[timer] for timer in bound if timer in timers]
        assert due, f"{name} waits in {state} with {dict(timers)}"
        assert deadline is not None, f"{name} waits in {state} without a deadline"
        assert deadline <= min(due), (name, state)
    return found


def longest(timer: Timer, limits: Limits, backoff: Backoff | None, drain: float) -> float:
    """How long a timer may run at the most, in seconds."""
    pauses = Backoff() if backoff is None else backoff
    pause = pauses.maximum * (1.0 + pauses.jitter)
    return {
        Timer.CONNECT: limits.connect_seconds,
        Timer.REPAIR: limits.repair_seconds,
        Timer.RETRY: pause,
        Timer.CLOSE: max(drain, limits.call_off_seconds) + limits.close_seconds,
        Timer.STAGE: max(limits.connect_seconds, limits.archipelago_stage_seconds, limits.ws_room_stage_seconds),
        Timer.REQUEST: max(limits.request_seconds, limits.request_sign_seconds),
        Timer.SEEK: max(pause, limits.retry_after_seconds),
        Timer.ENTER: max(limits.enter_seconds, limits.seek_seconds),
    }[timer]


class Watch:
    """Sees to it that no machine of a session waits in one state for longer than its timers may run."""

    def __init__(
        self, limits: Limits | None = None, backoff: Backoff | None = None, drain: float | None = None
    ) -> None:
        self._limits = Limits() if limits is None else limits
        self._backoff = backoff
        self._drain = self._limits.drain_seconds if drain is None else drain
        self._since: dict[str, tuple[Any, float]] = {}

    def look(self, session: Any, now: float, *, news: bool) -> None:
        """``news``: it told something since the last look."""
        before, self._since = self._since, {}
        for name, state, bounds, _ in check(session):
            known = before.get(name)
            since = now if news or known is None or known[0] is not state else known[1]
            self._since[name] = state, since
            bound = bounds[state]
            if not isinstance(bound, str):
                most = max(longest(timer, self._limits, self._backoff, self._drain) for timer in bound)
                assert now - since <= most + 0.001, f"{name} has been {state} for {now - since} s"
