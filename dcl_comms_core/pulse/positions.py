"""Everybody's position in a realm, asked for by HTTP: a small movement source where Pulse itself is not wanted.

The service that counts who is where answers without a login and without any transport: who is in a realm and where,
anew once a second; without directions, speeds or emotes.  Nobody learns of us by it, and no island comes of it.
An answer that is not what it should be is a Warning and a longer pause, never an end.
"""

from __future__ import annotations

from collections import Counter
from math import isfinite
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import quote

from dcl_comms_core import events as ev
from dcl_comms_core.commands import CancelFetch, Fetch
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.inputs import Fetched, FetchFailed, LinkRef
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.packets.conventions import LARGEST_FLOAT
from dcl_comms_core.peers import EVERYONE, Arrival, PeerId
from dcl_comms_core.proto import rfc4
from dcl_comms_core.states import CloseReason, Retry, Timer
from dcl_comms_core.tools.arguments import are_finite
from dcl_comms_core.tools.clock import Clock
from dcl_comms_core.tools.json_text import json_object
from dcl_comms_core.tools.timers import Timers
from dcl_comms_core.tools.urls import request_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_core.commands import Command
    from dcl_comms_core.inputs import Input
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.peers import Addressees

__all__ = ["POSITIONS_URL", "PositionsByHttp"]

POSITIONS_URL: Final = "https://archipelago-ea-stats.decentraland.org"
"""The Foundation's."""
_LONGEST_ANSWER: Final = 4_194_304
_NESTING: Final = 8
_LONGEST_NAME: Final = 255
_LONGEST_WALLET: Final = 128
_AXES: Final = 3
_OK: Final = 200
_LONGEST_PAUSE: Final = 60.0


class PositionsByHttp:
    """A MovementSource: ``merged.attach(PositionsByHttp(link=merged.new_link()))``, or of a WorldSession ``movement=``.

    ``url``: the service's.  ``every``: seconds between two questions; the service knows nothing newer within one.
    PeerJoined, PeerMoved (of the kind POSITION, where somebody moved) and PeerLeft, of Limits.peers at a time.
    """

    def __init__(
        self,
        url: str = POSITIONS_URL,
        *,
        link: int = 1,
        room: str = "positions",
        every: float = 1.0,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        if not are_finite((every,), 1) or every < 1.0:
            msg = "every is a number of seconds from 1: the service knows nothing newer"
            raise LocalProtocolError(msg)
        self._url = request_url(url).rstrip("/")
        self._link = LinkRef(link, 0)
        self._room = room
        self._every = every
        self._limits = limits
        self._clock = Clock()
        self._timers = Timers()
        self._realm = ""
        self._open = False
        self._closed = False
        self._told_open = False
        self._listed = False
        """Was there an answer of this realm?"""
        self._in_trouble = 0
        """How many answers in a row were none."""
        self._full = False
        self._asked: str | None = None
        """Of which realm an answer is awaited."""
        self._there: dict[str, tuple[PeerId, tuple[float, float, float]]] = {}
        self._commands: list[Command] = []
        self._events: list[ev.Event] = []
        self.counters: Counter[str] = Counter()
        """How often: answers, failed (no or odd answers), odd (entries that can't be read), late (answers)."""

    @property
    def room(self) -> str:
        """The label in its events."""
        return self._room

    @property
    def link(self) -> LinkRef:
        """Its link, as its commands name it now."""
        return self._link

    @property
    def sending(self) -> bool:
        """Never: we are not told of."""
        return False

    # --- intents

    def open(self, *, now: float | None = None) -> None:
        """Begin; RoomOpened follows the first answer."""
        self._clock.pass_time(now)
        if self._open or self._closed:
            msg = "positions are asked for already, or no more: make another PositionsByHttp"
            raise LocalProtocolError(msg)
        self._open = True
        self._ask()

    def close(self, *, drain: float | None = None, now: float | None = None) -> None:  # noqa: ARG002 - nothing waits
        """End; RoomClosed(CLIENT) follows at once."""
        self._clock.pass_time(now)
        if self._closed:
            return
        self._open, self._closed = False, True
        self._cancel()
        self._timers.clear()
        self._there.clear()
        at = self._clock.now
        self._tell(ev.RoomClosed(at=at, room=self._room, reason=CloseReason.CLIENT, retry=Retry.NEVER, detail=""))

    def set_realm(self, name: str | None, *, now: float | None = None) -> None:
        """Ask for those of this realm; None: for nobody."""
        self._clock.pass_time(now)
        realm = "" if name is None or len(name) > _LONGEST_NAME else name.lower()
        if realm == self._realm:
            return
        self._realm = realm
        self._cancel()
        self._leave(set(self._there))
        self._listed = False
        if self._open:
            self._ask()

    def send_bytes(
        self,
        data: bytes,
        *,
        to: Addressees = EVERYONE,
        reliable: bool = True,
        topic: str = "",
        now: float | None = None,
    ) -> None:
        """Nothing is told of us here."""

    # --- time and inputs

    def deadline(self) -> float | None:
        """When to ask again, or to give up the answer."""
        return self._timers.deadline

    @property
    def timers(self) -> Mapping[Timer, float]:
        """Every timer that runs, and when it is due."""
        return self._timers.due()

    def handle_timeout(self, now: float) -> None:
        """Let time pass."""
        self._clock.pass_time(now)
        timer = self._timers.pop_due(self._clock.now)
        if timer is Timer.RETRY:
            self._ask()
        elif timer is Timer.REQUEST:
            self._cancel()
            self._failed("no answer in time")

    def receive(self, inp: Input, *, now: float) -> None:
        """Take the answer to its request; everything else is none of its business."""
        self._clock.pass_time(now)
        if not isinstance(inp, Fetched | FetchFailed):
            return
        if inp.link != self._link or self._asked is None:
            self.counters["late"] += 1
            return
        self._asked = None
        self._timers.clear()
        if isinstance(inp, FetchFailed):
            self._failed(inp.detail or inp.reason.value)
        elif inp.status != _OK:
            self._failed(f"it answers with status {inp.status}")
        else:
            self._answer(inp.body)

    # --- the answers

    def _answer(self, body: bytes) -> None:
        document = json_object(body, _LONGEST_ANSWER, _NESTING)
        peers = None if document is None or document.get("ok") is False else document.get("peers")
        if not isinstance(peers, list):
            self._failed("its answer is not a list of peers")
            return
        self.counters["answers"] += 1
        self._in_trouble = 0
        if not self._told_open:
            self._told_open = True
            nobody = PeerId("")
            self._tell(ev.RoomOpened(at=self._clock.now, room=self._room, identity=nobody, name=self._realm, sid=""))
        self._compare(cast("list[object]", peers))
        self._listed = True
        self._timers.arm(Timer.RETRY, self._clock.now + self._every)

    def _compare(self, peers: list[object]) -> None:
        """What is other than it was."""
        seen: set[str] = set()
        most = self._limits.peers
        gone = set(self._there)
        found: list[tuple[str, tuple[float, float, float]]] = []
        for entry in peers:
            read = _read(entry)
            if read is None:
                self.counters["odd"] += 1
            elif read[0] not in seen:
                seen.add(read[0])
                gone.discard(read[0])
                found.append(read)
        self._leave(gone)
        for wallet, place in found:
            known = self._there.get(wallet)
            if known is None and len(self._there) >= most:
                if not self._full:
                    self._full = True
                    self._tell(ev.LimitReached(at=self._clock.now, room=self._room, limit="peers", value=most))
                continue
            who = PeerId(wallet) if known is None else known[0]
            if known is None:
                arrival = Arrival.NEW if self._listed else Arrival.WAS_HERE
                self._tell(ev.PeerJoined(at=self._clock.now, room=self._room, sender=who, arrival=arrival))
            if known is None or known[1] != place:
                self._there[wallet] = who, place
                self._moved(who, place)
        self._full = self._full and len(self._there) >= most

    def _leave(self, gone: set[str]) -> None:
        for wallet in [wallet for wallet in self._there if wallet in gone]:
            who, _ = self._there.pop(wallet)
            self._tell(ev.PeerLeft(at=self._clock.now, room=self._room, sender=who))

    def _moved(self, who: PeerId, place: tuple[float, float, float]) -> None:
        x, y, z = place
        moved = ev.PeerMoved(
            at=self._clock.now,
            room=self._room,
            sender=who,
            private=False,
            position=ev.Vector3(x, y, z),
            velocity=ev.Vector3(0.0, 0.0, 0.0),
            yaw=0.0,
            kind=ev.MovementKind.POSITION,
            message=rfc4.Position(position_x=x, position_y=y, position_z=z, rotation_w=1.0),
        )
        self._tell(moved)

    def _failed(self, why: str) -> None:
        """No answer, or none that can be used."""
        self.counters["failed"] += 1
        self._in_trouble += 1
        if self._in_trouble == 1:
            text = f"positions of {self._realm!r} are not told: {why}; it is tried again"
            code = ev.WarningCode.SOURCE_UNREACHABLE
            self._tell(ev.Warning(at=self._clock.now, room=self._room, code=code, text=text))
        pause = min(self._every * 2.0 ** min(self._in_trouble, 16), max(_LONGEST_PAUSE, self._every))
        self._timers.arm(Timer.RETRY, self._clock.now + pause)

    def _ask(self) -> None:
        if not self._realm:
            return
        self._asked = self._realm
        self._link = LinkRef(self._link.link, self._link.generation + 1)
        url = f"{self._url}/realms/{quote(self._realm, safe='', errors='replace')}/peers"
        self._commands.append(Fetch(link=self._link, url=url, max_bytes=_LONGEST_ANSWER))
        self._timers.clear()
        self._timers.arm(Timer.REQUEST, self._clock.now + self._limits.request_seconds)

    def _cancel(self) -> None:
        self._timers.clear()
        if self._asked is not None:
            self._asked = None
            self._commands.append(CancelFetch(link=self._link))

    # --- output

    def commands(self) -> list[Command]:
        """Take everything that its transport is to do, in order."""
        commands, self._commands = self._commands, []
        return commands

    def events(self) -> list[ev.Event]:
        """Take everything that happened, in order."""
        events, self._events = self._events, []
        return events

    def _tell(self, event: ev.Event) -> None:
        self._events.append(event)


def _read(entry: object) -> tuple[str, tuple[float, float, float]] | None:
    """Who and where; None: it does not say."""
    if not isinstance(entry, dict):
        return None
    told = cast("dict[str, object]", entry)
    wallet, place = told.get("address", told.get("id")), told.get("position")
    if not isinstance(wallet, str) or not 0 < len(wallet) <= _LONGEST_WALLET or not isinstance(place, list):
        return None
    axes = cast("list[object]", place)
    numbers = [float(one) for one in axes if isinstance(one, int | float) and not isinstance(one, bool) and _fits(one)]
    if len(axes) != _AXES or len(numbers) != _AXES:
        return None
    x, y, z = numbers
    return wallet.lower(), (x, y, z)


def _fits(number: float) -> bool:
    return abs(number) <= LARGEST_FLOAT and isfinite(number)
