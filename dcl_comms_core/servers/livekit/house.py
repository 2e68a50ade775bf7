"""All rooms of a server and who is in them: what happens to them, and what is to be sent for it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dcl_comms_core.codec import encode
from dcl_comms_core.commands import CloseSocket, SendDatagrams, SendFrame
from dcl_comms_core.proto import livekit
from dcl_comms_core.servers.livekit.rooms import Room
from dcl_comms_core.servers.livekit.routes import Routes
from dcl_comms_core.servers.livekit.tokens import make_token
from dcl_comms_core.servers.livekit.wakes import Wakes
from dcl_comms_core.tools.clock import Clock
from dcl_comms_core.tools.prng import Prng
from dcl_comms_core.tools.timers import earlier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dcl_comms_core.commands import Command, PortCommand
    from dcl_comms_core.inputs import LinkRef
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.livekit.webrtc import Address
    from dcl_comms_core.servers.livekit.participants import Participant
    from dcl_comms_core.servers.livekit.settings import RoomSettings

__all__ = ["House"]

_ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_SID_CHARS: Final = 12


class House:
    """``port``: what names the port of datagrams in commands."""

    __slots__ = (
        "_closing", "_commands", "_flushing", "_keys", "_luck", "_telling", "_wakes", "clock", "counters", "limits",
        "links", "port", "rooms", "routes", "settings",
    )  # fmt: skip

    def __init__(
        self, port: LinkRef, keys: Mapping[str, str], settings: RoomSettings, limits: Limits, entropy: int
    ) -> None:
        self.port = port
        self.settings = settings
        self.limits = limits
        self.clock = Clock()
        self.rooms: dict[str, Room] = {}
        self.links: dict[LinkRef, Participant] = {}
        """Whose a socket is."""
        self.routes: Routes[Participant] = Routes()
        self.counters: Counter[str] = Counter()
        self._keys = keys
        self._luck = Prng(entropy)
        self._commands: list[Command | PortCommand] = []
        self._wakes: Wakes[Participant] = Wakes()
        self._closing: Wakes[Room] = Wakes()
        self._telling: dict[Room, None] = {}
        """Rooms of which something is to be told."""
        self._flushing: dict[Participant, None] = {}
        """For whom something waits."""

    def unix_now(self) -> float:
        """Unix seconds; before the clock is set those of the host."""
        return self.clock.unix_now() or 0.0

    def sid(self, prefix: str) -> str:
        """A name of a session or a room."""
        return prefix + "".join(_ALPHABET[int(self._luck.unit() * len(_ALPHABET))] for _ in range(_SID_CHARS))

    # --- rooms

    def make_room(self, name: str, *, most: int = 0, empty: int = 0, departure: int = 0) -> Room | None:
        """The room of this name, made if there is none; 0: as the settings say.  None: there are too many."""
        room = self.rooms.get(name)
        if room is None:
            if len(self.rooms) >= self.limits.server_rooms:
                return None
            settings = self.settings
            room = self.rooms[name] = Room(
                name,
                self.sid("RM_"),
                created=self.unix_now(),
                max_participants=most or settings.max_participants,
                empty_timeout=empty or settings.empty_timeout,
                departure_timeout=departure or settings.departure_timeout,
            )
            self._closing.set(room, self.clock.now + room.empty_timeout)
        return room

    def room_of(self, participant: Participant) -> Room:
        """Somebody's room."""
        return self.rooms[participant.grant.room]

    def delete_room(self, room: Room) -> None:
        """End a room, and the stay of all who are in it."""
        for participant in tuple(room.members.values()):
            self.end(participant, livekit.DisconnectReason.ROOM_DELETED)
        self._closing.forget(room)
        del self.rooms[room.name]

    def change_room(self, room: Room) -> None:
        """Something of a room is another now: all are told."""
        room.changed = True
        self._telling[room] = None

    # --- participants

    def enter(self, participant: Participant) -> None:
        """Somebody comes into his room; who was there with his identity goes."""
        room = self.room_of(participant)
        older = room.members.get(participant.identity)
        if older is not None:
            self._leave(older, livekit.DisconnectReason.DUPLICATE_IDENTITY, livekit.LeaveAction.DISCONNECT)
        room.members[participant.identity] = participant
        self._closing.forget(room)
        participant.due = self.clock.now + self.settings.join_seconds
        if older is not None:
            # A sid of which nobody heard is a leave and a join to all who knew the one before.
            self.change(participant)

    def change(self, participant: Participant) -> None:
        """Something of somebody is another now: all are told."""
        participant.announced = True
        room = self.room_of(participant)
        room.tell_of(participant)
        self._telling[room] = None

    def announce(self, participant: Participant) -> None:
        """Tell all of somebody, if they were not."""
        if not participant.announced:
            self.change(participant)

    def settle(self, participant: Participant) -> None:
        """Something came of his connection, or may have: look at it."""
        connection = participant.connection
        if connection.failed:
            self._failed(participant)
            return
        if connection.ready and not participant.active:
            self._arrived(participant)
        if connection.closed and not participant.lost:
            self._lost(participant)
            if participant.gone:
                return
        if connection.waiting:
            self._flushing[participant] = None
        self._take_sent(participant)
        self.wake(participant)

    def _take_sent(self, participant: Participant) -> None:
        sent, participant.connection.sent = participant.connection.sent, []
        last: Address | None = None
        batch: list[bytes] = []
        for remote, datagram in sent:
            self.routes.sent(participant, remote, datagram)
            if not (self.routes.owns(participant, remote) or participant.credits.may_go(remote, datagram)):
                continue
            if remote != last:
                last, batch = remote, []
                self._commands.append(SendDatagrams(link=self.port, to=remote, datagrams=batch))
            batch.append(datagram)

    def came(self, participant: Participant, remote: Address, datagrams: list[bytes]) -> None:
        """Datagrams of somebody came from this address."""
        if self.routes.owns(participant, remote):
            waiting = participant.credits.proved(remote)
        else:
            waiting = participant.credits.came(remote, sum(map(len, datagrams)))
        if waiting:
            self._commands.append(SendDatagrams(link=self.port, to=remote, datagrams=waiting))
        participant.connection.receive(datagrams, remote, self.clock.now)
        self.settle(participant)

    def wake(self, participant: Participant) -> None:
        """Come back to him in time."""
        self._wakes.set(participant, participant.wake_at(self.settings.silent_seconds))

    def _arrived(self, participant: Participant) -> None:
        self.counters["joined"] += 1
        participant.state = livekit.ParticipantState.ACTIVE
        participant.version += 1
        participant.due = None
        self.change(participant)

    def _failed(self, participant: Participant) -> None:
        self.counters["failed"] += 1
        if participant.active:
            self.end(participant, livekit.DisconnectReason.STATE_MISMATCH, livekit.LeaveAction.RECONNECT)
        else:
            self.end(participant, livekit.DisconnectReason.JOIN_FAILURE)

    def _lost(self, participant: Participant) -> None:
        """His datagrams come no more: he may come back for a while."""
        participant.lost = True
        participant.due = self.clock.now + self.settings.grace_seconds
        if participant.connection.closed:
            if participant.link is None:
                self.end(participant, livekit.DisconnectReason.SIGNAL_CLOSE)
            return
        self.tell_leave(participant, livekit.DisconnectReason.CONNECTION_TIMEOUT, livekit.LeaveAction.RESUME)
        self.drop(participant)

    def found(self, participant: Participant) -> None:
        """His datagrams come again."""
        if not participant.connection.closed:
            participant.lost = False
            participant.due = None

    def drop(self, participant: Participant) -> None:
        """Close his socket, if he has one."""
        if participant.link is not None:
            del self.links[participant.link]
            self._commands.append(CloseSocket(link=participant.link))
            participant.link = None

    def socket_gone(self, participant: Participant) -> None:
        """He has no socket any more: where datagrams come he stays."""
        participant.link = None
        if not participant.active or participant.connection.closed:
            self.end(participant, livekit.DisconnectReason.SIGNAL_CLOSE)

    def end(
        self,
        participant: Participant,
        reason: livekit.DisconnectReason,
        action: livekit.LeaveAction = livekit.LeaveAction.DISCONNECT,
        *,
        seen: livekit.DisconnectReason | None = None,
    ) -> None:
        """End somebody's stay; he and others are told why.  ``seen``: what the others are told instead."""
        room = self.room_of(participant)
        self._leave(participant, reason, action)
        del room.members[participant.identity]
        participant.version += 1
        room.tell_of(participant, reason if seen is None else seen)
        self._telling[room] = None
        if not room.members:
            self._closing.set(room, self.clock.now + room.departure_timeout)

    def _leave(self, participant: Participant, reason: livekit.DisconnectReason, action: livekit.LeaveAction) -> None:
        self.counters[f"left.{(reason.name or 'unknown').lower()}"] += 1
        participant.gone = True
        participant.connection.close()
        self._take_sent(participant)
        self.tell_leave(participant, reason, action)
        self.drop(participant)
        self.routes.forget(participant)
        self._wakes.forget(participant)
        self._flushing.pop(participant, None)

    # --- what is said

    def tell(self, participant: Participant, response: livekit.SignalResponse) -> None:
        """Say something to somebody, if he has a socket."""
        if participant.link is not None:
            self.send(participant.link, response)

    def send(self, link: LinkRef, response: livekit.SignalResponse) -> None:
        """The same by his socket."""
        self._commands.append(SendFrame(link=link, token=0, data=encode(response)))

    def tell_leave(
        self, participant: Participant, reason: livekit.DisconnectReason, action: livekit.LeaveAction
    ) -> None:
        """Say that his stay is over, or what he is to do."""
        if participant.link is not None:
            self.send_leave(participant.link, reason, action)

    def send_leave(self, link: LinkRef, reason: livekit.DisconnectReason, action: livekit.LeaveAction) -> None:
        """The same by his socket."""
        again = action is not livekit.LeaveAction.DISCONNECT
        leave = livekit.LeaveRequest(can_reconnect=again, reason=reason, action=action)
        self.send(link, livekit.SignalResponse(leave=leave))

    def hang_up(self, link: LinkRef) -> None:
        """Close a socket that is nobody's."""
        self._commands.append(CloseSocket(link=link))

    def refresh(self, participant: Participant) -> None:
        """Give him a token that is as he is now."""
        now, grant = self.unix_now(), participant.grant
        expires = max(now + self.settings.token_seconds, grant.expires or 0.0)
        secret = self._keys[grant.key]
        token = make_token(secret, grant, begins=now, expires=expires)
        if len(token) > self.limits.connection_string_chars:
            # One that is longer would not let him in.
            token = make_token(secret, replace(grant, metadata="", attributes={}), begins=now, expires=expires)
        participant.refresh_at = self.clock.now + self.settings.refresh_seconds
        self.tell(participant, livekit.SignalResponse(refresh_token=token))

    # --- packets

    def spread(self, receivers: Iterable[Participant]) -> None:
        """A packet waits for these."""
        self._flushing.update(dict.fromkeys(receivers))

    # --- time

    def deadline(self) -> float | None:
        """When to call ``handle_timeout`` at the latest."""
        return earlier(self._wakes.deadline(), self._closing.deadline())

    def handle_timeout(self) -> None:
        """Do what is due."""
        now = self.clock.now
        while (participant := self._wakes.pop(now)) is not None:
            self._woken(participant, now)
        while (room := self._closing.pop(now)) is not None:
            del self.rooms[room.name]

    def _woken(self, participant: Participant, now: float) -> None:
        connection = participant.connection
        connection.handle_timeout(now)
        if participant.due is not None and now >= participant.due:
            self._overdue(participant)
            return
        silent = now - connection.heard_at >= self.settings.silent_seconds
        if participant.active and silent and not participant.lost:
            self._lost(participant)
        if now >= participant.refresh_at:
            self.refresh(participant)
        self.settle(participant)

    def _overdue(self, participant: Participant) -> None:
        if participant.active:
            self.end(participant, livekit.DisconnectReason.CONNECTION_TIMEOUT)
        else:
            self.end(participant, livekit.DisconnectReason.JOIN_FAILURE)

    # --- what comes of it all

    def commands(self) -> list[Command | PortCommand]:
        """Take everything that is to be sent: what is told first, packets after it."""
        while self._telling or self._flushing:
            telling, self._telling = self._telling, {}
            for room in telling:
                self._tell_all(room)
            flushing, self._flushing = self._flushing, {}
            for participant in flushing:
                self._flush(participant)
        commands, self._commands = self._commands, []
        return commands

    def _tell_all(self, room: Room) -> None:
        links = [member.link for member in room.members.values() if member.link is not None]
        for data in room.take_updates():
            self._commands += [SendFrame(link=link, token=0, data=data) for link in links]

    def _flush(self, participant: Participant) -> None:
        connection = participant.connection
        connection.flush(self.clock.now)
        self.counters["dropped"] += connection.dropped
        connection.dropped = 0
        if connection.overrun:
            self.counters["overrun"] += 1
            self.end(participant, livekit.DisconnectReason.CONNECTION_TIMEOUT, livekit.LeaveAction.RECONNECT)
            return
        if connection.failed:
            self._failed(participant)
            return
        self._take_sent(participant)
        self.wake(participant)
