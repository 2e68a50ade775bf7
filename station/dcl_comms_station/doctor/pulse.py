"""The stages with Pulse, where a realm or ``--pulse`` leads to one: its first word, who we are, and who is near.

They stand beside the other stages: Pulse and the island service are asked at the same time, so each says how long its
own step took, by what a tap of the connection sees.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

from dcl_comms_core.commands import OpenDatagrams
from dcl_comms_core.events import PeerJoined, RoomClosed, RoomOpened, SignatureNeeded
from dcl_comms_core.inputs import DatagramRefused, DatagramsOpened
from dcl_comms_core.states import CloseReason
from dcl_comms_core.tap import QuietTap
from dcl_comms_station.clean import clean, short
from dcl_comms_station.doctor.findings import Good, Problem, Skipped, Trial
from dcl_comms_station.exits import CLOSE_EXITS, Exit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dcl_comms_core.commands import Command
    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import Input
    from dcl_comms_core.peers import PeerId

__all__ = ["PULSE", "PulseVisit"]

PULSE: Final = "pulse"
"""What stands in ``Event.room`` of its events."""
_NEARBY_SECONDS: Final = 2.0
"""Longer than the service takes to tell of those who are there."""
_WITHOUT: Final = "--pulse none goes without, and on no island where Pulse forms them"
_BLOCKED: Final = (
    "let UDP to this host and port pass the firewalls of this machine, its network and the service, or try another "
    f"network; {_WITHOUT}"
)
_NOBODY_LISTENS: Final = (
    "the machine is there and says that no service is at this port: check host and port (--pulse HOST:PORT names "
    f"another), or ask those who run it; {_WITHOUT}"
)
_NO_SUCH_HOST: Final = f"see the text; --pulse HOST:PORT names another host; {_WITHOUT}"
_SILENT: Final = f"it takes connections, and does not answer to who we are: try again later; {_WITHOUT}"
_ADVICE: Final = {
    CloseReason.AUTHENTICATION: "Pulse does not take our login: set this machine's clock, or try another wallet "
    f"(--wallet); {_WITHOUT}",
    CloseReason.BANNED: f"this wallet is banned from Pulse: ask those who run it, or use another wallet; {_WITHOUT}",
    CloseReason.DUPLICATE_IDENTITY: "the same wallet connected to Pulse elsewhere, with an explorer for one: end that, "
    "or use another wallet",
    CloseReason.ROOM_FULL: f"it is full: try again in a minute; {_WITHOUT}",
    CloseReason.THROTTLED: "too many connections of our address, ten players and two listeners at most, or too much at "
    f"once: end others, wait five minutes; {_WITHOUT}",
    CloseReason.SERVER_SHUTDOWN: f"it is being restarted: try again in a minute; {_WITHOUT}",
    CloseReason.TIMEOUT: _SILENT,
    CloseReason.NETWORK: f"the way there breaks off: see whether UDP passes for longer than a moment; {_WITHOUT}",
    CloseReason.FORBIDDEN: "the realm names an address that its clients must not use: tell those who run it; --pulse "
    "HOST:PORT names another",
    CloseReason.SIGNING_REFUSED: "the realm's Pulse is on another host, and is not told who we are: name it yourself "
    "(--pulse HOST:PORT) if you trust it",
}
_OTHERWISE: Final = f"see the text, and try again later; {_WITHOUT}"
_Found = TypeVar("_Found")


class PulseVisit(QuietTap):
    """A connection's tap, and the stages.

    ``turn`` lets the connection go on for a moment; False: it is over.  ``patience``: seconds that a stage may take.
    """

    def __init__(self, turn: Callable[[], Awaitable[bool]], patience: float) -> None:
        self._turn = turn
        self._patience = patience
        self._host = ""
        self._asked_at: float | None = None
        self._resolved = False
        self._refused = False
        self._connected_at: float | None = None
        self._opened_at: float | None = None
        self._first_at: float | None = None
        self._near: set[PeerId] = set()
        self._closed: RoomClosed | None = None

    @property
    def asked(self) -> bool:
        """Whether the realm, or the user, leads to one."""
        return self._asked_at is not None

    @property
    def there(self) -> bool:
        """Whether we are on it."""
        return self._opened_at is not None and self._closed is None

    def stages(self) -> list[Trial]:
        """Its stages; none where no Pulse is asked.  They end by themselves."""
        if not self.asked:
            return []
        return [
            Trial("pulse", self.connect, ("wallet",), is_limited=False),
            Trial("handshake", self.await_welcome, ("pulse",), is_limited=False),
            Trial("nearby", self.look_around, ("handshake",), is_limited=False),
        ]

    async def connect(self) -> Good:
        """ENet's connect: the first word of the service."""
        at = await self._await(lambda: self._connected_at)
        return Good(f"{clean(self._host, limit=120)} answers over UDP", seconds=_between(self._asked_at, at))

    async def await_welcome(self) -> Good:
        """Who we are, signed, and its yes."""
        at = await self._await(lambda: self._opened_at)
        return Good("it takes our login", seconds=_between(self._connected_at, at))

    async def look_around(self) -> Good:
        """The first state of somebody else.  That nobody is there is no fault."""
        seconds = min(_NEARBY_SECONDS, self._patience)
        at = await self._until(lambda: self._first_at, seconds)
        if at is None:
            return Good(f"nobody is near, within {seconds:g} s")
        somebody = short(str(next(iter(self._near))))
        return Good(f"{len(self._near)} near: {somebody}", seconds=_between(self._opened_at, at))

    async def _await(self, found: Callable[[], _Found | None]) -> _Found:
        # The session's own limits come first: they know what was waited for.
        thing = await self._until(found, 2 * self._patience)
        if thing is None:
            raise Problem(Exit.NETWORK, f"no answer within {2 * self._patience:g} s", _SILENT)
        return thing

    async def _until(self, found: Callable[[], _Found | None], seconds: float) -> _Found | None:
        """Wait until something is there; None: that took too long.

        Problem: Pulse is over, and it is not.  Skipped: all is over, for what a later stage says.
        """
        end = time.monotonic() + seconds
        while (thing := found()) is None:
            if self._closed is not None:
                raise self._problem(self._closed)
            if not await self._turn():
                raise Skipped("the stay in the realm ended before")
            if time.monotonic() >= end:
                return None
        return thing

    def _problem(self, closed: RoomClosed) -> Problem:
        detail = closed.reason.value + (f": {clean(closed.detail, limit=200)}" if closed.detail else "")
        return Problem(CLOSE_EXITS[closed.reason], detail, self._advice(closed.reason))

    def _advice(self, reason: CloseReason) -> str:
        if reason is not CloseReason.UNREACHABLE:
            return _ADVICE.get(reason, _OTHERWISE)
        if self._refused:
            return _NOBODY_LISTENS
        return _BLOCKED if self._resolved else _NO_SUCH_HOST

    # --- the tap

    def step(self, at: float, item: Input | Command | Event) -> None:
        """Note what happens to the connection with Pulse; nothing else in a realm has datagrams."""
        match item:
            case OpenDatagrams() if self._asked_at is None:
                self._asked_at = at
                self._host = f"{item.host}:{item.port}"
            case DatagramsOpened():
                self._resolved = True
            case DatagramRefused():
                self._refused = True
            case SignatureNeeded(room=room) if room == PULSE and self._connected_at is None:
                self._connected_at = at
            case RoomOpened(room=room) if room == PULSE:
                self._opened_at = at
            case RoomClosed(room=room) if room == PULSE:
                self._closed = item
            case PeerJoined(room=room) if room == PULSE:
                self._near.add(item.sender)
                self._first_at = at if self._first_at is None else self._first_at
            case _:
                pass


def _between(start: float | None, end: float) -> float | None:
    return None if start is None else max(end - start, 0.0)
