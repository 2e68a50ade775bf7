"""The in-memory room: a whole comms server as a seeded, pure simulation.

It speaks the vocabulary of a transport: give a port the commands of a session, take the inputs that are due.  What it
does on its way is what a LiveKit room does, as measured: packets in order and never lost when reliable; latency, loss,
duplication and reordering when lossy; a participant that did nothing to make itself known is announced in batches,
up to ``announce_every`` seconds late, and until then its packets carry no sender; one identity has one session, the
newer one; identities are compared as they are written, and unknown addressees get nothing.

The same seed and the same calls give the same inputs at the same times.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from dcl_comms_core.commands import (
    Command,
    PublishMicrophone,
    SendData,
    SetAttributes,
    SubscribeTrack,
)
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.inputs import (
    CommandCompleted,
    DataReceived,
    LinkClosed,
    LinkFailed,
    LinkInput,
    LinkOpened,
    LinkReconnected,
    LinkReconnecting,
    LinkRef,
    ParticipantJoined,
    ParticipantLeft,
    SendAcknowledged,
    Track,
    TrackAppeared,
    TrackKind,
    TrackMuteChanged,
    TrackSource,
    TrackVanished,
)
from dcl_comms_core.packets.envelope import LIVEKIT_MAX_PACKET, livekit_packet_size
from dcl_comms_core.simulation.members import Channel, Deferred, Member, MemoryPort
from dcl_comms_core.simulation.settings import Faults
from dcl_comms_core.states import CloseReason
from dcl_comms_core.tools.prng import Prng

__all__ = ["MemoryPort", "MemoryRoom"]

_REORDER_STEPS: Final = 3.0
"""A reordered packet is held back by up to this many latencies."""


class MemoryRoom:
    """A simulated room for any number of ports.  Pure: time is what the ports' callers say it is."""

    def __init__(self, name: str = "memory", *, seed: int = 0, faults: Faults | None = None) -> None:
        self.name = name
        self.faults = faults or Faults()
        self._prng = Prng(seed)
        self._members: dict[str, Member] = {}
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
                member.port.schedule(notice, Deferred(partial(self._notice, member, now)))
                end = self._end_of_patience(now)
                member.port.schedule(end, Deferred(partial(self._give_up, member, now, end)))

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

    def _reach_again(self, member: Member, now: float) -> None:
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
                member.port.schedule(channel.last, Deferred(partial(self._arrive_in_order, channel, channel.last)))
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

    def _named(self, identities: tuple[str, ...]) -> list[Member]:
        missing = [identity for identity in identities if identity not in self._members]
        if missing:
            msg = f"not in the room: {', '.join(missing)}"
            raise LocalProtocolError(msg)
        return [self._members[identity] for identity in identities]

    # --- what ports ask for

    def join(self, port: MemoryPort, link: LinkRef, now: float) -> None:
        """A port wants to come in; it is there one latency later."""
        when = now + self.faults.latency
        port.schedule(when, Deferred(partial(self._enter, port, link, when)))

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
        member = Member(port, link, port.identity, f"PA_{self.next_number()}")
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
            other.port.schedule(announce_at, Deferred(partial(self._announce, member, other, announce_at)))

    def _next_batch(self, now: float) -> float:
        every = self.faults.announce_every
        return now + self.faults.latency if every == 0.0 else (now // every + 1.0) * every

    def _announce(self, member: Member, to: Member, now: float) -> None:
        """Tell one participant of another and its tracks, unless it knows, can't be reached, or one of them is gone."""
        if self._members.get(member.identity) is not member or to.port.member is not to or to.cut_at is not None:
            return
        if member.sid not in to.known:
            to.known[member.sid] = member.identity
            self._tell(to, now, ParticipantJoined(link=to.link, participant=member.participant))
        for track in member.offered.values():
            if track.sid not in to.tracks:
                to.tracks[track.sid] = member.sid
                self._tell(to, now, TrackAppeared(link=to.link, identity=member.identity, track=track))

    def _tell(self, to: Member, when: float, news: LinkInput) -> None:
        """News of others, in order, whatever the latency is by now."""
        to.told_at = max(when, to.told_at)
        to.port.schedule(to.told_at, news)

    def carry_out(self, member: Member, command: Command, now: float) -> None:
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

    def _make_known(self, member: Member, command: SetAttributes | PublishMicrophone, now: float) -> None:
        """Attributes or a track: the server announces the participant at once."""
        if isinstance(command, PublishMicrophone):
            member.offered["mic"] = Track(
                sid="TR_" + member.sid, kind=TrackKind.AUDIO, source=TrackSource.MICROPHONE, name="mic", muted=True
            )
        self._announce_to_all(member, now)
        done = CommandCompleted(link=member.link, what=type(command).__name__)
        member.port.schedule(now + self.faults.latency, done)

    def _announce_to_all(self, member: Member, now: float) -> None:
        for other in self._others(member):
            self._announce(member, other, now + self.faults.latency)

    # --- tracks, which are told of and carry nothing

    def publish(self, identity: str, track: Track, *, now: float) -> None:
        """A participant publishes a track, in the place of one of the same name; its id is the room's to give.

        LocalProtocolError: it is not in the room, or can't reach the server: so of what follows too.
        """
        member = self._reachable(identity)
        if track.name in member.offered:
            self.unpublish(identity, track.name, now=now)
        member.offered[track.name] = replace(track, sid=f"TR_{member.sid}_{self.next_number()}")
        self._announce_to_all(member, now)

    def unpublish(self, identity: str, name: str, *, now: float) -> None:
        """It takes a track back.  LocalProtocolError: it has none of this name."""
        member = self._reachable(identity)
        track = self._offered(member, name)
        del member.offered[name]
        for other in self._others(member):
            if other.tracks.pop(track.sid, None) is not None:
                gone = TrackVanished(link=other.link, identity=identity, sid=track.sid)
                self._tell(other, now + self.faults.latency, gone)

    def mute(self, identity: str, name: str, *, muted: bool, now: float) -> None:
        """It mutes a track, or unmutes it.  LocalProtocolError: it has none of this name."""
        member = self._reachable(identity)
        track = member.offered[name] = replace(self._offered(member, name), muted=muted)
        for other in self._others(member):
            if track.sid in other.tracks:
                told = TrackMuteChanged(link=other.link, identity=identity, sid=track.sid, muted=muted)
                self._tell(other, now + self.faults.latency, told)

    def _reachable(self, identity: str) -> Member:
        member = self._members.get(identity)
        if member is None or member.cut_at is not None:
            msg = f"{identity!r} is not in the room, or is cut off"
            raise LocalProtocolError(msg)
        return member

    @staticmethod
    def _offered(member: Member, name: str) -> Track:
        track = member.offered.get(name)
        if track is None:
            msg = f"{member.identity!r} publishes no track named {name!r}"
            raise LocalProtocolError(msg)
        return track

    def leave(self, member: Member, reason: CloseReason, now: float) -> None:
        """A participant is out of the room."""
        del self._members[member.identity]
        member.port.member = None
        told = now + self.faults.latency
        if member.cut_at is not None and reason is not CloseReason.CLIENT:
            # Nobody can tell it.  It gives up by itself.
            told, reason = self._end_of_patience(member.cut_at), CloseReason.NETWORK
        member.port.schedule(told, LinkClosed(link=member.link, reason=reason))
        when = now + self.faults.latency if member.offered else self._next_batch(now)
        for other in self._others(member):
            other.port.schedule(when, Deferred(partial(self._tell_left, member.sid, other, when)))

    def _tell_left(self, sid: str, to: Member, now: float) -> None:
        if to.cut_at is not None or to.port.member is not to:
            return
        identity = to.known.pop(sid, None)
        to.tracks = {track: owner for track, owner in to.tracks.items() if owner != sid}
        if sid in to.inbox and not to.inbox[sid].packets:
            del to.inbox[sid]
        # Whoever came back meanwhile is a new session, which its announcement tells apart.
        if identity is not None and identity not in to.known.values():
            self._tell(to, now, ParticipantLeft(link=to.link, identity=identity))

    def _others(self, member: Member) -> list[Member]:
        return [other for other in self._members.values() if other is not member]

    def _send(self, sender: Member, command: SendData, now: float) -> None:
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

    def _route(self, sender: Member, command: SendData, now: float) -> None:
        """A packet goes to its addressees."""
        for other in self._others(sender):
            if command.to is None or other.identity in command.to:
                self._deliver(sender, other, command, now)

    def _acknowledge(self, sender: Member, command: SendData, error: str, now: float) -> None:
        sender.port.schedule(now, SendAcknowledged(link=sender.link, token=command.token, error=error))

    def _deliver(self, sender: Member, to: Member, command: SendData, now: float) -> None:
        faults, prng = self.faults, self._prng
        when = now + faults.latency + (prng.between(0.0, faults.jitter) if faults.jitter else 0.0)
        if command.reliable:
            channel = to.inbox.setdefault(sender.sid, Channel(sender, to))
            channel.packets.append(command)
            channel.last = max(channel.last, when)
            to.port.schedule(channel.last, Deferred(partial(self._arrive_in_order, channel, channel.last)))
            return
        if prng.chance(faults.loss):
            return
        if prng.chance(faults.reorder):
            when += prng.between(0.0, _REORDER_STEPS * faults.latency)
        for _ in range(2 if prng.chance(faults.duplicate) else 1):
            to.port.schedule(when, Deferred(partial(self._arrive, sender, to, command, when)))

    def _arrive_in_order(self, channel: Channel, now: float) -> None:
        """The next reliable packet is there; behind a cut it waits for ``heal``."""
        if channel.packets and channel.to.cut_at is None:
            self._arrive(channel.sender, channel.to, channel.packets.popleft(), now)

    def _arrive(self, sender: Member, to: Member, command: SendData, now: float) -> None:
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

    def _notice(self, member: Member, cut_at: float) -> None:
        if member.cut_at == cut_at and member.port.member is member:
            member.noticed = True
            member.port.schedule(cut_at + self.faults.notice, LinkReconnecting(link=member.link))

    def _give_up(self, member: Member, cut_at: float, now: float) -> None:
        if member.cut_at == cut_at and member.port.member is member:
            self.leave(member, CloseReason.NETWORK, now)
