"""Sessions and a server's twin in one process: their frames on a virtual clock, one latency each way."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from rigs.core.chains import NOW, identity

from dcl_comms_core import (
    ArchipelagoServer,
    ClockSet,
    CloseReason,
    CloseSocket,
    FrameReceived,
    LinkRef,
    OpenSocket,
    Place,
    SendAcknowledged,
    SendFrame,
    SignatureNeeded,
    SocketClosed,
    SocketOpened,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core import AuthIdentity, WsRoomServer

LATENCY = 0.01


class Party:
    """One session and its socket."""

    def __init__(self, pipe: Pipe, session: Any, who: AuthIdentity) -> None:
        self.pipe = pipe
        self.session = session
        self.who = who
        self.events: list[Any] = []
        self.far: LinkRef | None = None
        """What the server calls its socket."""
        self.signs = True

    def take(self, *kinds: type) -> list[Any]:
        events, self.events = self.events, []
        return [event for event in events if not kinds or isinstance(event, kinds)]

    def drain(self) -> None:
        for command in self.session.commands():
            self.pipe.carry_out(self, command)
        events = self.session.events()
        self.events += events
        for event in events:
            if isinstance(event, SignatureNeeded) and self.signs:
                self.session.provide_signature(event.request, self.who.sign(event.payload), now=self.pipe.now)
        if events:
            self.drain()


class Pipe:
    """All of it."""

    def __init__(self, server: ArchipelagoServer | WsRoomServer) -> None:
        self.server = server
        self.now = 0.0
        self.parties: list[Party] = []
        self.due: list[tuple[float, int, Callable[[], None]]] = []
        self.count = 0
        self.near: dict[LinkRef, tuple[Party, LinkRef]] = {}
        """The server's name of a socket -> whose it is, and what it is called there."""
        self.up = True
        server.receive(ClockSet(unix_offset=NOW), now=0.0)

    def join(self, session: Any, who: AuthIdentity | None = None) -> Party:
        party = Party(self, session, who or identity())
        session.receive(ClockSet(unix_offset=NOW), now=self.now)
        self.parties.append(party)
        session.open(now=self.now)
        return party

    def later(self, what: Callable[[], None]) -> None:
        self.count += 1
        heappush(self.due, (self.now + LATENCY, self.count, what))

    def tell(self, party: Party, inp: Any) -> None:
        self.later(lambda: party.session.receive(inp, now=self.now))

    def carry_out(self, party: Party, command: Any) -> None:
        match command:
            case OpenSocket(link=link):
                self.count += 1
                far = LinkRef(self.count, 1)
                if not self.up:
                    self.tell(party, SocketClosed(link=link, reason=CloseReason.UNREACHABLE))
                    return
                party.far = far
                self.near[far] = party, link
                room = command.url.rpartition("/")[2]
                self.later(lambda: self.accept(far, room))
                self.tell(party, SocketOpened(link=link, place=Place.PUBLIC))
            case SendFrame(link=link, data=data, token=token):
                self.tell(party, SendAcknowledged(link=link, token=token))
                frame = FrameReceived(link=party.far or link, data=data)
                self.later(lambda: self.server.receive(frame, now=self.now))
            case CloseSocket(link=link):
                self.tell(party, SocketClosed(link=link, reason=CloseReason.CLIENT, code=1000))
                self.vanish(party)
            case _:
                raise AssertionError(command)

    def accept(self, far: LinkRef, room: str) -> None:
        if isinstance(self.server, ArchipelagoServer):
            self.server.accept(far, now=self.now)
        else:
            self.server.accept(far, room, now=self.now)

    def vanish(self, party: Party) -> None:
        """The server hears that a client's socket is over."""
        far = party.far
        if far is not None and self.near.pop(far, None) is not None:
            gone = SocketClosed(link=far, reason=CloseReason.NETWORK)
            self.later(lambda: self.server.receive(gone, now=self.now))

    def cut(self, party: Party) -> None:
        """The network drops a socket; both ends hear of it."""
        assert party.far is not None
        _, link = self.near[party.far]
        self.vanish(party)
        self.tell(party, SocketClosed(link=link, reason=CloseReason.NETWORK))

    def turn(self) -> None:
        """Everything that follows from what happened."""
        for party in self.parties:
            party.drain()
        for command in self.server.commands():
            near = self.near.get(command.link)  # type: ignore[union-attr]  # a server gives commands of sockets only
            if near is None:
                continue
            party, link = near
            match command:
                case SendFrame(data=data):
                    self.tell(party, FrameReceived(link=link, data=data))
                case CloseSocket(link=far):
                    del self.near[far]
                    self.tell(party, SocketClosed(link=link, reason=CloseReason.NETWORK, code=1005))
                case _:
                    raise AssertionError(command)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            self.turn()
            times = [time for party in self.parties if (time := party.session.deadline()) is not None]
            times += [self.due[0][0]] if self.due else []
            deadline = self.server.deadline()
            times += [] if deadline is None else [deadline]
            when = min(times, default=end)
            if when > end:
                break
            self.now = max(self.now, when)
            while self.due and self.due[0][0] <= self.now:
                heappop(self.due)[2]()
                self.turn()
            self.server.handle_timeout(self.now)
            for party in self.parties:
                party.session.handle_timeout(self.now)
            if when == end and not times:
                break
        self.now = end
