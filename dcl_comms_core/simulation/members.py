"""Who is in a memory room: a participant's session at the server, and its client's end."""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Protocol

from dcl_comms_core.commands import CloseLink, OpenDatagrams, OpenLink
from dcl_comms_core.inputs import DatagramsClosed, LinkClosed, Participant
from dcl_comms_core.states import CloseReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.commands import Command, PublishMicrophone, SendData, SetAttributes
    from dcl_comms_core.inputs import LinkInput, LinkRef, Track

    Held = SendData | SetAttributes | PublishMicrophone

__all__ = ["Channel", "Deferred", "Member", "MemoryPort", "Server"]


class Server(Protocol):
    """What a port asks of its room."""

    def join(self, port: MemoryPort, link: LinkRef, now: float) -> None:
        """Let it in, soon."""
        ...

    def leave(self, member: Member, reason: CloseReason, now: float) -> None:
        """It is out."""
        ...

    def carry_out(self, member: Member, command: Command, now: float) -> None:
        """What it asks for."""
        ...

    def next_number(self) -> int:
        """What comes first where two are due at one time."""
        ...


class Member:
    """One participant's session in the room."""

    __slots__ = (
        "cut_at",
        "identity",
        "inbox",
        "known",
        "link",
        "noticed",
        "offered",
        "outbox",
        "port",
        "sequence",
        "sid",
        "told_at",
        "tracks",
    )

    def __init__(self, port: MemoryPort, link: LinkRef, identity: str, sid: str) -> None:
        self.port = port
        self.link = link
        self.identity = identity
        self.sid = sid
        self.known: dict[str, str] = {}
        """Session id -> identity of the participants that this one has been told of."""
        self.tracks: dict[str, str] = {}
        """Ids of the tracks that it has been told of -> session ids of those whose they are."""
        self.inbox: dict[str, Channel] = {}
        """Reliable packets on their way to it, by session id of the sender."""
        self.outbox: list[Held] = []
        """What its client holds back until the server can be reached."""
        self.cut_at: float | None = None
        self.noticed = False
        """Does its client know that it is cut off?"""
        self.offered: dict[str, Track] = {}
        """Its own tracks by their names."""
        self.sequence = 0
        self.told_at = 0.0
        """When the last news of others is due: it comes in order, so what follows is not earlier."""

    @property
    def participant(self) -> Participant:
        """As others are told of it."""
        return Participant(identity=self.identity, sid=self.sid)


class Channel:
    """Reliable packets from one participant to another: they arrive in order, each once, however long it takes."""

    __slots__ = ("last", "packets", "sender", "to")

    def __init__(self, sender: Member, to: Member) -> None:
        self.sender = sender
        self.to = to
        self.packets: deque[SendData] = deque()
        self.last = 0.0
        """When the last of them is due."""


class Deferred:
    """Something that the room does at a time, at a port's request."""

    __slots__ = ("run",)

    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run


class MemoryPort:
    """One client's end of the memory room: commands go in, inputs come out when they are due."""

    __slots__ = ("_due", "_opening", "cut", "identity", "member", "on_schedule", "room")

    def __init__(self, room: Server, identity: str) -> None:
        self.room = room
        self.identity = identity
        self.member: Member | None = None
        self.cut = False
        """Is it cut off from the server?"""
        self._opening: LinkRef | None = None
        self._due: list[tuple[float, int, LinkInput | DatagramsClosed | Deferred]] = []
        self.on_schedule: Callable[[], None] | None = None
        """Called when something was scheduled: for a driver whose clients run apart from each other."""

    def deadline(self) -> float | None:
        """When the next input is due; None: nothing is on its way."""
        return self._due[0][0] if self._due else None

    def inputs(self, now: float, limit: int | None = None) -> list[LinkInput | DatagramsClosed]:
        """Take the inputs that are due, at most ``limit`` of them."""
        taken: list[LinkInput | DatagramsClosed] = []
        while self._due and self._due[0][0] <= now and (limit is None or len(taken) < limit):
            item = heappop(self._due)[2]
            if isinstance(item, Deferred):
                item.run()
            else:
                taken.append(item)
        return taken

    def execute(self, command: Command, *, now: float) -> None:
        """Carry out a session's command."""
        if isinstance(command, OpenLink):
            self._opening = command.link
            self.room.join(self, command.link, now)
            return
        if isinstance(command, OpenDatagrams):
            detail = "there are no datagrams in memory"
            self.schedule(now, DatagramsClosed(link=command.link, reason=CloseReason.UNREACHABLE, detail=detail))
            return
        member = self.member
        if isinstance(command, CloseLink):
            if member is not None and member.link == command.link:
                self.room.leave(member, CloseReason.CLIENT, now)
            elif self._opening == command.link:
                self._opening = None
                self.schedule(now, LinkClosed(link=command.link, reason=CloseReason.CLIENT))
        elif member is not None and member.link == command.link:
            self.room.carry_out(member, command, now)

    def is_opening(self, link: LinkRef) -> bool:
        """Whether this link was asked for and not given up since."""
        return self._opening == link

    def answered(self, member: Member | None) -> None:
        """The room let us in, or not."""
        self._opening = None
        self.member = member

    def abandon(self, now: float) -> None:
        """Vanish: the program that held this port ended."""
        self._opening = None
        if self.member is not None:
            self.room.leave(self.member, CloseReason.CLIENT, now)
        self._due.clear()

    def schedule(self, when: float, item: LinkInput | DatagramsClosed | Deferred) -> None:
        """Put something on its way to this port."""
        heappush(self._due, (when, self.room.next_number(), item))
        if self.on_schedule is not None:
            self.on_schedule()
