"""A movement source in memory: what a transport beside the rooms needs at least.

It meets its peers in a MemoryRoom of its own, so that a test has another network for movement than for the rest::

    merged = MergedRooms()
    merged.attach(MemorySource(merged.new_link()), now=0.0)

One for a real service differs in its adapter, in how it reads and writes the service's messages, and in that it comes
back by itself when it was lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core import events as ev
from dcl_comms_core.adapters.connection_string import SimulatorAdapter
from dcl_comms_core.codec import decode, kind_of
from dcl_comms_core.commands import CloseLink, OpenLink, SendData
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.identity.auth_chain import require_answer
from dcl_comms_core.inputs import (
    ClockSet,
    DataReceived,
    LinkClosed,
    LinkFailed,
    LinkOpened,
    LinkRef,
    ParticipantJoined,
    ParticipantLeft,
)
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.packets.readers import READERS, Unacceptable
from dcl_comms_core.peers import EVERYONE, Arrival, PeerId, addressees
from dcl_comms_core.states import RETRY, CloseReason
from dcl_comms_core.tools.clock import Clock

if TYPE_CHECKING:
    from dcl_comms_core.commands import Command
    from dcl_comms_core.identity.auth_chain import AuthChain
    from dcl_comms_core.inputs import Input
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.peers import Addressees
    from dcl_comms_core.proto import rfc4

__all__ = ["MemorySource"]

_TOLD: Final = frozenset({"movement", "player_emote", "profile_version"})
"""Kinds of packets."""


class MemorySource:
    """A MovementSource whose transport is a port of a MemoryRoom.

    It tells of movements, emotes and profile versions, and of nothing else.  ``payload``: what somebody has to sign
    before it joins, as services want it; None: nothing.
    """

    def __init__(
        self, link: int, *, room: str = "movement", payload: str | None = None, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self._link = LinkRef(link, 0)
        self._room = room
        self._payload = payload
        self._limits = limits
        self._peers: dict[PeerId, None] = {}
        self._open = False
        self._closed = False
        self._deadline: float | None = None
        self._sent = 0
        self._clock = Clock()
        self._commands: list[Command] = []
        self._events: list[ev.Event] = []
        self.realm: str | None = None
        """The realm that we are in, as far as it was told."""
        self.rejected = 0
        """Packets that it does not tell of."""

    @property
    def room(self) -> str:
        """The label in its events."""
        return self._room

    @property
    def link(self) -> LinkRef:
        """Its link, as its commands name it."""
        return self._link

    @property
    def sending(self) -> bool:
        """Whether packets are taken now."""
        return self._open

    def open(self, *, now: float | None = None) -> None:
        """Join the memory room, once what has to be signed is."""
        self._clock.pass_time(now)
        self._deadline = self._clock.now + self._limits.connect_seconds
        if self._payload is None:
            self._join()
        else:
            self._events.append(
                ev.SignatureNeeded(at=self._clock.now, room=self._room, payload=self._payload, request=1)
            )

    def _join(self) -> None:
        self._payload = None
        self._link = LinkRef(self._link.link, self._link.generation + 1)
        self._commands.append(OpenLink(link=self._link, adapter=SimulatorAdapter(self._room)))

    def provide_signature(self, request: int, chain: AuthChain, *, now: float | None = None) -> None:  # noqa: ARG002 - one
        """Take a signature, which a service would be shown."""
        self._clock.pass_time(now)
        if self._payload is not None and not self._closed:
            require_answer(chain, self._payload, unix_now=self._clock.unix_now())
            self._join()

    def refuse_signature(self, request: int, detail: str = "", *, now: float | None = None) -> None:  # noqa: ARG002 - one
        """Nobody will sign."""
        self._clock.pass_time(now)
        if self._payload is not None and not self._closed:
            self._over(CloseReason.NOT_SIGNED, detail)

    def set_realm(self, name: str | None, *, now: float | None = None) -> None:
        """Be in the realm of this name.  A service would show us those who are there too."""
        self._clock.pass_time(now)
        self.realm = name

    def close(self, *, drain: float | None = None, now: float | None = None) -> None:  # noqa: ARG002 - nothing waits
        """Leave it; nothing waits to be sent, so ``drain`` changes nothing."""
        self._clock.pass_time(now)
        if not self._closed:
            self._give_up(CloseReason.CLIENT)

    def send_bytes(
        self,
        data: bytes,
        *,
        to: Addressees = EVERYONE,
        reliable: bool = True,
        topic: str = "",
        now: float | None = None,
    ) -> None:
        """Send an encoded Packet."""
        self._clock.pass_time(now)
        self._sent += 1
        self._commands.append(
            SendData(link=self._link, token=self._sent, data=data, to=addressees(to), reliable=reliable, topic=topic)
        )

    def receive(self, inp: Input, *, now: float) -> None:
        """Take what the port tells."""
        self._clock.pass_time(now)
        if self._closed:
            return
        match inp:
            case LinkOpened():
                self._open = True
                self._deadline = None
                me = PeerId(inp.identity)
                self._events.append(
                    ev.RoomOpened(at=self._clock.now, room=self._room, identity=me, name=inp.room, sid=inp.sid)
                )
                for participant in inp.participants:
                    self._joined(participant.identity, Arrival.WAS_HERE)
            case ParticipantJoined():
                self._joined(inp.participant.identity)
            case ParticipantLeft():
                who = PeerId(inp.identity)
                if who in self._peers:
                    del self._peers[who]
                    self._events.append(ev.PeerLeft(at=self._clock.now, room=self._room, sender=who))
            case DataReceived():
                self._heard(inp)
            case LinkFailed() | LinkClosed():
                self._over(inp.reason, inp.detail)
            case ClockSet():
                self._clock.set_unix(inp.unix_offset)
            case _:
                pass  # acknowledgements: nothing here depends on them

    def handle_timeout(self, now: float) -> None:
        """Give up a room that does not let us in."""
        self._clock.pass_time(now)
        if self._deadline is not None and self._clock.now >= self._deadline:
            self._give_up(CloseReason.TIMEOUT)

    def deadline(self) -> float | None:
        """When to give up."""
        return self._deadline

    def commands(self) -> list[Command]:
        """Take everything that the port is to do."""
        commands, self._commands = self._commands, []
        return commands

    def events(self) -> list[ev.Event]:
        """Take everything that happened."""
        events, self._events = self._events, []
        return events

    def _joined(self, identity: str, arrival: Arrival = Arrival.NEW) -> None:
        who = PeerId(identity)
        if who not in self._peers and len(self._peers) < self._limits.peers:
            self._peers[who] = None
            joined = ev.PeerJoined(at=self._clock.now, room=self._room, sender=who, arrival=arrival)
            self._events.append(joined)

    def _heard(self, inp: DataReceived) -> None:
        try:
            packet = decode(inp.data, limits=self._limits)
        except DecodeError:
            packet = None
        event = None if packet is None or not inp.sender else self._told(PeerId(inp.sender), packet)
        if event is None:
            self.rejected += 1
        else:
            event.size = len(inp.data)
            self._events.append(event)

    def _told(self, who: PeerId, packet: rfc4.Packet) -> ev.PacketEvent | None:
        kind = kind_of(packet)
        if kind not in _TOLD:
            return None
        try:
            return READERS[kind](self._clock.now, self._room, who, False, "", getattr(packet, kind))
        except Unacceptable:
            return None

    def _give_up(self, reason: CloseReason) -> None:
        if self._link.generation:
            self._commands.append(CloseLink(link=self._link))
        self._over(reason, "")

    def _over(self, reason: CloseReason, detail: str) -> None:
        self._open = False
        self._closed = True
        self._deadline = None
        self._events.append(
            ev.RoomClosed(at=self._clock.now, room=self._room, reason=reason, retry=RETRY[reason], detail=detail)
        )
