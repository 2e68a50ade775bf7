"""The in-memory room: a whole comms server as a seeded, pure simulation.

It speaks the vocabulary of a transport: give a port the commands of a session, take the inputs that are due.  What it
does on its way is what a LiveKit room does, as measured: packets in order and never lost when reliable; latency, loss,
duplication and reordering when lossy; a participant that did nothing to make itself known is announced in batches,
up to ``announce_every`` seconds late, and until then its packets carry no sender; one identity has one session, the
newer one; identities are compared as they are written, and unknown addressees get nothing.

The same seed and the same calls give the same inputs at the same times.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

from dcl_comms_core.commands import (
    CloseLink,
    Command,
    OpenDatagrams,
    OpenLink,
    PublishMicrophone,
    SendData,
    SetAttributes,
    SubscribeTrack,
)
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.inputs import (
    CommandCompleted,
    DatagramsClosed,
    DataReceived,
    LinkClosed,
    LinkFailed,
    LinkInput,
    LinkOpened,
    LinkReconnected,
    LinkReconnecting,
    LinkRef,
    Participant,
    ParticipantJoined,
    ParticipantLeft,
    SendAcknowledged,
    Track,
    TrackAppeared,
    TrackKind,
    TrackSource,
)
from dcl_comms_core.packets.envelope import LIVEKIT_MAX_PACKET, livekit_packet_size
from dcl_comms_core.simulation.settings import Faults
from dcl_comms_core.states import CloseReason
from dcl_comms_core.tools.prng import Prng

if TYPE_CHECKING:
    from collections.abc import Callable

    _Held = SendData | SetAttributes | PublishMicrophone

__all__ = ["MemoryPort", "MemoryRoom"]

_REORDER_STEPS: Final = 3.0
"""A reordered packet is held back by up to this many latencies."""


class _Member:
    """One participant's session in the room."""

    __slots__ = (
        "cut_at",
        "identity",
        "inbox",
        "known",
        "link",
        "noticed",
        "outbox",
        "port",
        "sequence",
        "sid",
        "told_at",
        "track",
        "tracks",
    )

    def __init__(self, port: MemoryPort, link: LinkRef, identity: str, sid: str) -> None:
        self.port = port
        self.link = link
        self.identity = identity
        self.sid = sid
        self.known: dict[str, str] = {}
        """Session id -> identity of the participants that this one has been told of."""
        self.tracks: set[str] = set()
        """Session ids of those whose track it has been told of."""
        self.inbox: dict[str, _Channel] = {}
        """Reliable packets on their way to it, by session id of the sender."""
        self.outbox: list[_Held] = []
        """What its client holds back until the server can be reached."""
        self.cut_at: float | None = None
        self.noticed = False
        """Does its client know that it is cut off?"""
        self.track: Track | None = None
        self.sequence = 0
        self.told_at = 0.0
        """When the last news of others is due: it comes in order, so what follows is not earlier."""

    @property
    def participant(self) -> Participant:
        return Participant(identity=self.identity, sid=self.sid)


class _Channel:
    """Reliable packets from one participant to another: they arrive in order, each once, however long it takes."""

    __slots__ = ("last", "packets", "sender", "to")

    def __init__(self, sender: _Member, to: _Member) -> None:
        self.sender = sender
        self.to = to
        self.packets: deque[SendData] = deque()
        self.last = 0.0
        """When the last of them is due."""


class MemoryPort:
    """One client's end of the memory room: commands go in, inputs come out when they are due."""

    __slots__ = ("_due", "_opening", "cut", "identity", "member", "on_schedule", "room")

    def __init__(self, room: MemoryRoom, identity: str) -> None:
        self.room = room
        self.identity = identity
        self.member: _Member | None = None
        self.cut = False
        """Is it cut off from the server?"""
        self._opening: LinkRef | None = None
        self._due: list[tuple[float, int, LinkInput | DatagramsClosed | _Deferred]] = []
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
            if isinstance(item, _Deferred):
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

    def answered(self, member: _Member | None) -> None:
        """The room let us in, or not."""
        self._opening = None
        self.member = member

    def abandon(self, now: float) -> None:
        """Vanish: the program that held this port ended."""
        self._opening = None
        if self.member is not None:
            self.room.leave(self.member, CloseReason.CLIENT, now)
        self._due.clear()

    def schedule(self, when: float, item: LinkInput | DatagramsClosed | _Deferred) -> None:
        """Put something on its way to this port."""
        heappush(self._due, (when, self.room.next_number(), item))
        if self.on_schedule is not None:
            self.on_schedule()


class _Deferred:
    """Something that the room does at a time, at a port's request."""

    __slots__ = ("run",)

    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run


class MemoryRoom:
    """A simulated room for any number of ports.  Pure: time is what the ports' callers say it is."""

    def __init__(self, name: str = "memory", *, seed: int = 0, faults: Faults | None = None) -> None:
        self.name = name
        self.faults = faults or Faults()
        self._prng = Prng(seed)
        self._members: dict[str, _Member] = {}
        self._numbers = 0
        self._ports = 0
        self._open = True
        self.cut_off: list[MemoryPort] = []

    def port(self, identity: str | None = None) -> MemoryPort:
        """A new client's end.  Without an identity it gets a made-up wallet address."""
        self._ports += 1
        return MemoryPort(self, identity if identity is not None else f"0x{self._prng.bits():024x}{self._ports:016x}")

    def next_number(self) -> int:
        """Numbers things in the order in which they happen: ties in time stay in order."""
        self._numbers += 1
        return self._numbers

    @property
    def identities(self) -> tuple[str, ...]:
        """Who is in the room."""
        return tuple(self._members)

    # --- what a tester may do to the room

    def partition(self, *identities: str, now: float) -> None:
        """Cut these clients off from the server, and so from everybody; they can't join either until ``heal``."""
        for member in self._named(identities):
            if member.cut_at is None:
                member.cut_at = now
                member.port.cut = True
                self.cut_off.append(member.port)
                notice = now + self.faults.notice
                member.port.schedule(notice, _Deferred(partial(self._notice, member, now)))
                end = self._end_of_patience(now)
                member.port.schedule(end, _Deferred(partial(self._give_up, member, now, end)))

    def heal(self, *identities: str, now: float) -> None:
        """Let these clients reach the server again; reliable packets that waited go on their way."""
        cut = [port for port in self.cut_off if port.identity in identities]
        gone = {port.identity for port in cut}.difference(self._members)
        self._named(tuple(identity for identity in identities if identity not in gone))
        for port in cut:
            self.cut_off.remove(port)
            port.cut = False
            if port.member is not None:
                self._reach_again(port.member, now)

    def _reach_again(self, member: _Member, now: float) -> None:
        when = now + self.faults.latency
        member.cut_at = None
        if member.noticed:
            member.noticed = False
            member.port.schedule(when, LinkReconnected(link=member.link))
        present = {other.sid for other in self._members.values()}
        for sid in [sid for sid in member.known if sid not in present]:
            self._tell_left(sid, member, when)
        for other in self._others(member):
            self._announce(other, member, when)
        for channel in member.inbox.values():
            channel.last = max(channel.last, when)
            for _ in channel.packets:
                member.port.schedule(channel.last, _Deferred(partial(self._arrive_in_order, channel, channel.last)))
        held, member.outbox = member.outbox, []
        for command in held:
            if isinstance(command, SendData):
                self._acknowledge(member, command, "", now)
                self._route(member, command, now)
            else:
                self._make_known(member, command, now)

    def remove(self, identity: str, *, now: float) -> None:
        """Put a participant out, as a moderator does."""
        for member in self._named((identity,)):
            self.leave(member, CloseReason.REMOVED, now)

    def delete(self, *, now: float) -> None:
        """Delete the room: everybody is out; it can be joined anew."""
        for member in tuple(self._members.values()):
            self.leave(member, CloseReason.ROOM_DELETED, now)

    def shut_down(self, *, now: float) -> None:
        """End the server: everybody is out and nobody can join until ``restart``."""
        self._open = False
        for member in tuple(self._members.values()):
            self.leave(member, CloseReason.NETWORK, now)

    def restart(self) -> None:
        """Bring the server back."""
        self._open = True

    def _named(self, identities: tuple[str, ...]) -> list[_Member]:
        missing = [identity for identity in identities if identity not in self._members]
        if missing:
            msg = f"not in the room: {', '.join(missing)}"
            raise LocalProtocolError(msg)
        return [self._members[identity] for identity in identities]

    # --- what ports ask for

    def join(self, port: MemoryPort, link: LinkRef, now: float) -> None:
        """A port wants to come in; it is there one latency later."""
        when = now + self.faults.latency
        port.schedule(when, _Deferred(partial(self._enter, port, link, when)))

    def _enter(self, port: MemoryPort, link: LinkRef, now: float) -> None:
        if not port.is_opening(link):
            return
        if port.cut or not self._open:
            port.answered(None)
            detail = "the network is down" if port.cut else "the server is down"
            port.schedule(now, LinkFailed(link=link, reason=CloseReason.UNREACHABLE, detail=detail))
            return
        older = self._members.get(port.identity)
        if older is not None:
            self.leave(older, CloseReason.DUPLICATE_IDENTITY, now)
        member = _Member(port, link, port.identity, f"PA_{self.next_number()}")
        others = tuple(self._members.values())
        member.known.update((other.sid, other.identity) for other in others)
        self._members[member.identity] = member
        port.answered(member)
        port.schedule(
            now,
            LinkOpened(
                link=link,
                identity=member.identity,
                room=self.name,
                sid="RM_" + self.name,
                participants=tuple(other.participant for other in others),
            ),
        )
        for other in others:
            self._announce(other, member, now)
        announce_at = self._next_batch(now)
        for other in others:
            other.port.schedule(announce_at, _Deferred(partial(self._announce, member, other, announce_at)))

    def _next_batch(self, now: float) -> float:
        every = self.faults.announce_every
        return now + self.faults.latency if every == 0.0 else (now // every + 1.0) * every

    def _announce(self, member: _Member, to: _Member, now: float) -> None:
        """Tell one participant of another and its track, unless it knows, can't be reached, or one of them is gone."""
        if self._members.get(member.identity) is not member or to.port.member is not to or to.cut_at is not None:
            return
        if member.sid not in to.known:
            to.known[member.sid] = member.identity
            self._tell(to, now, ParticipantJoined(link=to.link, participant=member.participant))
        if member.track is not None and member.sid not in to.tracks:
            to.tracks.add(member.sid)
            self._tell(to, now, TrackAppeared(link=to.link, identity=member.identity, track=member.track))

    def _tell(self, to: _Member, when: float, news: LinkInput) -> None:
        """News of others, in order, whatever the latency is by now."""
        to.told_at = max(when, to.told_at)
        to.port.schedule(to.told_at, news)

    def carry_out(self, member: _Member, command: Command, now: float) -> None:
        """What a participant's client asks for."""
        if isinstance(command, SendData):
            self._send(member, command, now)
        elif isinstance(command, SubscribeTrack):
            return  # a simulated track is announced, and carries nothing that could be received
        elif not isinstance(command, SetAttributes | PublishMicrophone):
            msg = f"a memory room can't carry out {type(command).__name__}"
            raise LocalProtocolError(msg)
        elif member.cut_at is not None:
            member.outbox.append(command)
        else:
            self._make_known(member, command, now)

    def _make_known(self, member: _Member, command: SetAttributes | PublishMicrophone, now: float) -> None:
        """Attributes or a track: the server announces the participant at once."""
        if isinstance(command, PublishMicrophone):
            member.track = Track(
                sid="TR_" + member.sid, kind=TrackKind.AUDIO, source=TrackSource.MICROPHONE, name="mic", muted=True
            )
        for other in self._others(member):
            self._announce(member, other, now + self.faults.latency)
        done = CommandCompleted(link=member.link, what=type(command).__name__)
        member.port.schedule(now + self.faults.latency, done)

    def leave(self, member: _Member, reason: CloseReason, now: float) -> None:
        """A participant is out of the room."""
        del self._members[member.identity]
        member.port.member = None
        told = now + self.faults.latency
        if member.cut_at is not None and reason is not CloseReason.CLIENT:
            # Nobody can tell it.  It gives up by itself.
            told, reason = self._end_of_patience(member.cut_at), CloseReason.NETWORK
        member.port.schedule(told, LinkClosed(link=member.link, reason=reason))
        when = now + self.faults.latency if member.track is not None else self._next_batch(now)
        for other in self._others(member):
            other.port.schedule(when, _Deferred(partial(self._tell_left, member.sid, other, when)))

    def _tell_left(self, sid: str, to: _Member, now: float) -> None:
        if to.cut_at is not None or to.port.member is not to:
            return
        identity = to.known.pop(sid, None)
        to.tracks.discard(sid)
        if sid in to.inbox and not to.inbox[sid].packets:
            del to.inbox[sid]
        # Whoever came back meanwhile is a new session, which its announcement tells apart.
        if identity is not None and identity not in to.known.values():
            self._tell(to, now, ParticipantLeft(link=to.link, identity=identity))

    def _others(self, member: _Member) -> list[_Member]:
        return [other for other in self._members.values() if other is not member]

    def _send(self, sender: _Member, command: SendData, now: float) -> None:
        if command.reliable:
            sender.sequence += 1
        size = livekit_packet_size(
            len(command.data),
            identity=sender.identity,
            to=command.to,
            topic=command.topic,
            reliable=command.reliable,
            sequence=sender.sequence,
        )
        if size > LIVEKIT_MAX_PACKET:
            self._acknowledge(sender, command, f"{size} bytes exceed {LIVEKIT_MAX_PACKET}", now)
        elif sender.cut_at is not None and command.reliable:
            sender.outbox.append(command)
        else:
            self._acknowledge(sender, command, "", now)
            if sender.cut_at is None:
                self._route(sender, command, now)

    def _route(self, sender: _Member, command: SendData, now: float) -> None:
        """A packet goes to its addressees."""
        for other in self._others(sender):
            if command.to is None or other.identity in command.to:
                self._deliver(sender, other, command, now)

    def _acknowledge(self, sender: _Member, command: SendData, error: str, now: float) -> None:
        sender.port.schedule(now, SendAcknowledged(link=sender.link, token=command.token, error=error))

    def _deliver(self, sender: _Member, to: _Member, command: SendData, now: float) -> None:
        faults, prng = self.faults, self._prng
        when = now + faults.latency + (prng.between(0.0, faults.jitter) if faults.jitter else 0.0)
        if command.reliable:
            channel = to.inbox.setdefault(sender.sid, _Channel(sender, to))
            channel.packets.append(command)
            channel.last = max(channel.last, when)
            to.port.schedule(channel.last, _Deferred(partial(self._arrive_in_order, channel, channel.last)))
            return
        if prng.chance(faults.loss):
            return
        if prng.chance(faults.reorder):
            when += prng.between(0.0, _REORDER_STEPS * faults.latency)
        for _ in range(2 if prng.chance(faults.duplicate) else 1):
            to.port.schedule(when, _Deferred(partial(self._arrive, sender, to, command, when)))

    def _arrive_in_order(self, channel: _Channel, now: float) -> None:
        """The next reliable packet is there; behind a cut it waits for ``heal``."""
        if channel.packets and channel.to.cut_at is None:
            self._arrive(channel.sender, channel.to, channel.packets.popleft(), now)

    def _arrive(self, sender: _Member, to: _Member, command: SendData, now: float) -> None:
        """Name the sender only if it is known on arrival, as a real client does."""
        if to.port.member is not to or to.cut_at is not None:
            return
        to.port.schedule(
            now,
            DataReceived(
                link=to.link,
                sender=sender.identity if sender.sid in to.known else None,
                data=command.data,
                reliable=command.reliable,
                topic=command.topic,
            ),
        )

    # --- partitions

    def _end_of_patience(self, cut_at: float) -> float:
        return cut_at + self.faults.notice + self.faults.give_up

    def _notice(self, member: _Member, cut_at: float) -> None:
        if member.cut_at == cut_at and member.port.member is member:
            member.noticed = True
            member.port.schedule(cut_at + self.faults.notice, LinkReconnecting(link=member.link))

    def _give_up(self, member: _Member, cut_at: float, now: float) -> None:
        if member.cut_at == cut_at and member.port.member is member:
            self.leave(member, CloseReason.NETWORK, now)
